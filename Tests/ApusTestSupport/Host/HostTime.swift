import Glibc

/// The processor time of one call of `body`, in units of a fixed workload. A unit creates 8 small linked objects and
/// looks them up in a dictionary, in about 1 µs. The result is the median of `samples` measurements. In each
/// measurement, `count` calls of `body` and `10·count` units run one after the other, so that the machine and its load
/// have little effect on the result.
public func hostUnits(count: Int = 200, samples: Int = 21, _ body: () throws -> Void) rethrows -> Double {
  for _ in 0..<count { try body() }
  var check = 0
  let ratios = try (0..<samples).map { _ in
    let start = threadMicroseconds()
    for _ in 0..<count { try body() }
    let middle = threadMicroseconds()
    for unit in 0..<(10 * count) { check += unitOfWork(unit) }
    return 10 * (middle - start) / (threadMicroseconds() - middle)
  }
  precondition(check == samples * 10 * count * 28)
  return ratios.sorted()[samples / 2]
}

private final class Cell {
  let next: Cell?
  let numbers: [Int]
  init(_ next: Cell?, _ numbers: [Int]) { (self.next, self.numbers) = (next, numbers) }
}

private func unitOfWork(_ seed: Int) -> Int {
  var table: [Int: Cell] = [:]
  var last: Cell?
  for index in 0..<8 {
    let cell = Cell(last, [index, seed])
    table[seed + index] = cell
    last = index == 3 ? nil : cell
  }
  return (0..<8).reduce(0) { $0 + table[seed + $1]!.numbers[0] }
}

/// The processor time of `body` on the calling thread, in milliseconds.
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
