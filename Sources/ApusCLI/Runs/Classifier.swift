import Apus

/// The class that a model takes an example for.
struct Prediction {
  /// The example's place in its file.
  var index: Int
  /// The class with the largest output; of two, what a threshold made of it.
  var label: Int
  /// Its share: `softmax(outputs)[label]`.
  var probability: Double
}

/// Runs a model over images, texts or rows.
struct Classifier {
  let model: any Layer
  /// The number of examples.
  let count: Int
  /// The examples with some numbers.
  let inputs: ([Int32]) throws -> Tensor

  private static let batchSize = 256

  /// Passes a prediction for each example on, in order: that which `apus evaluate` measures.
  /// - Parameter threshold: of two classes: the probability of the second from which on it is predicted.
  func run(threshold: Double?, _ body: (Prediction) throws -> Void) throws {
    try runBatches { index, outputs in
      try checkThreshold(threshold, classCount: outputs.count, command: PredictCommand.name)
      let shares = ClassificationResults.probabilities(logits: Array(outputs), classes: outputs.count)
      guard !shares.contains(where: \.isNaN) else { throw ModelError.notFinite }
      var label = 0
      for place in shares.indices where outputs[outputs.startIndex + place] > outputs[outputs.startIndex + label] {
        label = place
      }
      if let threshold { label = shares[1] >= Float(threshold) ? 1 : 0 }
      try body(Prediction(index: index, label: label, probability: Double(shares[label])))
    }
  }

  /// Passes what the model gives for each example on, in order.
  ///
  /// The last batch is filled up with copies of an example, so that all batches run the same plan.
  func runBatches(_ body: (_ index: Int, _ outputs: ArraySlice<Float>) throws -> Void) throws {
    guard count > 0 else { return }
    let size = min(Classifier.batchSize, count)
    for start in stride(from: 0, to: count, by: size) {
      let own = min(size, count - start)
      let batch = try inputs((0..<size).map { Int32($0 < own ? start + $0 : start) })
      let outputs = try withMode(.inference) { try model(batch).array(of: Float.self) }
      let width = outputs.count / size
      for index in 0..<own { try body(start + index, outputs[index * width..<(index + 1) * width]) }
    }
  }
}
