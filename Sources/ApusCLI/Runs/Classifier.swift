import Apus

/// What a model takes an image for.
struct Prediction {
  /// The image's place in its file.
  var index: Int
  /// The class with the largest output.
  var label: Int
  /// Its share: `softmax(outputs)[label]`.
  var probability: Double
}

/// Runs a model over images.
struct Classifier {
  let model: Sequential
  let format: ImageFormat
  let images: ImageSet

  private static let batchSize = 256

  /// Passes a prediction for each image on, in order.
  ///
  /// The last batch is filled up with copies of an image, so that all batches run the same plan.
  func run(_ body: (Prediction) throws -> Void) throws {
    guard images.count > 0 else { return }
    let loaded = LoadedImages(images, statistics: format.statistics)
    let size = min(Classifier.batchSize, images.count)
    for start in stride(from: 0, to: images.count, by: size) {
      let count = min(size, images.count - start)
      let batch = loaded.batch((0..<size).map { Int32($0 < count ? start + $0 : start) })
      let shares = try withMode(.inference) { try model(batch.images).softmax(axis: 1).array(of: Float.self) }
      let classes = shares.count / size
      for index in 0..<count {
        let own = shares[index * classes..<(index + 1) * classes]
        let label = own.indices.max { own[$0] < own[$1] }! - own.startIndex
        try body(
          Prediction(index: start + index, label: label, probability: Double(own[own.startIndex + label])))
      }
    }
  }
}
