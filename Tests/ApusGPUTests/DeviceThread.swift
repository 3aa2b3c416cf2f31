import Foundation

/// The actor of the suites of kernels: all of their work is done on one thread.
///
/// The simulator of `.ci/oclgrind-check` keeps what it knows of uninitialized memory for each thread, and crashes where
/// a kernel is launched on another one than the context was made on. The main actor does not keep to a thread: once the
/// main thread waits in `dispatch_main`, its work is done by whichever thread of the pool is free.
@globalActor actor DeviceThread {
  static let shared = DeviceThread()

  private let executor = ThreadExecutor()

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
}

/// Does jobs in their order on a thread of its own, which lives as long as the process.
private final class ThreadExecutor: SerialExecutor {
  private let jobs = JobQueue()

  init() {
    let thread = Thread { [jobs, unowned self] in
      while true { jobs.next().runSynchronously(on: asUnownedSerialExecutor()) }
    }
    thread.name = "device"
    thread.stackSize = 8 << 20
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }
}

/// Jobs that wait, in the order of their arrival.
private final class JobQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []

  func append(_ job: UnownedJob) {
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  func next() -> UnownedJob {
    condition.withLock {
      while jobs.isEmpty { condition.wait() }
      return jobs.removeFirst()
    }
  }
}
