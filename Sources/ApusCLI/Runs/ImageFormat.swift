import Apus

/// What a model has to know of the images it was trained with, to take others: kept in checkpoints.
struct ImageFormat: Hashable, Sendable {
  /// `[channels, height, width]`
  var size: [Int]
  var classNames: [String]
  /// Of the training images; all others are standardized with it.
  var statistics: PixelStatistics

  init(_ images: ImageDataset.Stored, classNames: [String]) {
    size = images.train.imageSize
    self.classNames = classNames
    statistics = images.statistics
  }

  var json: JSON {
    [
      "size": .array(size.map { .integer($0) }), "classes": .array(classNames.map { .string($0) }),
      "mean": .array(statistics.mean.map { .number($0) }),
      "standard_deviation": .array(statistics.standardDeviation.map { .number($0) }),
    ]
  }

  /// - Returns: `nil` when something is missing or does not fit together.
  init?(_ json: JSON?) {
    guard let size = json?["size"]?.array?.compactMap(\.integer), size.count == 3, size.allSatisfy({ $0 > 0 }),
      let classNames = json?["classes"]?.array?.compactMap(\.string), !classNames.isEmpty,
      let mean = json?["mean"]?.array?.compactMap(\.number), mean.count == size[0],
      let deviation = json?["standard_deviation"]?.array?.compactMap(\.number), deviation.count == size[0]
    else { return nil }
    self.size = size
    self.classNames = classNames
    statistics = PixelStatistics(mean: mean, standardDeviation: deviation)
  }

  /// The name of a class; its number when the model has more outputs than the data had classes.
  func className(_ index: Int) -> String { index < classNames.count ? classNames[index] : String(index) }

  /// Refuses images of another size than those that the model was trained with.
  func check(_ channels: Int, _ height: Int, _ width: Int, _ path: String) throws(DataError) {
    guard size == [channels, height, width] else {
      throw .unsupported(
        path: path, format: "image",
        reason: "images of \(channels)x\(height)x\(width), the model takes "
          + size.map(String.init).joined(separator: "x"),
        remedy: "name images of that size, or train a model for these")
    }
  }
}

extension ImageDataset {
  /// Images in memory, all of one size.
  struct Stored {
    var train: ImageSet
    var test: ImageSet
    var statistics: PixelStatistics
  }

  /// The images, if they are in memory.
  func stored(_ source: String) throws(DataError) -> Stored {
    guard let train = train as? ImageSet, let test = test as? ImageSet, let statistics, imageSize != nil else {
      throw .unsupported(
        path: source, format: "data", reason: "its images are in files and may differ in size",
        remedy: "name images of one size, such as fashion-mnist")
    }
    return Stored(train: train, test: test, statistics: statistics)
  }
}
