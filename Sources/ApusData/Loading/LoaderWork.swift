/// The images of an epoch, and their conversion to pixels. The pixels do not depend on threads or timing.
struct LoaderWork: Sendable {
  let source: any ImageSource
  let options: ImageLoader.Options
  let epoch: Int
  /// The indices of the images of the epoch, in the order in which they are loaded.
  let examples: [Int32]
  /// The start of each batch in `examples`, then the end of the last batch.
  let bounds: [Int]
  let labels: [Int32]
  /// For each position in `examples`, how often its image occurs at earlier positions; empty if no image occurs twice.
  private let repetitions: [Int32]
  /// The source, if its images can be copied from memory unchanged; otherwise `nil`.
  private let planes: ImageSet?

  /// An image that cannot be read.
  struct Failure {
    var example: Int32
    var error: DataError
  }

  init(
    _ source: any ImageSource, _ batches: some Sequence<some Sequence<Int32>>, epoch: Int,
    _ options: ImageLoader.Options
  ) {
    (self.source, self.options, self.epoch) = (source, options, epoch)
    var examples: [Int32] = []
    var bounds = [0]
    for batch in batches {
      examples += batch
      bounds.append(examples.count)
    }
    labels = source.labels
    var counts = [Int32](repeating: 0, count: labels.count)
    var repetitions: [Int32] = []
    for example in examples {
      guard counts.indices.contains(Int(example)) else {
        fatalError("ImageLoader: example \(example) of \(labels.count)")
      }
      repetitions.append(counts[Int(example)])
      counts[Int(example)] += 1
    }
    self.repetitions = counts.contains { $0 > 1 } ? repetitions : []
    (self.examples, self.bounds) = (examples, bounds)
    let set = source as? ImageSet
    planes = options.pipeline.transforms.isEmpty && set?.imageSize == options.imageSize ? set : nil
  }

  var batchCount: Int { bounds.count - 1 }

  /// The number of bytes of an image after its conversion.
  var imageByteCount: Int { options.imageSize.reduce(1, *) }

  private var size: ImageSize { ImageSize(height: options.imageSize[1], width: options.imageSize[2]) }

  /// The number of images that a thread takes from the queue at a time. It is larger if images are only copied, so that
  /// threads access the queue less often.
  var imagesPerPiece: Int { planes == nil ? 4 : 256 }

  /// The number of consecutive unreadable images after which the search for a replacement ends.
  private static let longestSearch = 100

  /// Writes the image of a position in `examples`.
  ///
  /// If the image cannot be read, `options.badImages` decides. With `.refused`, the error is thrown. With `.replaced`,
  /// the next readable image in epoch order, cyclically, is written. Its transforms use the random numbers of the
  /// unreadable image. After 100 unreadable images, or if all are unreadable, the last error is thrown. With
  /// `.leftOut`, zeros are written.
  ///
  /// - Returns: the index of the image that was written (with `.leftOut`, of the unreadable image), and the images that
  ///   could not be read.
  func load(_ position: Int, to target: UnsafeMutablePointer<UInt8>) throws(DataError) -> (Int32, [Failure]) {
    var failures: [Failure] = []
    while true {
      let example = examples[(position + failures.count) % examples.count]
      do throws(DataError) {
        try write(example, position: position, to: target)
        return (example, failures)
      } catch {
        guard options.badImages != .refused else { throw error }
        failures.append(Failure(example: example, error: error))
        if options.badImages == .leftOut {
          target.update(repeating: 0, count: imageByteCount)
          return (example, failures)
        }
        guard failures.count < min(LoaderWork.longestSearch, examples.count) else { throw error }
      }
    }
  }

  /// Allocates the memory of a batch.
  /// - Throws: when the batches in memory exceed the limit of `DataBudget`, or when the allocation fails.
  func pixels(count: Int) throws(DataError) -> PixelBuffer {
    let path = examples.first.map { source.name(of: Int($0)) } ?? "data"
    let bytes = try options.byteCount(ofBatch: count, source: path)
    guard let pixels = PixelBuffer(count: bytes) else {
      throw .tooLarge(source: path, reason: "not enough memory for a batch", remedy: ImageLoader.Options.remedy)
    }
    return pixels
  }

  private func write(_ example: Int32, position: Int, to target: UnsafeMutablePointer<UInt8>) throws(DataError) {
    if let planes {
      planes.pixels.withUnsafeBufferPointer { source in
        target.update(from: source.baseAddress! + Int(example) * imageByteCount, count: imageByteCount)
      }
      return
    }
    let channels = options.imageSize[0]
    var image = try source.image(Int(example))
    let isKnown = image.channels == 1 || image.channels == 3
    guard image.channels == channels || isKnown, isKnown || options.pipeline.transforms.isEmpty else {
      throw unfit(example, "it has \(image.channels) channels", "use images with 1 or 3 channels")
    }
    if channels == 1 { image = image.converted(toChannels: 1) }
    let repetition = repetitions.isEmpty ? 0 : Int(repetitions[position])
    var random = ImageRandom(
      seed: options.seed, epoch: epoch, example: Int(examples[position]), repetition: repetition)
    options.pipeline.apply(to: &image, random: &random)
    guard image.size == size else {
      throw unfit(
        example, "it is \(image.height)x\(image.width), but \(size.height)x\(size.width) is needed",
        "add resize or a crop to the transforms")
    }
    image.writePlanes(channels, to: target)
  }

  private func unfit(_ example: Int32, _ reason: String, _ remedy: String) -> DataError {
    .unsupported(path: source.name(of: Int(example)), format: "image", reason: reason, remedy: remedy)
  }

  /// Selects how the images of a batch are mixed (mixup or cutmix); `nil` without mixing.
  func mix(_ batch: Int) -> MixPlan? {
    let ways = options.pipeline.mixing
    guard !ways.isEmpty else { return nil }
    var random = ImageRandom(seed: options.seed, epoch: epoch, batch: batch)
    let way = ways[random.integer(below: ways.count)]
    return MixPlan(way, count: bounds[batch + 1] - bounds[batch], size, random: &random)
  }
}

extension ImageLoader.Options {
  static let remedy = "use smaller images or a smaller batch"

  /// The number of bytes of a batch of `count` images.
  /// - Throws: when the batches of a loader, the prefetched ones and the returned one, exceed the memory limit.
  @discardableResult
  package func byteCount(ofBatch count: Int, source: String) throws(DataError) -> Int {
    let held = max(1, batchesAhead) + 1
    let all = (imageSize + [count, held]).reduce(Int?(1)) { product, extent in
      product.map { $0.multipliedReportingOverflow(by: extent) }.flatMap { $0.overflow ? nil : $0.partialValue }
    }
    try DataBudget.check(
      all, of: "\(held) batches of \(count) images of \(imageSize.map(String.init).joined(separator: "x"))",
      source: source, remedy: ImageLoader.Options.remedy)
    return (all ?? 0) / held
  }
}
