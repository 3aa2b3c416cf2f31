import ApusDevice
import ApusSystem

/// Copies the rows of `rows` into `result`: `result[indices[j], i] = rows[j, i]`. Skips rows whose index is out of
/// range.
final class RowWriteStep: CPUStep {
  private let step: RowWrite
  private let indices: IndexReader

  init(_ step: RowWrite, _ builder: StepBuilder) {
    self.step = step
    indices = IndexReader(step.indices, extent: step.extent, builder)
  }

  func run(_ context: borrowing RunContext) {
    guard step.count > 0, step.inner > 0 else { return }
    let (rows, result) = (context.address(step.rows), context.address(step.result))
    let base = context.address(indices.value)
    let byteCount = step.inner * step.dtype.byteCount
    let grain = max(1, TaskLimits.elementCount / step.inner)
    context.pool.run(ceilDivide(step.count, grain)) { task, _ in
      for row in blockRange(task, size: grain, count: step.count) {
        guard let index = indices.read(base, indices.position(0, row)) else { continue }
        (result + index * byteCount).copyMemory(from: rows + row * byteCount, byteCount: byteCount)
      }
    }
  }
}
