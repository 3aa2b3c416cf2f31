import Apus

/// The class that a model predicts for an example.
struct Prediction {
  /// The index of the example, from 0 to the runner's `count - 1`.
  var index: Int
  /// The class with the largest output. With a threshold: class 1 if its probability is at least the threshold, else
  /// class 0.
  var label: Int
  /// The probability of the class: `softmax(outputs)[label]`.
  var probability: Double
}

/// Runs a model over images, texts or rows of a table.
package struct ModelRunner {
  let model: any Layer
  /// The number of examples.
  let count: Int
  /// Returns the inputs of the examples with the given indices.
  let inputs: ([Int32]) throws -> Tensor

  private static let batchSize = 256

  package init(model: any Layer, count: Int, inputs: @escaping ([Int32]) throws -> Tensor) {
    (self.model, self.count, self.inputs) = (model, count, inputs)
  }

  /// Calls `body` with the prediction for each example, in order. These are the predictions that `apus evaluate`
  /// measures.
  /// - Parameter threshold: for two classes: predict the second class if its probability is at least this number.
  /// - Throws: `ModelError.notFinite` if a probability is NaN, `OptionError` if there is a threshold, but not two
  ///   classes.
  func predictClasses(threshold: Double?, _ body: (Prediction) throws -> Void) throws {
    try runBatches { index, outputs in
      try checkThreshold(threshold, classCount: outputs.count)
      let shares = ClassificationResults.probabilities(logits: Array(outputs), classes: outputs.count)
      guard !shares.contains(where: \.isNaN) else { throw ModelError.notFinite }
      var label = 0
      for position in shares.indices where outputs[outputs.startIndex + position] > outputs[outputs.startIndex + label]
      {
        label = position
      }
      if let threshold { label = shares[1] >= Float(threshold) ? 1 : 0 }
      try body(Prediction(index: index, label: label, probability: Double(shares[label])))
    }
  }

  /// Calls `body` with the model's outputs for each example, in order.
  ///
  /// The last batch is padded with copies of its first example, so that all batches run the same plan.
  package func runBatches(_ body: (_ index: Int, _ outputs: ArraySlice<Float>) throws -> Void) throws {
    guard count > 0 else { return }
    let size = min(ModelRunner.batchSize, count)
    for start in stride(from: 0, to: count, by: size) {
      let own = min(size, count - start)
      let batch = try inputs((0..<size).map { Int32($0 < own ? start + $0 : start) })
      let outputs = try withMode(.inference) { try model(batch).array(of: Float.self) }
      let width = outputs.count / size
      for index in 0..<own { try body(start + index, outputs[index * width..<(index + 1) * width]) }
    }
  }
}

/// Throws if there is a threshold, but not two classes.
package func checkThreshold(_ threshold: Double?, classCount: Int) throws(OptionError) {
  guard let threshold, classCount != 2 else { return }
  throw OptionError("--threshold \(threshold): a threshold needs two classes, but there are \(classCount)")
}
