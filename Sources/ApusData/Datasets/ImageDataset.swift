/// Labeled images of one size, stored with one byte per value.
public struct ImageSet: Sendable {
  /// The number of channels of each image.
  public let channels: Int
  /// The extent of the vertical axis.
  public let height: Int
  /// The extent of the horizontal axis.
  public let width: Int
  /// `[count, channels, height, width]`, row-major.
  public let pixels: [UInt8]
  /// The class of each image.
  public let labels: [Int32]

  /// - Precondition: `pixels` contains `labels.count` images.
  public init(channels: Int, height: Int, width: Int, pixels: [UInt8], labels: [Int32]) {
    guard pixels.count == labels.count * channels * height * width else {
      fatalError(
        "ImageSet: \(pixels.count) values for \(labels.count) images of [\(channels), \(height), \(width)]")
    }
    self.channels = channels
    self.height = height
    self.width = width
    self.pixels = pixels
    self.labels = labels
  }

  /// The number of images.
  public var count: Int { labels.count }
  /// The number of values of one image.
  public var imageByteCount: Int { channels * height * width }
  /// `[channels, height, width]`
  public var imageSize: [Int] { [channels, height, width] }
}

/// The training, validation and test images of a data set, in memory or in files.
public struct ImageDataset: Sendable {
  public let name: String
  /// The class names, indexed by class number.
  public let classNames: [String]
  /// The training images.
  public let train: any ImageSource
  /// The validation images, if there are any.
  public let validation: (any ImageSource)?
  /// The images on which a model is measured at the end of training and, without validation images, after each epoch.
  public let test: any ImageSource
  /// `[channels, height, width]` when all images have one size and are in memory; else `nil`.
  public let imageSize: [Int]?
  /// The pixel statistics of the training images, with which all images are standardized; `nil` when the training
  /// images are not in memory.
  public let statistics: PixelStatistics?

  /// Creates a data set, and computes its statistics if the training images are in memory.
  public init(
    name: String, classNames: [String], train: any ImageSource, validation: (any ImageSource)? = nil,
    test: any ImageSource
  ) {
    self.name = name
    self.classNames = classNames
    self.train = train
    self.validation = validation
    self.test = test
    let sizes = [train, validation, test].compactMap(\.self).map { ($0 as? ImageSet)?.imageSize }
    imageSize = sizes.allSatisfy { $0 == sizes[0] } ? sizes[0] : nil
    statistics = (train as? ImageSet).map { PixelStatistics(of: $0) }
  }

  /// The data set with at most `count` training images: about the same fraction of each class is kept. `nil` keeps all
  /// training images. With the same seed, a smaller subset is contained in every larger one.
  public func limitingTraining(to count: Int?, seed: UInt64) -> ImageDataset {
    guard let count, count < train.labels.count else { return self }
    let chosen = NestedSubsets(labels: train.labels, seed: seed).subset(count).sorted()
    return ImageDataset(
      name: name, classNames: classNames, train: train.part(chosen), validation: validation, test: test)
  }

  /// The same data set if it has a validation split, or if `options` requests no validation split. Otherwise one is
  /// added: about the same fraction of each class is held out of the training images.
  func holdingOut(_ options: SplitOptions) throws(DataError) -> ImageDataset {
    guard validation == nil, options.validation > 0 else { return self }
    let split = Split(labels: train.labels, SplitOptions(test: 0, validation: options.validation, seed: options.seed))
    guard !split.validation.isEmpty else {
      throw .tooFew(name, "\(train.labels.count) training images are too few to hold out some for validation")
    }
    return ImageDataset(
      name: name, classNames: classNames, train: train.part(split.train), validation: train.part(split.validation),
      test: test)
  }
}

extension DataError {
  /// The error for data with too few examples to hold some out.
  static func tooFew(_ path: String, _ reason: String) -> DataError {
    .unsupported(
      path: path, format: "data", reason: reason, remedy: "hold out a larger share, or use data with more examples")
  }
}

/// Mean and standard deviation of each channel, for pixel values that are scaled to 0...1.
///
/// `mean = Σ v / n` and `standardDeviation = √(Σ (v − mean)² / (n − 1))`, where `v = pixel / 255`. The sums are over
/// the `n` pixels of a channel in all images. `torch.std` computes the same deviation for two pixels or more; for a
/// single pixel, `torch.std` gives NaN, and this type gives 0.
public struct PixelStatistics: Hashable, Sendable {
  /// The mean of each channel.
  public var mean: [Double]
  /// The standard deviation of each channel.
  public var standardDeviation: [Double]

  public init(mean: [Double], standardDeviation: [Double]) {
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  /// Computes the statistics over all pixels of a set of images.
  public init(of images: ImageSet) {
    let area = images.height * images.width
    self.init(
      histograms: images.pixels.withUnsafeBufferPointer { pixels in
        (0..<images.channels).map {
          PixelStatistics.histogram(pixels, from: $0 * area, area, every: images.imageByteCount)
        }
      })
  }

  /// Computes the statistics from one 256-bin histogram per channel; the sums of the pixels are exact integers.
  init(histograms: [[Int]]) {
    mean = []
    standardDeviation = []
    for histogram in histograms {
      let count = Double(histogram.reduce(0, +))
      let sum = histogram.enumerated().reduce(0) { $0 + $1.offset * $1.element }
      let mean = Double(sum) / 255 / count
      let squares = histogram.enumerated().reduce(0.0) {
        let deviation = Double($1.offset) / 255 - mean
        return $0 + deviation * deviation * Double($1.element)
      }
      self.mean.append(mean)
      standardDeviation.append(count > 1 ? (squares / (count - 1)).squareRoot() : 0)
    }
  }

  /// The 256-bin histogram of the blocks of `area` pixels that begin at `start`, `start + step`, `start + 2 · step`, …
  static func histogram(
    _ pixels: UnsafeBufferPointer<UInt8>, from start: Int, _ area: Int, every step: Int
  ) -> [Int] {
    // The pixels are counted in four tables in turn. Neighboring pixels are often equal: with one table, an increment
    // would often wait until the previous increment of the same counter is stored.
    var tables = [Int](repeating: 0, count: 4 * 256)
    for image in stride(from: start, to: pixels.count, by: step) {
      for index in image..<image + area { tables[(index & 3) << 8 | Int(pixels[index])] += 1 }
    }
    return (0..<256).map { tables[$0] + tables[256 + $0] + tables[512 + $0] + tables[768 + $0] }
  }
}
