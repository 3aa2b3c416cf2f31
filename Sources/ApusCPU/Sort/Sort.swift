import ApusDevice
import ApusCSIMD
import ApusSystem

/// A stable argsort of each row: a radix sort of integer keys that have the same order as the values.
final class SortStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Sort
  private let load: csimd_load

  init(_ step: Sort, _ builder: StepBuilder) {
    self.step = step
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    // Two arrays of keys and positions: each pass of the radix sort moves a row from one to the other.
    workspaceByteCount = step.columns * 32 + 64
  }

  /// Rows per task.
  private var grain: Int { max(1, 4096 / max(1, step.columns)) }
  var taskCount: Int { ceilDivide(step.rows, grain) }

  func run(_ context: borrowing RunContext) {
    guard step.columns > 0 else { return }
    let (source, result) = (context.address(step.source), context.pointer(step.result, as: Int64.self))
    let workspaces = context.workspaces
    let grain = grain
    let rowByteCount = step.columns * step.dtype.byteCount
    context.pool.run(taskCount) { task, worker in
      let workspace = workspaces[worker].assumingMemoryBound(to: UInt64.self)
      for row in blockRange(task, size: grain, count: step.rows) {
        load(step.columns, workspace, source + row * rowByteCount, 1)
        csimd_sort(
          Int32(step.dtype.lane.rawValue), step.isDescending ? 1 : 0, step.columns, workspace,
          result + row * step.columns)
      }
    }
  }
}
