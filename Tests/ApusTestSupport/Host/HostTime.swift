import Glibc

/// Microseconds of processor time that one call of `body` takes on the calling thread: the least over `samples`
/// stretches of `count` calls, so that other work on the machine does not count.
public func hostMicroseconds(count: Int = 200, samples: Int = 20, _ body: () throws -> Void) rethrows -> Double {
  for _ in 0..<count { try body() }
  var least = Double.infinity
  for _ in 0..<samples {
    let start = threadMicroseconds()
    for _ in 0..<count { try body() }
    least = min(least, (threadMicroseconds() - start) / Double(count))
  }
  return least
}

/// Milliseconds of processor time that `body` takes on the calling thread.
public func threadMilliseconds(_ body: () throws -> Void) rethrows -> Double {
  let start = threadMicroseconds()
  try body()
  return (threadMicroseconds() - start) / 1e3
}

private func threadMicroseconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}
