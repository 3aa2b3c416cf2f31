import Glibc

/// Jobs on detached threads, and work that is deferred until the program calls `finish`.
package enum BackgroundWork {
  private static let state = State()

  private final class State: @unchecked Sendable {
    let monitor = Monitor()
    var deferred: [@Sendable () -> Void] = []
    var runningCount = 0
    /// The number of calls that are waiting for the running jobs.
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

  /// Whether `finish` or an exit handler waits for the running jobs. Long jobs read this property and stop early.
  package static var isEnding: Bool { state.monitor.withLock { state.waiterCount > 0 } }

  /// Runs `body` on a new thread, or on the calling thread if no thread can be created. A process that ends by `exit`
  /// or by a return from `main` waits until `body` has returned; `_exit` and signals do not wait.
  package static func start(_ body: @escaping @Sendable () -> Void) {
    state.monitor.withLock { state.runningCount += 1 }
    // Exit handlers run in reverse order of registration, so this handler runs before the handlers that a driver has
    // registered so far.
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

  /// Defers `body` until `finish` is called. A process that does not call `finish` never runs `body`.
  package static func deferUntilFinish(_ body: @escaping @Sendable () -> Void) {
    state.monitor.withLock { state.deferred.append(body) }
  }

  /// Waits for the running jobs, then runs the deferred work.
  ///
  /// A program calls this function before it exits. Deferred work may need the compiler of a driver. An exit handler
  /// would run too late for this work: exit handlers that the driver registers later run earlier, and may tear down
  /// the compiler.
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
