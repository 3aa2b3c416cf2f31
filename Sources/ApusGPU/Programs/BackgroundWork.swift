import ApusDevice
import ApusSystem
import Glibc

/// Detached work, and work that is deferred to the end of the process.
package enum BackgroundWork {
  private static let state = State()

  private final class State: @unchecked Sendable {
    let lock = Lock()
    var rest: [@Sendable () -> Void] = []
  }

  private final class Job {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread, or on the calling thread if no thread can be created.
  static func start(_ body: @escaping @Sendable () -> Void) {
    let job = Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, job.toOpaque())
    if status == 0 {
      pthread_detach(thread)
    } else {
      job.takeRetainedValue().body()
    }
  }

  /// Defers `body` to `finish`.
  static func atExit(_ body: @escaping @Sendable () -> Void) {
    state.lock.withLock { state.rest.append(body) }
  }

  /// Runs the deferred work.
  ///
  /// A program calls this function before it exits. An `atexit` handler would run too late: compilers in drivers may
  /// already have been torn down.
  package static func finish() {
    let bodies = state.lock.withLock { () -> [@Sendable () -> Void] in
      defer { state.rest = [] }
      return state.rest
    }
    for body in bodies { body() }
  }
}
