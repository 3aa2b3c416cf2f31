import ApusDevice
import ApusCSIMD
import ApusSystem

/// A cumulative sum or product along the middle axis of `[outer, extent, inner]`. A task scans a block of at most
/// `width` positions of the inner axis, a few lines at a time. A line consists of the block's elements at one position
/// of the middle axis.
final class ScanStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Scan
  private let scan: csimd_scan
  private let load: csimd_load
  private let store: csimd_store
  /// Elements of the inner axis per task.
  private let width: Int
  /// The number of lines that fit into an L1 cache: a multiple of `SumCascade.chain`, as `csimd_scan` requires.
  private let lineCount: Int
  private static let maximumWidth = 256
  private static let cachedCount = 4096

  init(_ step: Scan, _ builder: StepBuilder) throws(DeviceError) {
    self.step = step
    let table = builder.loops.pointee
    let lane = step.dtype.lane
    let isProduct = step.combine == .product
    guard isProduct || step.combine == .sum else {
      throw .buildFailed(device: "cpu", kernel: "scan", log: "there is no scan with \(step.combine)")
    }
    scan = lane.entry(of: isProduct ? table.scan_product : table.scan_sum)
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    store = csimd_find_store(builder.loops, Int32(step.dtype.rawValue))
    width = max(1, min(step.inner, Self.maximumWidth))
    let chain = SumCascade.chain
    lineCount = min(
      roundUp(step.extent, toMultipleOf: chain), max(chain, Self.cachedCount / width / chain * chain))
    workspaceByteCount = (lineCount + Int(CSIMD_SCAN_LINES)) * width * lane.byteCount + 64
  }

  func run(_ context: borrowing RunContext) {
    guard step.outer * step.extent * step.inner > 0 else { return }
    let (source, result) = (context.address(step.source), context.address(step.result))
    let workspaces = context.workspaces
    let blocks = ceilDivide(step.inner, width)
    context.pool.run(step.outer * blocks) { task, worker in
      let (outer, block) = task.quotientAndRemainder(dividingBy: blocks)
      run(outer, block, source, result, workspaces[worker])
    }
  }

  /// Scans the lines of a block of the inner axis. Elements of narrow types, such as `float16`, are combined in their
  /// lane (arithmetic type), and rounded when they are stored.
  private func run(
    _ outer: Int, _ block: Int, _ source: UnsafeMutableRawPointer, _ result: UnsafeMutableRawPointer,
    _ workspace: UnsafeMutableRawPointer
  ) {
    let (size, laneSize) = (step.dtype.byteCount, step.dtype.lane.byteCount)
    let count = min(width, step.inner - block * width)
    let state = workspace
    let values = workspace + Int(CSIMD_SCAN_LINES) * width * laneSize
    for earlier in stride(from: 0, to: step.extent, by: lineCount) {
      let lines = min(lineCount, step.extent - earlier)
      let line = step.isReversed ? step.extent - earlier - lines : earlier
      let first = (outer * step.extent + line) * step.inner + block * width
      // If lines cover the whole inner axis, there are no gaps between them, so one call loads or stores all of them.
      let (pieces, length) = count == step.inner ? (1, lines * count) : (lines, count)
      for piece in 0..<pieces {
        load(length, values + piece * count * laneSize, source + (first + piece * step.inner) * size, 1)
      }
      scan(lines, count, values, step.isReversed ? 1 : 0, state, Int64(earlier))
      for piece in 0..<pieces {
        store(length, result + (first + piece * step.inner) * size, 1, values + piece * count * laneSize, 0)
      }
    }
  }
}
