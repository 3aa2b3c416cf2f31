import ApusDevice
import CSIMD

/// A running sum or product along the middle axis of `[outer, extent, inner]`.
final class ScanStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Scan
  private let scan: csimd_scan
  private let load: csimd_load
  private let store: csimd_store
  /// Neighbours along the inner axis that a task takes along.
  private let width: Int
  private static let maximumWidth = 256

  init(_ step: Scan, _ builder: StepBuilder) throws(DeviceError) {
    self.step = step
    let table = builder.loops.pointee
    let lane = step.dtype.lane
    let isProduct = step.combine == "product"
    guard isProduct || step.combine == "sum" else {
      throw .buildFailed(device: "cpu", kernel: "scan", log: "there is no running \(step.combine)")
    }
    scan = lane.entry(of: isProduct ? table.scan_product : table.scan_sum)
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    store = csimd_find_store(builder.loops, Int32(step.dtype.rawValue))
    width = min(step.inner, Self.maximumWidth)
    workspaceByteCount = (step.extent + 1) * max(1, width) * lane.byteCount + 64
  }

  func run(_ context: borrowing RunContext) {
    guard step.outer * step.extent * step.inner > 0 else { return }
    let (source, result) = (context.address(step.source), context.address(step.result))
    let workspaces = context.workspaces
    let blocks = (step.inner + width - 1) / width
    let size = step.dtype.byteCount
    let laneSize = step.dtype.lane.byteCount
    // Narrow types are combined in their lane and rounded when stored.
    context.pool.run(step.outer * blocks) { task, worker in
      let (outer, block) = task.quotientAndRemainder(dividingBy: blocks)
      let count = min(width, step.inner - block * width)
      let first = outer * step.extent * step.inner + block * width
      let values = workspaces[worker]
      let lines = count == step.inner ? 1 : step.extent
      let length = count == step.inner ? step.extent * count : count
      for line in 0..<lines {
        load(length, values + line * count * laneSize, source + (first + line * step.inner) * size, 1)
      }
      scan(step.extent, count, values, step.isReversed ? 1 : 0)
      for line in 0..<lines {
        store(length, result + (first + line * step.inner) * size, 1, values + line * count * laneSize, 0)
      }
    }
  }
}
