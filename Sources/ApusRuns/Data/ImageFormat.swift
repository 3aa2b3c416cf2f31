import Apus

/// The format of the images that a model was trained on. Checkpoints store it to prepare other images in the same way.
public struct ImageFormat: Hashable, Sendable {
  /// How images become inputs.
  package var reading: ImageReading
  package var classNames: [String]
  /// The statistics of the training images, with which all images are standardized.
  package var statistics: PixelStatistics

  package init(_ reading: ImageReading, classNames: [String], statistics: PixelStatistics) {
    self.reading = reading
    self.classNames = classNames
    self.statistics = statistics
  }

  /// The size of an input, `[channels, height, width]`.
  package var size: [Int] { reading.size }

  public var json: JSON {
    var object: JSONObject = [
      "size": .array(size.map { .integer($0) }), "classes": .array(classNames.map { .string($0) }),
      "mean": .array(statistics.mean.map { .number($0) }),
      "standard_deviation": .array(statistics.standardDeviation.map { .number($0) }),
    ]
    if !reading.transform.isEmpty { object["transform"] = .string(reading.transform.description) }
    return .object(object)
  }

  /// - Returns: `nil` when a member is missing or inconsistent.
  public init?(_ json: JSON?) {
    guard let size = json?["size"]?.array?.compactMap(\.integer), json?["size"]?.array?.count == 3,
      ImageFormat.isPossible(size),
      let classNames = json?["classes"]?.array?.compactMap(\.string), !classNames.isEmpty,
      let mean = json?["mean"]?.array?.compactMap(\.number), mean.count == size[0], mean.allSatisfy(\.isFinite),
      let deviation = json?["standard_deviation"]?.array?.compactMap(\.number), deviation.count == size[0],
      deviation.allSatisfy({ $0.isFinite && $0 > 0 }),
      let transform = try? ImagePipeline(parsing: json?["transform"]?.string ?? "")
    else { return nil }
    reading = ImageReading(size: size, transform: transform)
    self.classNames = classNames
    statistics = PixelStatistics(mean: mean, standardDeviation: deviation)
  }

  /// Whether a size is in the supported range. A size from a checkpoint is not trusted, and extents that are too large
  /// would overflow when the shapes of the model are computed.
  private static func isPossible(_ size: [Int]) -> Bool {
    size.count == 3 && (1...4096).contains(size[0]) && size[1...].allSatisfy((1...65_536).contains)
  }
}

extension ImageFormat {
  /// The format of a data set, with the statistics of its training images.
  package static func reading(
    _ data: ImageDataset, _ settings: RunSettings, _ network: ImageNetwork
  ) throws(DataError) -> ImageFormat {
    let reading = try ImageReading(settings.image, for: network, own: data.imageSize, source: settings.data)
    let known = reading.isDirect(data.train) ? data.statistics : nil
    let options = reading.options(settings.image)
    if known == nil {
      // Throws if a batch exceeds the memory limit. This check comes first, because computing the statistics reads
      // thousands of images.
      let count = min(settings.batchSize.count ?? .max, data.train.labels.count)
      try options.byteCount(ofBatch: count, source: settings.data)
    }
    let statistics = if let known { known } else { try PixelStatistics(of: data.train, options: options) }
    return ImageFormat(reading, classNames: data.classNames, statistics: statistics)
  }

  /// The format of a data set, made without reading its images. Since the statistics of the pixels are not known, the
  /// format has a mean of 0 and a standard deviation of 1.
  package static func planned(
    _ data: ImageDataset, _ settings: RunSettings, _ network: ImageNetwork
  ) throws(DataError) -> ImageFormat {
    let reading = try ImageReading(settings.image, for: network, own: data.imageSize, source: settings.data)
    let channels = reading.size[0]
    return ImageFormat(
      reading, classNames: data.classNames,
      statistics: PixelStatistics(
        mean: Array(repeating: 0, count: channels), standardDeviation: Array(repeating: 1, count: channels)))
  }

  /// The images as examples for evaluation. If the images are in memory and need no transform, all of them are copied
  /// to the device. Otherwise they are read in batches.
  package func examples(_ source: any ImageSource, _ settings: ImageSettings) -> any ExampleSource {
    if let images = source as? ImageSet, reading.isDirect(images) {
      return LoadedImages(images, statistics: statistics)
    }
    return StreamedImages(
      source, evaluation: reading.options(settings), statistics: statistics, classCount: classNames.count)
  }

  /// The images as examples for training, with augmentation.
  func trainingExamples(_ source: any ImageSource, _ settings: RunSettings) throws(DataError) -> any ExampleSource {
    let image = settings.image
    guard !image.augmentation.isEmpty else { return examples(source, image) }
    let pipeline = try reading.training(image.augmentation, source: settings.data)
    return StreamedImages(
      source, training: reading.options(image, pipeline, seed: RunSeeds(settings.seed).augmentation),
      evaluation: reading.options(image), statistics: statistics, classCount: classNames.count)
  }

  /// The format that prepares images of individual files. If the model was trained on images without a transform, files
  /// with one image are resized to the input size, and images in IDX files are used as they are.
  package func fitting(_ images: any ImageSource) -> ImageFormat {
    guard !(images is ImageSet), reading.transform.isEmpty else { return self }
    var format = self
    format.reading.transform = ImagePipeline([Resize(ImageSize(height: size[1], width: size[2]))])
    return format
  }

  /// Throws if the format has no transform and all images have one size that is not the size of the model's inputs.
  /// - Parameter own: the size of all images, `[channels, height, width]`; `nil` if they differ in size.
  package func check(_ own: [Int]?, _ path: String) throws(DataError) {
    guard let own, reading.transform.isEmpty, own != size else { return }
    func text(_ size: [Int]) -> String { size.map(String.init).joined(separator: "x") }
    throw .unsupported(
      path: path, format: "image", reason: "images of \(text(own)), but the model takes \(text(size))",
      remedy: "use images of \(text(size)), or train a model for images of \(text(own))")
  }
}
