import ApusDevice
import ApusCSIMD

/// Threads, including the calling thread, that share the numbered tasks of one job.
///
/// The split of work into tasks may depend on the number of threads. The order of summation never does, so results do
/// not depend on the number of threads.
final class ThreadPool: @unchecked Sendable {
  let threadCount: Int
  private let pool: OpaquePointer

  init(threadCount: Int) throws(DeviceError) {
    guard let pool = csimd_pool_open(threadCount) else {
      throw .unavailable(
        device: "cpu",
        reason: "\(threadCount) threads could not be started; set APUS_THREADS to a smaller number")
    }
    self.threadCount = threadCount
    self.pool = pool
  }

  deinit { csimd_pool_close(pool) }

  /// Calls `body` with each task index below `count`, and with the index of the worker that makes the call. Worker
  /// indices are also below `count`.
  func run(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
    guard count > 1 else {
      if count == 1 { body(0, 0) }
      return
    }
    withoutActuallyEscaping(body) { escaping in
      let job = Job(escaping)
      csimd_pool_run(
        pool, count,
        { context, index, worker in
          Unmanaged<Job>.fromOpaque(context!)._withUnsafeGuaranteedRef { $0.body(index, worker) }
        }, Unmanaged.passUnretained(job).toOpaque())
      withExtendedLifetime(job) {}
    }
  }

  /// Stores the closure as a constant property of a class. For a call of such a property, the optimizer does not retain
  /// the context of the closure. With retains, the workers would contend for one reference count.
  private final class Job {
    let body: (_ index: Int, _ worker: Int) -> Void

    init(_ body: @escaping (_ index: Int, _ worker: Int) -> Void) { self.body = body }
  }
}
