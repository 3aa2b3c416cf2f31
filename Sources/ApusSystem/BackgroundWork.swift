import Glibc

/// Work on detached threads, and work that is deferred to the end of the process.
package enum BackgroundWork {
  private static let state = State()

  private final class State: @unchecked Sendable {
    let monitor = Monitor()
    var deferred: [@Sendable () -> Void] = []
    var runningCount = 0
    /// The number of calls that wait for the jobs at the moment.
    var waiterCount = 0
  }

  private final class Job {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func run() {
      body()
      state.monitor.withLock { state.runningCount -= 1 }
      state.monitor.announce(.result)
    }
  }

  /// Whether the process is about to end and waits for the jobs. Long jobs read this property and stop early.
  package static var isEnding: Bool { state.monitor.withLock { state.waiterCount > 0 } }

  /// Runs `body` on a new thread, or on the calling thread if no thread can be created. The process does not end before
  /// `body` has returned.
  package static func start(_ body: @escaping @Sendable () -> Void) {
    state.monitor.withLock { state.runningCount += 1 }
    // Exit handlers run in reverse order of registration, so this one runs before the handlers of a driver that the job
    // uses.
    atexit { BackgroundWork.waitForJobs() }
    let job = Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, job.toOpaque())
    if status == 0 {
      pthread_detach(thread)
    } else {
      job.takeRetainedValue().run()
    }
  }

  /// Defers `body` until `finish` is called.
  package static func atExit(_ body: @escaping @Sendable () -> Void) {
    state.monitor.withLock { state.deferred.append(body) }
  }

  /// Waits for the running jobs, then runs the deferred work.
  ///
  /// A program calls this function before it exits. An exit handler would run too late for deferred work: compilers in
  /// drivers may already have been torn down.
  package static func finish() {
    waitForJobs()
    let bodies = state.monitor.withLock { () -> [@Sendable () -> Void] in
      defer { state.deferred = [] }
      return state.deferred
    }
    for body in bodies { body() }
  }

  private static func waitForJobs() {
    state.monitor.withLock {
      state.waiterCount += 1
      while state.runningCount > 0 { state.monitor.wait(for: .result) }
      state.waiterCount -= 1
    }
  }
}
