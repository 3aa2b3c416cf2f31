import ApusSystem

/// The queue of batches that worker threads fill, at most `depth` batches ahead of the consumer, which calls `next`.
/// The threads take pieces of the batches in order.
final class LoaderQueue: @unchecked Sendable {
  let work: LoaderWork
  private let monitor = Monitor()
  /// The largest number of batches that are being filled or wait for the consumer.
  private let depth: Int
  private var batches: [Batch]
  /// The number of the next batch that `next` returns.
  private var first: Int
  /// The number of the batch of the next piece of work.
  private var current: Int
  /// The position in the epoch at which the next piece of work begins.
  private var position: Int
  private var isStopped = false

  /// A batch that is being filled.
  final class Batch {
    let number: Int
    /// `nil` when the allocation failed; then `error` is set.
    let pixels: PixelBuffer?
    var mix: MixPlan?
    /// The number of images that are not loaded yet.
    var rest: Int
    var isDone = false
    /// For each position in the epoch whose image is unreadable: the index of the image that replaces it or, if no
    /// image replaces it, the index of the unreadable image itself.
    var replacements: [Int: Int32] = [:]
    /// For each of these positions: the unreadable image, and the candidates for its replacement that were unreadable
    /// too.
    var failures: [Int: [LoaderWork.Failure]] = [:]
    /// The error with the lowest position in the epoch.
    var error: (position: Int, error: DataError)?

    init(number: Int, count: Int, _ work: LoaderWork) {
      (self.number, rest) = (number, count)
      do throws(DataError) {
        pixels = try work.pixels(count: count)
      } catch {
        pixels = nil
        self.error = (.min, error)
      }
    }
  }

  /// A range of positions of a batch, which one thread fills.
  struct Piece {
    var batch: Batch
    var positions: Range<Int>
  }

  init(_ work: LoaderWork, from first: Int, depth: Int) {
    (self.work, self.first, self.depth) = (work, first, depth)
    (current, position) = (first, work.bounds[first])
    batches = []
  }

  /// Waits for the next piece of work; `nil` when none is left, or after `stop`.
  func take() -> Piece? {
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped, current < work.batchCount {
      if current < first + depth { return nextPiece() }
      monitor.wait(for: .room)
    }
    return nil
  }

  private func nextPiece() -> Piece {
    let (start, end) = (work.bounds[current], work.bounds[current + 1])
    if position == start {
      let count = end - start
      let batch = Batch(number: current, count: count, work)
      batches.append(batch)
    }
    let piece = Piece(batch: batches[current - first], positions: position..<min(position + work.imagesPerPiece, end))
    position = piece.positions.upperBound
    if position == end { current += 1 }
    return piece
  }

  /// Loads the images of a piece.
  func fill(_ piece: Piece) {
    guard let pixels = piece.batch.pixels else { return finish(piece) }
    let start = work.bounds[piece.batch.number]
    for position in piece.positions where !monitor.withLock({ isStopped }) {
      let target = pixels.start + (position - start) * work.imageByteCount
      do throws(DataError) {
        let (example, failures) = try work.load(position, to: target)
        guard !failures.isEmpty else { continue }
        monitor.withLock {
          piece.batch.replacements[position] = example
          piece.batch.failures[position] = failures
        }
      } catch {
        monitor.withLock {
          if piece.batch.error.map({ position < $0.position }) ?? true { piece.batch.error = (position, error) }
        }
      }
    }
    finish(piece)
  }

  private func finish(_ piece: Piece) {
    let batch = piece.batch
    let isLast = monitor.withLock {
      batch.rest -= piece.positions.count
      return batch.rest == 0
    }
    guard isLast else { return }
    // No other thread accesses the batch any more.
    if batch.error == nil, let pixels = batch.pixels, let mix = work.mix(batch.number) {
      let size = work.options.imageSize
      mix.exchange(pixels.start, channels: size[0], ImageSize(height: size[1], width: size[2]))
      batch.mix = mix
    }
    monitor.withLock {
      batch.isDone = true
      monitor.announce(.result)
    }
  }

  /// Waits for the next batch; `nil` after the last one, or after `stop`.
  /// - Parameter fillsItself: whether the calling thread fills the batch, because there are no worker threads
  func next(fillsItself: Bool) -> Batch? {
    if fillsItself {
      while monitor.withLock({ first < work.batchCount && current == first }), let piece = take() { fill(piece) }
    }
    monitor.lock()
    defer { monitor.unlock() }
    guard first < work.batchCount, !isStopped else { return nil }
    while batches.first?.isDone != true { monitor.wait(for: .result) }
    first += 1
    monitor.announce(.room)
    return batches.removeFirst()
  }

  /// Ends all work: `take` returns `nil` to every thread.
  func stop() {
    monitor.withLock {
      isStopped = true
      monitor.announce(.room)
    }
  }
}
