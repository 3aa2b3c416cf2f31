import ApusDevice
import CSIMD

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
    let grain = max(1, 16384 / step.inner)
    context.pool.run((rows + grain - 1) / grain) { task, worker in
      for row in (task * grain)..<min((task + 1) * grain, rows) {
        let isDone =
          indices.servesRows
          ? copyRow(row, source, base, result) : copyElements(row, source, base, result)
        if !isDone { failures.raise(worker) }
      }
    }
    if failures.isRaised {
      throw .indexOutOfRange(device: "cpu", operation: names.joined(separator: ", "))
    }
  }

  private func copyRow(
    _ row: Int, _ source: UnsafeMutableRawPointer, _ base: UnsafeMutableRawPointer,
    _ result: UnsafeMutableRawPointer
  ) -> Bool {
    let (outer, place) = row.quotientAndRemainder(dividingBy: step.count)
    guard let index = indices.read(base, indices.position(outer, place)) else { return false }
    let byteCount = step.inner * step.dtype.byteCount
    (result + row * byteCount).copyMemory(
      from: source + (outer * step.extent + index) * byteCount, byteCount: byteCount)
    return true
  }

  private func copyElements(
    _ row: Int, _ source: UnsafeMutableRawPointer, _ base: UnsafeMutableRawPointer,
    _ result: UnsafeMutableRawPointer
  ) -> Bool {
    switch step.dtype.byteCount {
    case 1: copyElements(row, source, base, result, as: UInt8.self)
    case 2: copyElements(row, source, base, result, as: UInt16.self)
    case 4: copyElements(row, source, base, result, as: UInt32.self)
    default: copyElements(row, source, base, result, as: UInt64.self)
    }
  }

  @inline(__always)
  private func copyElements<T: BitwiseCopyable>(
    _ row: Int, _ source: UnsafeMutableRawPointer, _ base: UnsafeMutableRawPointer,
    _ result: UnsafeMutableRawPointer, as type: T.Type
  ) -> Bool {
    let (outer, place) = row.quotientAndRemainder(dividingBy: step.count)
    let from = source.assumingMemoryBound(to: T.self) + outer * step.extent * step.inner
    let to = result.assumingMemoryBound(to: T.self) + row * step.inner
    var position = indices.position(outer, place)
    for i in 0..<step.inner {
      guard let index = indices.read(base, position) else { return false }
      to[i] = from[index * step.inner + i]
      position += indices.layout.strides[2]
    }
    return true
  }
}
