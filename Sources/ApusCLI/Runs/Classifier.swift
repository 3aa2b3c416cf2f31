import Apus

/// The class that a model takes an example for.
struct Prediction {
  /// The example's place in its file.
  var index: Int
  /// The class with the largest output.
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

  /// Passes a prediction for each example on, in order.
  func run(_ body: (Prediction) throws -> Void) throws {
    try runBatches(activation: { $0.softmax(axis: 1) }) { index, shares in
      guard !shares.contains(where: \.isNaN) else { throw ModelError.notFinite }
      let label = shares.indices.max { shares[$0] < shares[$1] } ?? shares.startIndex
      try body(Prediction(index: index, label: label - shares.startIndex, probability: Double(shares[label])))
    }
  }

  /// Passes what the model gives for each example on, in order.
  ///
  /// The last batch is filled up with copies of an example, so that all batches run the same plan.
  func runBatches(
    activation: (Tensor) -> Tensor = { $0 }, _ body: (_ index: Int, _ outputs: ArraySlice<Float>) throws -> Void
  ) throws {
    guard count > 0 else { return }
    let size = min(Classifier.batchSize, count)
    for start in stride(from: 0, to: count, by: size) {
      let own = min(size, count - start)
      let batch = try inputs((0..<size).map { Int32($0 < own ? start + $0 : start) })
      let outputs = try withMode(.inference) { try activation(model(batch)).array(of: Float.self) }
      let width = outputs.count / size
      for index in 0..<own { try body(start + index, outputs[index * width..<(index + 1) * width]) }
    }
  }
}
