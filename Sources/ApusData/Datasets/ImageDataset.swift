/// Labelled images of one size, as they are stored: one byte a value.
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

  /// - Precondition: `pixels` holds `labels.count` images.
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

/// Images to train on and others to test with, in memory or in files.
public struct ImageDataset: Sendable {
  public let name: String
  /// The classes' names, by number.
  public let classNames: [String]
  /// The images to learn from.
  public let train: any ImageSource
  /// The images to choose settings by, if there are such.
  public let validation: (any ImageSource)?
  /// The images to test with.
  public let test: any ImageSource
  /// `[channels, height, width]`, where all images are of one size and in memory.
  public let imageSize: [Int]?
  /// Of the training images, where these are in memory; all images are standardized with it.
  public let statistics: PixelStatistics?

  /// A data set; if its training images are in memory, its statistics are theirs.
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

  /// The same with so many training images, of each class the same share; `nil` or more than there are for all.
  /// Those of one seed are among those of any larger number with it.
  public func learning(from count: Int?, seed: UInt64) -> ImageDataset {
    guard let count, count < train.labels.count else { return self }
    let chosen = NestedSubsets(labels: train.labels, seed: seed).subset(count).sorted()
    return ImageDataset(
      name: name, classNames: classNames, train: train.part(chosen), validation: validation, test: test)
  }

  /// The same with a validation part, if it has none: a share of the training images, of each class the same.
  func holdingOut(_ options: SplitOptions) throws(DataError) -> ImageDataset {
    guard validation == nil, options.validation > 0 else { return self }
    let split = Split(labels: train.labels, SplitOptions(test: 0, validation: options.validation, seed: options.seed))
    guard !split.validation.isEmpty else {
      throw .tooFew(name, "\(train.labels.count) training images leave none for validation")
    }
    return ImageDataset(
      name: name, classNames: classNames, train: train.part(split.train), validation: train.part(split.validation),
      test: test)
  }
}

extension DataError {
  /// There are not enough examples to hold some out.
  static func tooFew(_ path: String, _ reason: String) -> DataError {
    .unsupported(
      path: path, format: "data", reason: reason, remedy: "hold out a larger share, or name data with more examples")
  }
}

/// Mean and standard deviation of the pixels of each channel, scaled to 0...1.
///
/// `mean = Σ v / n`, `standardDeviation = √(Σ (v − mean)² / (n − 1))` with `v = pixel / 255`, over all images
/// and positions, as `torch.std` computes it.
public struct PixelStatistics: Hashable, Sendable {
  /// Of each channel.
  public var mean: [Double]
  /// Of each channel.
  public var standardDeviation: [Double]

  public init(mean: [Double], standardDeviation: [Double]) {
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  /// The statistics of all pixels of some images.
  public init(of images: ImageSet) {
    let area = images.height * images.width
    self.init(
      histograms: images.pixels.withUnsafeBufferPointer { pixels in
        (0..<images.channels).map {
          PixelStatistics.histogram(pixels, from: $0 * area, area, every: images.imageByteCount)
        }
      })
  }

  /// From how often each channel has each of the 256 values: sums over them are exact.
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

  /// How often each of the 256 values comes in `area` pixels in a row, from `start` and from every `step` on.
  static func histogram(
    _ pixels: UnsafeBufferPointer<UInt8>, from start: Int, _ area: Int, every step: Int
  ) -> [Int] {
    // Four tables, because adding twice in a row to the same place waits for the first to be stored.
    var tables = [Int](repeating: 0, count: 4 * 256)
    for image in stride(from: start, to: pixels.count, by: step) {
      for index in image..<image + area { tables[(index & 3) << 8 | Int(pixels[index])] += 1 }
    }
    return (0..<256).map { tables[$0] + tables[256 + $0] + tables[512 + $0] + tables[768 + $0] }
  }
}
