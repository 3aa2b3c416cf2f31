import ApusSystem

/// Reads and transforms the images of an epoch on worker threads, some batches ahead of the consumer.
///
/// The bits of a batch do not depend on the number of threads or on the batch with which the loader begins. Only one
/// thread may call `next` at a time.
public final class ImageLoader: @unchecked Sendable {
  /// The image size, the transforms and the threads of a loader.
  public struct Options: Hashable, Sendable {
    /// `[channels, height, width]` of the loaded images: 1 channel is gray, 3 channels are RGB. An image with 1 or 3
    /// channels is converted to this number of channels.
    public var imageSize: [Int]
    /// The transforms of each image; they must produce images of one size.
    public var pipeline: ImagePipeline
    /// The seed of all random numbers.
    public var seed: UInt64
    /// The number of threads; with 0, the caller of `next` does the work.
    public var workers: Int
    /// The largest number of batches that are loaded ahead of the consumer; 0 counts as 1.
    public var batchesAhead: Int
    /// How to handle an image that cannot be read.
    public var badImages: BadImages

    public init(
      imageSize: [Int], pipeline: ImagePipeline = ImagePipeline(), seed: UInt64 = 0, workers: Int = 2,
      batchesAhead: Int = 2, badImages: BadImages = .refused
    ) {
      (self.imageSize, self.pipeline, self.seed) = (imageSize, pipeline, seed)
      (self.workers, self.batchesAhead, self.badImages) = (workers, batchesAhead, badImages)
    }
  }

  /// How to handle an image that cannot be read. This includes images with an unsupported number of channels, and
  /// images that do not have the height and width of `imageSize` after the transforms.
  public enum BadImages: Hashable, Sendable {
    /// The image causes an error.
    case refused
    /// The next readable image in epoch order, cyclically, replaces the image. Batches stay full, as training requires.
    /// If 100 images in a row, or all images of the epoch, cannot be read, the last of them causes an error.
    case replaced
    /// Zeros replace the image, and `LoadedBatch.missing` has the index of the image in the batch. Evaluation then
    /// covers the readable images alone.
    case leftOut
  }

  /// An image that could not be read.
  public struct BadImage: Sendable {
    /// The name of the image in its source.
    public var name: String
    /// The error that reading it caused.
    public var error: DataError
  }

  /// The seconds that all calls of `next` took: waiting for the threads, or loading if there are no threads.
  public private(set) var waitedSeconds = 0.0
  /// The number of distinct unreadable images in the batches returned so far.
  public var badCount: Int { bad.count }
  /// The first unreadable images, at most 10.
  public private(set) var badImages: [BadImage] = []

  private static let namedBadImages = 10
  private var bad: Set<Int32> = []
  private let queue: LoaderQueue
  private var threads: [WorkerThread] = []

  /// Starts to load the batches.
  ///
  /// - Parameters:
  ///   - source: the images to which the indices in `batches` refer
  ///   - batches: the indices of the images of each batch of the epoch, for example a `MinibatchOrder.Epoch`
  ///   - epoch: the number of the epoch, on which random numbers depend
  ///   - first: the batch to begin with; earlier batches are not read
  /// - Precondition: `imageSize` has three positive extents; its channels are 1, 3 or the channels of the images. All
  ///   indices are valid, and `first` is in `0 ... batches.count`.
  public init(
    _ source: any ImageSource, batches: some Collection<some Collection<Int32>>, epoch: Int, from first: Int = 0,
    options: Options
  ) {
    guard options.imageSize.count == 3, options.imageSize.allSatisfy({ $0 > 0 }), options.workers >= 0 else {
      fatalError("ImageLoader: size \(options.imageSize), \(options.workers) workers")
    }
    let work = LoaderWork(source, batches, epoch: epoch, options)
    guard (0...work.batchCount).contains(first) else {
      fatalError("ImageLoader: batch \(first) of \(work.batchCount)")
    }
    queue = LoaderQueue(work, from: first, depth: max(1, options.batchesAhead))
    for _ in 0..<options.workers { startThread() }
  }

  deinit {
    queue.stop()
    for thread in threads { thread.join() }
  }

  /// The number of threads that could be started.
  public var workerCount: Int { threads.count }

  private func startThread() {
    // The thread retains the queue, not the loader: otherwise the `deinit` of the loader, which ends the thread, would
    // never run.
    let thread = try? WorkerThread { [queue] in
      while let piece = queue.take() { queue.fill(piece) }
    }
    if let thread { threads.append(thread) }
  }

  /// The next batch; `nil` after the last one.
  ///
  /// - Throws: the first error that an image of this batch causes (`BadImages`), or an error if the images exceed the
  ///   memory limit. After an error this batch is lost, and the next call returns the following batch.
  public func next() throws(DataError) -> LoadedBatch? {
    let began = ContinuousClock.seconds
    defer { waitedSeconds += ContinuousClock.seconds - began }
    guard let batch = queue.next(fillsItself: threads.isEmpty) else { return nil }
    note(batch)
    if let error = batch.error { throw error.error }
    guard let pixels = batch.pixels else { fatalError("ImageLoader: a batch without pixels or error") }
    let work = queue.work
    let positions = work.bounds[batch.number]..<work.bounds[batch.number + 1]
    let examples = positions.map { batch.replacements[$0] ?? work.examples[$0] }
    let missing =
      work.options.badImages == .leftOut ? batch.failures.keys.map { $0 - positions.lowerBound }.sorted() : []
    return LoadedBatch(
      number: batch.number, pixels: pixels, imageSize: work.options.imageSize,
      labels: examples.map { work.labels[Int($0)] }, examples: examples, missing: missing, mix: batch.mix,
      source: work.source)
  }

  private func note(_ batch: LoaderQueue.Batch) {
    for (_, failures) in batch.failures.sortedArray(by: { $0.key < $1.key }) {
      for failure in failures where bad.insert(failure.example).inserted {
        guard badImages.count < ImageLoader.namedBadImages else { continue }
        badImages.append(BadImage(name: queue.work.source.name(of: Int(failure.example)), error: failure.error))
      }
    }
  }
}
