import Glibc

/// A lock with two condition variables.
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let conditions = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 2)

  /// The events that threads wait for: room for another item in a queue, or a finished result.
  package enum Event: Int {
    case room = 0
    case result = 1
  }

  package init() {
    pthread_mutex_init(mutex, nil)
    for event in 0..<2 { pthread_cond_init(conditions + event, nil) }
  }

  deinit {
    for event in 0..<2 { pthread_cond_destroy(conditions + event) }
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }
  package func unlock() { pthread_mutex_unlock(mutex) }

  /// Releases the lock, which the caller holds, until another thread announces the event, then acquires it again.
  /// Spurious wake-ups are possible.
  package func wait(for event: Event) { pthread_cond_wait(conditions + event.rawValue, mutex) }

  /// Wakes up all threads that wait for an event.
  package func announce(_ event: Event) { pthread_cond_broadcast(conditions + event.rawValue) }

  /// Runs `body` while no other thread holds the lock.
  package func withLock<R>(_ body: () -> R) -> R {
    lock()
    defer { unlock() }
    return body()
  }
}
