import ApusNN
import ApusTensor

/// How well a model does on some examples.
public struct Evaluation: Hashable, Sendable {
  /// The mean of the examples' losses.
  public var loss: Double
  /// The share of examples, or of their parts, that are right, where the objective says which are.
  public var accuracy: Double?
  /// The number of examples that were measured: without those that could not be read, where these are left out.
  public var count: Int

  public init(loss: Double, accuracy: Double? = nil, count: Int) {
    self.loss = loss
    self.accuracy = accuracy
    self.count = count
  }
}

/// Runs a model in inference over all examples and measures it.
/// - Parameter batchSize: cut down to the number of examples.
/// - Throws: also `unmeasurable`, when none of the examples could be read.
public func evaluate(
  _ model: any Layer, on source: any ExampleSource, objective: Objective = .classification, batchSize: Int
) throws(TrainingError) -> Evaluation {
  var sum = EvaluationSum(hasHits: objective.hits != nil, size: InferenceBatches.size(batchSize, source))
  try InferenceBatches(model: model, source: source, batchSize: batchSize).run { outputs, targets in
    let losses = objective.losses(outputs, targets)
    let hits = objective.hits.map { $0(outputs, targets) }
    return [losses] + (hits.map { [$0] } ?? [])
  } take: { readings, places, _ in
    try sum.add(readings, places)
  }
  guard sum.count > 0 || source.count == 0 else { throw .noneReadable(of: source.count) }
  return sum.result
}

private struct EvaluationSum {
  let hasHits: Bool
  /// The number of examples in a batch, filled up.
  let size: Int
  var loss = 0.0
  var hits = 0
  var parts = 0
  var count = 0

  init(hasHits: Bool, size: Int) {
    self.hasHits = hasHits
    self.size = size
  }

  /// - Parameter readings: the losses, and the hits where there are any.
  mutating func add(_ readings: [Reading], _ places: [Int]) throws(DeviceError) {
    for value in try readings[0].array(of: Float.self).rows(places, width: 1) { loss += Double(value) }
    if hasHits {
      let all = try readings[1].array(of: Bool.self)
      let counted = all.rows(places, width: all.count / size)
      hits += counted.count(where: \.self)
      parts += counted.count
    }
    count += places.count
  }

  var result: Evaluation {
    let divisor = Double(max(count, 1))
    let accuracy = hasHits ? Double(hits) / Double(max(parts, 1)) : nil
    return Evaluation(loss: loss / divisor, accuracy: accuracy, count: count)
  }
}
