import Glibc

/// Work that nobody waits for but the end of the process.
enum BackgroundWork {
  private static let state = State()

  private final class State: @unchecked Sendable {
    let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    let isIdle = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    var running = 0

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(isIdle, nil)
      atexit { BackgroundWork.finish() }
    }
  }

  private final class Job {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a thread of its own; on this one where there is none to be had.
  static func start(_ body: @escaping @Sendable () -> Void) {
    pthread_mutex_lock(state.mutex)
    state.running += 1
    pthread_mutex_unlock(state.mutex)
    let job = Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().body()
        BackgroundWork.noteEnd()
        return nil
      }, job.toOpaque())
    if status == 0 {
      pthread_detach(thread)
    } else {
      job.takeRetainedValue().body()
      noteEnd()
    }
  }

  /// Waits for all work under way.
  static func finish() {
    pthread_mutex_lock(state.mutex)
    while state.running > 0 { pthread_cond_wait(state.isIdle, state.mutex) }
    pthread_mutex_unlock(state.mutex)
  }

  private static func noteEnd() {
    pthread_mutex_lock(state.mutex)
    state.running -= 1
    if state.running == 0 { pthread_cond_broadcast(state.isIdle) }
    pthread_mutex_unlock(state.mutex)
  }
}
