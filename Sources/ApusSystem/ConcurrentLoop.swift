/// Calls `body` for each index from 0 to `count` − 1, on at most `threadCount` threads, including the calling thread.
/// Returns when all calls have returned.
package func concurrentLoop(_ count: Int, threadCount: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let state = ConcurrentLoop(count: count)
  let helpers = min(threadCount, count) - 1
  for _ in 0..<max(helpers, 0) { BackgroundWork.start { state.run(body) } }
  state.run(body)
  state.monitor.lock()
  defer { state.monitor.unlock() }
  while state.done < count { state.monitor.wait(for: .result) }
}

private final class ConcurrentLoop: @unchecked Sendable {
  let monitor = Monitor()
  let count: Int
  /// The next index, and how many calls have returned; the monitor guards both.
  private var next = 0
  private(set) var done = 0

  init(count: Int) { self.count = count }

  func run(_ body: (Int) -> Void) {
    while let index = take() {
      body(index)
      monitor.withLock {
        done += 1
        if done == count { monitor.announce(.result) }
      }
    }
  }

  private func take() -> Int? {
    monitor.withLock {
      guard next < count else { return nil }
      next += 1
      return next - 1
    }
  }
}
