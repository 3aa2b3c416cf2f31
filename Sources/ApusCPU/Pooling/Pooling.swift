import ApusDevice
import ApusCSIMD
import ApusSystem

/// Pooling, one plane (one channel of one image) at a time.
final class PoolingStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Pooling
  private let lane: Lane
  private let loops: UnsafePointer<csimd_table>
  private let load: csimd_load
  private let epilogue: EpilogueKernel
  private let windows: csimd_windows
  /// The number of elements of a plane of the operand `left`, of the operand `right` (0 if there is none) and of the
  /// result.
  private let leftSize: Int
  private let rightSize: Int
  private let resultSize: Int
  private let grain: Int
  private let scratchByteCount: Int

  init(_ step: Pooling, _ builder: StepBuilder) throws(DeviceError) {
    self.step = step
    lane = step.dtype.lane
    loops = builder.loops
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    epilogue = try EpilogueKernel(step.epilogue, lanes: [lane], builder)
    func extents(_ v: SIMD3<Int>) -> (Int, Int, Int) { (v.x, v.y, v.z) }
    windows = csimd_windows(
      channels: 1, input: extents(step.input), kernel: extents(step.window),
      output: extents(step.output), stride: extents(step.stride), padding: extents(step.padding),
      dilation: extents(step.dilation))
    let (inputSize, outputSize) = (step.input.wrappedProduct, step.output.wrappedProduct)
    let isAverageBackward = step.kind == .average && step.pass == .backward
    leftSize = isAverageBackward ? outputSize : inputSize
    rightSize = step.pass == .select ? inputSize : step.right == nil ? 0 : outputSize
    resultSize = step.pass == .backward ? inputSize : outputSize
    grain = max(1, TaskLimits.elementCount / max(1, outputSize * step.window.wrappedProduct + inputSize))
    scratchByteCount = roundUp(step.output.z * 16, toMultipleOf: 64)
    let converted = step.dtype.isLane ? 0 : leftSize + rightSize
    workspaceByteCount =
      scratchByteCount + (converted + (epilogue.hasTarget ? 0 : grain * resultSize)) * lane.byteCount + 256
      + epilogue.workspaceByteCount
  }

  var taskCount: Int { ceilDivide(step.planes, grain) }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let (frame, workspaces) = (context.frame, context.workspaces)
    let left = context.address(step.left)
    let right = step.right.map { frame.values[$0]! }
    let resultBase = epilogue.target(frame)
    context.pool.run(taskCount) { task, worker in
      let planes = blockRange(task, size: grain, count: step.planes)
      var workspace = workspaces[worker]
      let scratch = workspace
      workspace += scratchByteCount
      var core = workspace
      if let resultBase {
        core = resultBase + planes.lowerBound * resultSize * lane.byteCount
      } else {
        workspace += roundUp(planes.count * resultSize * lane.byteCount, toMultipleOf: 64)
      }
      for (number, plane) in planes.enumerated() {
        pool(
          plane, of: left, and: right, to: core + number * resultSize * lane.byteCount, scratch: scratch,
          workspace: workspace
        )
      }
      let range = (planes.lowerBound * resultSize)..<(planes.upperBound * resultSize)
      epilogue.run(range, core: core, frame, workspace: workspace)
    }
  }

  private func pool(
    _ plane: Int, of left: UnsafeMutableRawPointer, and right: UnsafeMutableRawPointer?,
    to result: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer, workspace: UnsafeMutableRawPointer
  ) {
    let first = converted(left, plane, leftSize, workspace)
    let second = right.map { converted($0, plane, rightSize, workspace + leftSize * lane.byteCount) }
    let counts: Int32 = step.countsPadding ? 1 : 0
    withUnsafePointer(to: windows) { windows in
      switch (step.kind, step.pass) {
      case (.maximum, .forward): lane.entry(of: loops.pointee.pool_maximum)(windows, first, result)
      case (.maximum, .backward):
        lane.entry(of: loops.pointee.pool_maximum_gradient)(windows, first, second!, result, scratch)
      case (.maximum, .select): lane.entry(of: loops.pointee.pool_selection)(windows, first, second!, result, scratch)
      case (.average, .backward):
        lane.entry(of: loops.pointee.pool_average_gradient)(windows, first, counts, result, scratch)
      case (.average, _): lane.entry(of: loops.pointee.pool_average)(windows, first, counts, result, scratch)
      }
    }
  }

  /// Returns a plane in the type of the arithmetic (the lane), converted into `scratch` if necessary.
  private func converted(
    _ base: UnsafeMutableRawPointer, _ plane: Int, _ size: Int, _ scratch: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    let source = base + plane * size * step.dtype.byteCount
    guard !step.dtype.isLane else { return source }
    load(size, scratch, source, 1)
    return scratch
  }
}
