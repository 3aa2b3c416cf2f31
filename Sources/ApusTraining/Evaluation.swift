import ApusNN
import ApusTensor

/// How well a model does on some examples.
public struct Evaluation: Hashable, Sendable {
  /// The mean of the examples' losses.
  public var loss: Double
  /// The share of examples, or of their parts, that are right, where the objective says which are.
  public var accuracy: Double?
  public var count: Int
}

/// Runs a model in inference over all examples and measures it.
///
/// The last batch is filled up with copies of an example that are not counted, so that all batches run the same
/// plan. Batch `i` is read while batch `i + 1` runs.
/// - Parameter batchSize: cut down to the number of examples.
public func evaluate(
  _ model: any Layer, on source: any ExampleSource, objective: Objective = .classification, batchSize: Int
) throws(TrainingError) -> Evaluation {
  let size = max(1, min(batchSize, source.count))
  var sum = EvaluationSum(hasHits: objective.hits != nil, size: size)
  try reportingTraining {
    try withMode(.inference) {
      var pending: (losses: Reading, hits: Reading?, count: Int)?
      for start in stride(from: 0, to: source.count, by: size) {
        let count = min(size, source.count - start)
        let numbers = (0..<size).map { Int32($0 < count ? start + $0 : start) }
        let (inputs, targets) = try source.examples(numbers)
        let outputs = model(inputs)
        let losses = objective.losses(outputs, targets)
        let hits = objective.hits.map { $0(outputs, targets) }
        try eval([losses] + (hits.map { [$0] } ?? []))
        let next = (losses: try losses.startReading(), hits: try hits?.startReading(), count: count)
        if let pending { try sum.add(pending) }
        pending = next
      }
      if let pending { try sum.add(pending) }
    }
  }
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

  mutating func add(_ batch: (losses: Reading, hits: Reading?, count: Int)) throws(DeviceError) {
    for value in try batch.losses.array(of: Float.self).prefix(batch.count) { loss += Double(value) }
    if let reading = batch.hits {
      let all = try reading.array(of: Bool.self)
      let counted = all.prefix(all.count / size * batch.count)
      hits += counted.count(where: \.self)
      parts += counted.count
    }
    count += batch.count
  }

  var result: Evaluation {
    let divisor = Double(max(count, 1))
    let accuracy = hasHits ? Double(hits) / Double(max(parts, 1)) : nil
    return Evaluation(loss: loss / divisor, accuracy: accuracy, count: count)
  }
}
