import Glibc

/// Work that is not waited for, and work that is left for the end of the process.
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

  /// Runs `body` on a thread of its own; on this one where there is none to be had.
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

  /// Leaves `body` for `finish`.
  static func atEnd(_ body: @escaping @Sendable () -> Void) {
    state.lock.lock()
    state.rest.append(body)
    state.lock.unlock()
  }

  /// Runs what was left for the end.
  ///
  /// A program calls it before it exits. A function given to `atexit` would not do: by then compilers in drivers may
  /// have torn down what they need.
  package static func finish() {
    state.lock.lock()
    let bodies = state.rest
    state.rest = []
    state.lock.unlock()
    for body in bodies { body() }
  }
}
