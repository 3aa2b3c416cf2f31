import ApusData
import ApusSystem
import ApusTensor

/// The examples of another source, which threads prepare ahead of training or evaluation.
///
/// Batches come in order, and are the same for any number of threads. Their values are computed before they are
/// returned, on the device that was current when this source was created.
public struct PrefetchedExamples<Source: ExampleSource>: ExampleSource {
  /// The source of the examples. Its methods are called from several threads at a time.
  public let source: Source
  /// The number of threads.
  public let threads: Int
  /// The number of batches that are prepared ahead of the batch in use.
  public let batchesAhead: Int
  private let device: ComputeDevice

  /// - Precondition: there is at least one thread, and at least one batch ahead.
  init(_ source: Source, threads: Int, batchesAhead: Int) {
    guard threads > 0, batchesAhead > 0 else {
      fatalError("PrefetchedExamples: \(threads) threads and \(batchesAhead) batches ahead must be positive")
    }
    (self.source, self.threads, self.batchesAhead, device) = (source, threads, batchesAhead, .current)
  }

  public var count: Int { source.count }

  public func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    try source.examples(numbers)
  }

  public func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    let (source, device) = (source, device)
    let queue = BatchQueue(count: batches.count, from: first, ahead: batchesAhead) { number throws(DataError) in
      // The batch comes from a pass of the source, not from `examples`: in training, examples may differ from epoch to
      // epoch.
      try withDeviceOf(device) { () throws(DataError) in
        var pass = source.pass(over: batches, from: number, epoch: epoch)
        guard let (inputs, targets) = try pass.next() else { fatalError("\(Source.self): a batch is missing") }
        // If the values cannot be computed, the error is thrown again where they are read.
        _ = try? eval([inputs, targets])
        return LoadedExamples(inputs: inputs, targets: targets, missing: pass.missing)
      }
    }
    return PrefetchedPass(queue, threads: threads)
  }
}

extension ExampleSource {
  /// The same examples, which threads prepare ahead of their use.
  /// - Parameters:
  ///   - threads: the number of threads; the batches are the same for any number.
  ///   - batchesAhead: the number of batches that are prepared ahead; `nil` for two per thread.
  public func prefetched(threads: Int = 1, batchesAhead: Int? = nil) -> PrefetchedExamples<Self> {
    PrefetchedExamples(self, threads: threads, batchesAhead: batchesAhead ?? 2 * threads)
  }
}

/// Calls `body` as `withDevice` does, but keeps the type of the error.
private func withDeviceOf<R>(_ device: ComputeDevice, _ body: () throws(DataError) -> R) throws(DataError) -> R {
  try withDevice(device) { () -> Result<R, DataError> in
    do throws(DataError) { return .success(try body()) } catch { return .failure(error) }
  }.get()
}

/// A batch that a thread has prepared.
private struct LoadedExamples {
  let inputs: Tensor
  let targets: Tensor
  /// The positions of the unreadable examples in the batch.
  let missing: [Int]
}

/// A queue of batches that threads prepare, at most `ahead` batches before they are used.
private final class BatchQueue: @unchecked Sendable {
  private let monitor = Monitor()
  private let count: Int
  private let ahead: Int
  private let load: @Sendable (_ number: Int) throws(DataError) -> LoadedExamples
  /// The index of the next batch to prepare (`next`), and of the next batch to hand out (`first`).
  private var next: Int
  private var first: Int
  private var results: [Int: Result<LoadedExamples, DataError>] = [:]
  private var isStopped = false

  init(
    count: Int, from first: Int, ahead: Int,
    _ load: @escaping @Sendable (_ number: Int) throws(DataError) -> LoadedExamples
  ) {
    (self.count, self.ahead, self.load, self.next, self.first) = (count, ahead, load, first, first)
  }

  /// Prepares batches until there are none left, or the queue is stopped.
  func work() {
    while let number = take() {
      let result: Result<LoadedExamples, DataError>
      do throws(DataError) { result = .success(try load(number)) } catch { result = .failure(error) }
      monitor.withLock {
        results[number] = result
        monitor.announce(.result)
      }
    }
  }

  private func take() -> Int? {
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped, next < count {
      if next < first + ahead {
        next += 1
        return next - 1
      }
      monitor.wait(for: .room)
    }
    return nil
  }

  /// Waits for the next batch and returns it; `nil` after the last.
  func handOut() throws(DataError) -> LoadedExamples? {
    guard first < count else { return nil }
    monitor.lock()
    defer { monitor.unlock() }
    while true {
      if let result = results.removeValue(forKey: first) {
        first += 1
        monitor.announce(.room)
        return try result.get()
      }
      monitor.wait(for: .result)
    }
  }

  func stop() {
    monitor.withLock {
      isStopped = true
      monitor.announce(.room)
    }
  }
}

/// A pass over prefetched batches; its deinitialization stops the threads.
private final class PrefetchedPass: ExamplePass {
  private let queue: BatchQueue
  private var threads: [WorkerThread] = []
  private(set) var waitedSeconds = 0.0
  private(set) var missing: [Int] = []

  init(_ queue: BatchQueue, threads count: Int) {
    self.queue = queue
    for _ in 0..<count { startThread() }
  }

  deinit {
    queue.stop()
    for thread in threads { thread.join() }
  }

  private func startThread() {
    do throws(WorkerThreadError) {
      // The thread retains the queue, not the pass: otherwise the `deinit` of the pass, which ends the thread, would
      // never run.
      threads.append(try WorkerThread { [queue] in queue.work() })
    } catch {
      // Without any thread, `handOut()` would wait forever.
      guard !threads.isEmpty else { fatalError("PrefetchedExamples: no thread can be started: error \(error.code)") }
    }
  }

  func next() throws(DataError) -> (inputs: Tensor, targets: Tensor)? {
    let began = ContinuousClock.seconds
    defer { waitedSeconds += ContinuousClock.seconds - began }
    guard let batch = try queue.handOut() else { return nil }
    missing = batch.missing
    return (batch.inputs, batch.targets)
  }
}
