import Foundation

/// The actor of the kernel test suites, which runs all of their work on one thread.
///
/// The simulator of `.ci/oclgrind-check` tracks uninitialized memory per thread, and crashes if a kernel is launched on
/// another thread than the one that created the context. The main actor is not bound to one thread: once the main
/// thread waits in `dispatch_main`, any free thread of the pool runs the actor's work.
@globalActor actor DeviceThread {
  static let shared = DeviceThread()

  private let executor = ThreadExecutor()

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
}

/// Runs jobs in order on one thread, which exists as long as the process.
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

/// Waiting jobs, in the order of their arrival.
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
