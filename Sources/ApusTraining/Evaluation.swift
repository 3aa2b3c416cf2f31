import ApusNN
import ApusTensor

/// How well a model does on some examples.
public struct Evaluation: Hashable, Sendable {
  /// The mean of the examples' losses, in the objective's unit.
  public var loss: Double
  /// The share of examples, or of their parts, that are right, where the objective says which are.
  public var accuracy: Double?
  /// The means of the objective's other measures, by their names.
  public var measures: [String: Double]
  /// The number of examples that were measured: without those that could not be read, where these are left out.
  public var count: Int

  public init(loss: Double, accuracy: Double? = nil, measures: [String: Double] = [:], count: Int) {
    self.loss = loss
    self.accuracy = accuracy
    self.measures = measures
    self.count = count
  }
}

/// Runs a model in inference over all examples and measures it.
/// - Parameter batchSize: cut down to the number of examples.
/// - Throws: also `unmeasurable`, when none of the examples could be read.
public func evaluate(
  _ model: any Layer, on source: any ExampleSource, objective: Objective = .classification, batchSize: Int
) throws(TrainingError) -> Evaluation {
  let measures = objective.allMeasures
  var sum = EvaluationSum(names: measures.map(\.name), size: InferenceBatches.size(batchSize, source))
  try InferenceBatches(model: model, source: source, batchSize: batchSize).run { outputs, targets in
    [objective.losses(outputs, targets)] + measures.map { $0.values(outputs, targets).asMeasured }
  } take: { readings, places, _ in
    try sum.add(readings, places)
  }
  guard sum.count > 0 || source.count == 0 else { throw .noneReadable(of: source.count) }
  return sum.result(unit: objective.lossUnit)
}

extension Tensor {
  /// Whether something is so as a byte, numbers as float32.
  fileprivate var asMeasured: Tensor { dtype == .bool ? self : cast(to: .float32) }
}

private struct EvaluationSum {
  /// The names of the measures.
  let names: [String]
  /// The number of examples in a batch, filled up.
  let size: Int
  var loss = 0.0
  /// For each measure the sum over all parts of examples, and their number.
  var sums: [RunningMean]
  var count = 0

  init(names: [String], size: Int) {
    self.names = names
    self.size = size
    sums = names.map { _ in RunningMean() }
  }

  /// - Parameter readings: the losses, then the measures.
  mutating func add(_ readings: [Reading], _ places: [Int]) throws(DeviceError) {
    for value in try readings[0].array(of: Float.self).rows(places, width: 1) { loss += Double(value) }
    for (index, reading) in readings.dropFirst().enumerated() {
      let width = reading.shape.elementCount / size
      if reading.dtype == .bool {
        let counted = try reading.array(of: Bool.self).rows(places, width: width)
        sums[index].add(sum: Double(counted.count(where: \.self)), count: counted.count)
      } else {
        let counted = try reading.array(of: Float.self).rows(places, width: width)
        sums[index].add(sum: counted.reduce(0) { $0 + Double($1) }, count: counted.count)
      }
    }
    count += places.count
  }

  func result(unit: Double) -> Evaluation {
    var means: [String: Double] = [:]
    for (name, sum) in zip(names, sums) { means[name] = sum.mean ?? 0 }
    let accuracy = means.removeValue(forKey: Objective.accuracy)
    return Evaluation(loss: unit * loss / Double(max(count, 1)), accuracy: accuracy, measures: means, count: count)
  }
}
