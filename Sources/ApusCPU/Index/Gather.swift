import ApusDevice
import ApusCSIMD
import ApusSystem

/// `result[o, j, i] = source[o, indices[o, j, i], i]`.
final class GatherStep: CPUStep {
  private let step: Gather
  private let indices: IndexReader
  private let names: [String]

  init(_ step: Gather, _ builder: StepBuilder, names: [String]) {
    self.step = step
    self.names = names
    indices = IndexReader(step.indices, extent: step.extent, builder)
  }

  func run(_ context: borrowing RunContext) throws(DeviceError) {
    let rows = step.outer * step.count
    guard rows > 0, step.inner > 0 else { return }
    let failures = FailureFlags(workers: context.pool.threadCount)
    let (source, result) = (context.address(step.source), context.address(step.result))
    let base = context.address(indices.value)
    let grain = max(1, TaskLimits.elementCount / step.inner)
    context.pool.run(ceilDivide(rows, grain)) { task, worker in
      let range = blockRange(task, size: grain, count: rows)
      if !copy(range, from: source, at: base, to: result) { failures.raise(worker) }
    }
    if failures.isRaised {
      throw indices.failure(step.indexList, base, names)
    }
  }

  /// Copies rows of `step.inner` elements to the result. A row is copied as bytes if it has a single index and more
  /// than 8 elements, and element by element otherwise. Returns `false` if an index is out of range.
  private func copy(
    _ rows: Range<Int>, from source: UnsafeMutableRawPointer, at base: UnsafeMutableRawPointer,
    to result: UnsafeMutableRawPointer
  ) -> Bool {
    if indices.servesRows && step.inner > 8 { return copyLong(rows, from: source, at: base, to: result) }
    return switch step.dtype.byteCount {
    case 1: copyElements(rows, from: source, at: base, to: result, as: UInt8.self)
    case 2: copyElements(rows, from: source, at: base, to: result, as: UInt16.self)
    case 4: copyElements(rows, from: source, at: base, to: result, as: UInt32.self)
    default: copyElements(rows, from: source, at: base, to: result, as: UInt64.self)
    }
  }

  private func copyLong(
    _ rows: Range<Int>, from source: UnsafeMutableRawPointer, at base: UnsafeMutableRawPointer,
    to result: UnsafeMutableRawPointer
  ) -> Bool {
    let byteCount = step.inner * step.dtype.byteCount
    var isFine = true
    for row in rows {
      let (outer, entry) = row.quotientAndRemainder(dividingBy: step.count)
      guard let index = indices.read(base, indices.position(outer, entry)) else {
        isFine = false
        continue
      }
      (result + row * byteCount).copyMemory(
        from: source + (outer * step.extent + index) * byteCount, byteCount: byteCount)
    }
    return isFine
  }

  @inline(__always)
  private func copyElements<T: BitwiseCopyable>(
    _ rows: Range<Int>, from source: UnsafeMutableRawPointer, at base: UnsafeMutableRawPointer,
    to result: UnsafeMutableRawPointer, as type: T.Type
  ) -> Bool {
    let (inner, stride) = (step.inner, indices.layout.strides[2])
    let steps = indices.servesRows ? 0 : stride
    var to = result.assumingMemoryBound(to: T.self) + rows.lowerBound * inner
    var isFine = true
    for row in rows {
      let (outer, entry) = row.quotientAndRemainder(dividingBy: step.count)
      let from = source.assumingMemoryBound(to: T.self) + outer * step.extent * inner
      let first = indices.position(outer, entry)
      for i in 0..<inner {
        if let index = indices.read(base, first + i * steps) {
          to[i] = from[index * inner + i]
        } else {
          isFine = false
        }
      }
      to += inner
    }
    return isFine
  }
}
