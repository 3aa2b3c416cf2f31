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

/// Runs a model over images or texts.
struct Classifier {
  let model: any Layer
  /// The number of examples.
  let count: Int
  /// The examples with some numbers.
  let inputs: ([Int32]) throws -> Tensor

  private static let batchSize = 256

  /// Passes a prediction for each example on, in order.
  ///
  /// The last batch is filled up with copies of an example, so that all batches run the same plan.
  func run(_ body: (Prediction) throws -> Void) throws {
    guard count > 0 else { return }
    let size = min(Classifier.batchSize, count)
    for start in stride(from: 0, to: count, by: size) {
      let own = min(size, count - start)
      let batch = try inputs((0..<size).map { Int32($0 < own ? start + $0 : start) })
      let shares = try withMode(.inference) { try model(batch).softmax(axis: 1).array(of: Float.self) }
      guard !shares.contains(where: \.isNaN) else { throw ModelError.notFinite }
      let classes = shares.count / size
      for index in 0..<own {
        let row = shares[index * classes..<(index + 1) * classes]
        let label = row.indices.max { row[$0] < row[$1] }! - row.startIndex
        try body(
          Prediction(index: start + index, label: label, probability: Double(row[row.startIndex + label])))
      }
    }
  }
}
