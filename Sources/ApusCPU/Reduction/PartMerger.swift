import ApusDevice
import ApusCSIMD
import ApusSystem

/// Adds partial results in order: `result = parts[0] + parts[1] + …`; each part has `count` elements.
struct PartMerger {
  private let count: Int
  private let parts: Int
  private let lane: Lane
  private let add: csimd_loop
  private static let grain = TaskLimits.elementCount

  init(count: Int, parts: Int, lane: Lane, _ builder: StepBuilder) throws(DeviceError) {
    self.count = count
    self.parts = parts
    self.lane = lane
    add = try builder.row(.add, lane)
  }

  /// - Parameter partials: the parts, contiguous and in order.
  func merge(
    _ context: borrowing RunContext, _ partials: UnsafeMutableRawPointer,
    into result: UnsafeMutableRawPointer
  ) {
    let size = lane.byteCount
    context.pool.run(ceilDivide(count, Self.grain)) { task, _ in
      let range = blockRange(task, size: Self.grain, count: count)
      let target = result + range.lowerBound * size
      target.copyMemory(from: partials + range.lowerBound * size, byteCount: range.count * size)
      withUnsafeTemporaryAllocation(of: csimd_operand.self, capacity: 2) { operands in
        operands[0] = csimd_operand(data: target, step: 1)
        for part in 1..<max(1, parts) {
          operands[1] = csimd_operand(data: partials + (part * count + range.lowerBound) * size, step: 1)
          add(range.count, target, operands.baseAddress, nil)
        }
      }
    }
  }
}
