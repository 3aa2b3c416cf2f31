import ApusNN
import ApusTensor

/// The results of a model on a set of examples.
public struct Evaluation: Hashable, Sendable {
  /// The mean of the examples' losses, multiplied by the objective's `lossUnit`.
  public var loss: Double
  /// The fraction of examples, or of their elements, that are correct; `nil` if the objective defines no `hits`.
  public var accuracy: Double?
  /// The means of the objective's other measures, by name.
  public var measures: [String: Double]
  /// The number of examples that were measured, without those that could not be read.
  public var count: Int

  public init(loss: Double, accuracy: Double? = nil, measures: [String: Double] = [:], count: Int) {
    self.loss = loss
    self.accuracy = accuracy
    self.measures = measures
    self.count = count
  }

  /// The results without the number of examples.
  public var metrics: SplitMetrics { SplitMetrics(loss: loss, accuracy: accuracy, measures: measures) }
}

/// Runs a model in inference mode over all examples and measures it.
/// - Parameters:
///   - model: takes the inputs of the source; its outputs have a shape that the objective takes, `[batch, classes]` for
///     a classifier.
///   - source: the examples to measure.
///   - objective: computes the loss of each example from the outputs and targets, and the measures.
///   - batchSize: the number of examples in a batch; limited to the number of examples.
/// - Throws: errors of the device and of the source, and `unmeasurable` when none of the examples could be read.
public func evaluate(
  _ model: any Layer, on source: any ExampleSource, objective: Objective = .classification, batchSize: Int
) throws(TrainingError) -> Evaluation {
  let measures = objective.allMeasures
  var sum = EvaluationSum(names: measures.map(\.name), size: InferenceBatches.size(batchSize, source))
  try InferenceBatches(model: model, source: source, batchSize: batchSize).run { outputs, targets in
    [objective.losses(outputs, targets)] + measures.map { $0.values(outputs, targets).asMeasured }
  } take: { readings, positions, _ in
    try sum.add(readings, positions)
  }
  guard sum.count > 0 || source.count == 0 else { throw .noneReadable(of: source.count) }
  return sum.result(unit: objective.lossUnit)
}

extension Tensor {
  /// The tensor itself if it is `bool`, otherwise the tensor converted to float32.
  fileprivate var asMeasured: Tensor { dtype == .bool ? self : cast(to: .float32) }
}

private struct EvaluationSum {
  /// The names of the measures.
  let names: [String]
  /// The number of examples in a batch, padding included.
  let size: Int
  var loss = 0.0
  /// For each measure, the sum of the values of all elements of the examples, and the number of these elements.
  var sums: [RunningMean]
  var count = 0

  init(names: [String], size: Int) {
    self.names = names
    self.size = size
    sums = names.map { _ in RunningMean() }
  }

  /// - Parameter readings: the losses, then the measures.
  mutating func add(_ readings: [Reading], _ positions: [Int]) throws(DeviceError) {
    for value in try readings[0].array(of: Float.self).rows(positions, width: 1) { loss += Double(value) }
    for (index, reading) in readings.dropFirst().enumerated() {
      let width = reading.shape.elementCount / size
      if reading.dtype == .bool {
        let counted = try reading.array(of: Bool.self).rows(positions, width: width)
        sums[index].add(sum: Double(counted.count(where: \.self)), count: counted.count)
      } else {
        let counted = try reading.array(of: Float.self).rows(positions, width: width)
        sums[index].add(sum: counted.reduce(0) { $0 + Double($1) }, count: counted.count)
      }
    }
    count += positions.count
  }

  func result(unit: Double) -> Evaluation {
    var means: [String: Double] = [:]
    for (name, sum) in zip(names, sums) { means[name] = sum.mean ?? 0 }
    let accuracy = means.removeValue(forKey: Objective.accuracy)
    return Evaluation(loss: unit * loss / Double(max(count, 1)), accuracy: accuracy, measures: means, count: count)
  }
}
