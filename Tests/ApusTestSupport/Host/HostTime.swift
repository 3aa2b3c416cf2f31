import Glibc

/// The cost of one call of `body` on the calling thread, in units of a fixed workload of the same kind: small linked
/// objects, and a table in which they are looked up. It is the median over `samples` intervals in which `body` and the
/// workload alternate, so that it depends neither on the machine nor on its load. A unit takes about 1 µs.
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
