import ApusTensor
import Glibc

/// Reads and transforms the pictures of an epoch on threads of its own, some batches ahead of who asks for them.
///
/// What comes out is a function of the seed, the epoch and the numbers of the pictures: it has the same bits for any
/// number of threads, and from any batch on. One thread asks at a time.
public final class ImageLoader: @unchecked Sendable {
  /// What is made of the pictures, and by whom.
  public struct Options: Hashable, Sendable {
    /// `[channels, height, width]` of what comes out: 1 channel is grey, 3 are colours, and pictures of the other kind
    /// are converted.
    public var imageSize: [Int]
    /// What is done to each picture; its end must make all sizes equal.
    public var pipeline: ImagePipeline
    /// Where random numbers come from.
    public var seed: UInt64
    /// The number of threads; with 0 who asks does the work.
    public var workers: Int
    /// How many batches are kept in memory ahead of the one that is handed out.
    public var batchesAhead: Int
    /// What becomes of a picture that cannot be read.
    public var badImages: BadImages

    public init(
      imageSize: [Int], pipeline: ImagePipeline = ImagePipeline(), seed: UInt64 = 0, workers: Int = 2,
      batchesAhead: Int = 2, badImages: BadImages = .refused
    ) {
      (self.imageSize, self.pipeline, self.seed) = (imageSize, pipeline, seed)
      (self.workers, self.batchesAhead, self.badImages) = (workers, batchesAhead, badImages)
    }
  }

  /// What becomes of a picture that cannot be read.
  public enum BadImages: Hashable, Sendable {
    /// It is an error.
    case refused
    /// In its place comes the next good one in the order of the epoch, behind the last the first: batches stay full, as
    /// training needs them.
    case replaced
    /// Nothing comes in its place: zeros, and the batch says where. So others are measured alone.
    case leftOut
  }

  /// A picture that could not be read.
  public struct BadImage: Sendable {
    /// What its source calls it.
    public var name: String
    /// What was wrong with it.
    public var error: DataError
  }

  /// Seconds that callers of `next` waited, or worked if there are no threads.
  public private(set) var waitedSeconds = 0.0
  /// How many different pictures could not be read in the batches handed out so far.
  public var badCount: Int { bad.count }
  /// The first of them.
  public private(set) var badImages: [BadImage] = []

  private static let namedBadImages = 10
  private var bad: Set<Int32> = []
  private let ring: LoaderRing
  private var threads: [pthread_t] = []

  /// Starts to read.
  ///
  /// - Parameters:
  ///   - source: the pictures
  ///   - batches: the numbers of the pictures of each batch of the epoch, such as a `MinibatchOrder.Epoch`
  ///   - epoch: the number of the epoch, for random numbers
  ///   - first: the batch to begin with; those ahead of it are not read
  /// - Precondition: `imageSize` has three positive extents, of which the channels are 1 or 3 or those of the pictures;
  ///   all numbers are those of pictures, `first` is in `0 ... batches.count`.
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
    ring = LoaderRing(work, from: first, depth: max(1, options.batchesAhead))
    for _ in 0..<options.workers { startThread() }
  }

  deinit {
    ring.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// The number of threads that could be started.
  public var workerCount: Int { threads.count }

  private func startThread() {
    // The thread keeps the ring alive, never the loader: that one's end is what ends the thread.
    let argument = Unmanaged.passRetained(ring)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        let ring = Unmanaged<LoaderRing>.fromOpaque(argument!).takeRetainedValue()
        while let piece = ring.take() { ring.fill(piece) }
        return nil
      }, argument.toOpaque())
    if status == 0 { threads.append(thread) } else { argument.release() }
  }

  /// The next batch; `nil` behind the last.
  ///
  /// - Throws: what was wrong with a picture of this batch, the first one in its order, or that its pictures take more
  ///   memory than they may. The batch is lost; the one behind it comes next.
  public func next() throws(DataError) -> LoadedBatch? {
    let began = ContinuousClock.seconds
    defer { waitedSeconds += ContinuousClock.seconds - began }
    guard let batch = ring.next(fillsItself: threads.isEmpty) else { return nil }
    note(batch)
    if let error = batch.error { throw error.error }
    guard let pixels = batch.pixels else { fatalError("ImageLoader: a batch without pixels or error") }
    let work = ring.work
    let places = work.bounds[batch.number]..<work.bounds[batch.number + 1]
    let examples = places.map { batch.replacements[$0] ?? work.examples[$0] }
    let missing =
      work.options.badImages == .leftOut ? batch.failures.keys.map { $0 - places.lowerBound }.sorted() : []
    return LoadedBatch(
      number: batch.number, pixels: pixels, imageSize: work.options.imageSize,
      labels: examples.map { work.labels[Int($0)] }, examples: examples, missing: missing, mix: batch.mix,
      source: work.source)
  }

  private func note(_ batch: LoaderRing.Batch) {
    for (_, failures) in batch.failures.sorted(by: { $0.key < $1.key }) {
      for failure in failures where bad.insert(failure.example).inserted {
        guard badImages.count < ImageLoader.namedBadImages else { continue }
        badImages.append(BadImage(name: ring.work.source.name(of: Int(failure.example)), error: failure.error))
      }
    }
  }
}
