import ApusDevice
import ApusSystem

/// Runs an elementwise program on one or more segments. A segment is an index space (domain) with its own operands
/// (`Binding`). The split into tasks depends only on the shapes.
final class ElementwiseStep: CPUStep, RowwiseStep {
  let workspaceByteCount: Int
  private let kernels: [Kernel]
  /// The index of each kernel's first task, followed by the number of all tasks.
  private let firstTasks: [Int]
  /// The estimated cost of `kernels`: the sum of each kernel's number of elements times the cost of one element.
  let weight: Int
  /// Segments that only copy elements, from arrays that are contiguous along another axis than the result.
  private let transposes: [Transposition]
  /// Segments that only copy elements, in contiguous rows.
  private let rowCopies: [RowCopy]
  /// Kernels of other segments with arguments that are contiguous along another axis than the results.
  private let tiled: [TiledKernel]

  init(_ step: Elementwise, _ builder: StepBuilder) throws(DeviceError) {
    var kernels: [Kernel] = []
    var firstTasks = [0]
    var transposes: [Transposition] = []
    var rowCopies: [RowCopy] = []
    var tiled: [TiledKernel] = []
    var workspace = 0
    for segment in step.segments where segment.domain.elementCount > 0 {
      if let copy = PlainCopy(step.program, segment, builder) {
        if let transpose = Transposition(copy, builder) {
          transposes.append(transpose)
          workspace = max(workspace, transpose.workspaceByteCount)
          continue
        }
        if let rowCopy = RowCopy(copy, builder) {
          rowCopies.append(rowCopy)
          continue
        }
      }
      let kernel = try Kernel(
        step.program, domain: segment.domain, arguments: segment.arguments, results: segment.results,
        builder)
      if let kernel = TiledKernel(kernel, segment) {
        tiled.append(kernel)
        workspace = max(workspace, kernel.workspaceByteCount)
        continue
      }
      firstTasks.append(firstTasks[kernels.count] + ceilDivide(kernel.count, kernel.grain))
      kernels.append(kernel)
    }
    self.kernels = kernels
    self.firstTasks = firstTasks
    self.transposes = transposes
    self.rowCopies = rowCopies
    self.tiled = tiled
    weight = kernels.reduce(0) { $0 + $1.count * $1.weight }
    workspaceByteCount = max(workspace, kernels.map(\.workspaceByteCount).max() ?? 0)
  }

  func run(_ context: borrowing RunContext) {
    for transpose in transposes { transpose.run(context) }
    for copy in rowCopies { copy.run(context) }
    for kernel in tiled { kernel.run(context) }
    let (frame, workspaces) = (context.frame, context.workspaces)
    if weight <= TaskLimits.weight {
      for kernel in kernels { kernel.run(0..<kernel.count, frame, workspace: workspaces[0]) }
      return
    }
    context.pool.run(firstTasks[kernels.count]) { index, worker in
      let number = kernelNumber(ofTask: index)
      let kernel = kernels[number]
      let range = blockRange(index - firstTasks[number], size: kernel.grain, count: kernel.count)
      kernel.run(range, frame, workspace: workspaces[worker])
    }
  }

  // MARK: - Rows

  /// Whether the step is one kernel that can run on any range of its domain.
  var isWhole: Bool { kernels.count == 1 && tiled.isEmpty }

  func run(
    rows: Range<Int>, of rowCount: Int, _ frame: RunFrame, workspace: UnsafeMutableRawPointer,
    shared: UnsafeMutableRawPointer
  ) {
    for kernel in kernels {
      let width = kernel.count / rowCount
      kernel.run((rows.lowerBound * width)..<(rows.upperBound * width), frame, workspace: workspace)
    }
  }

  func keepInCache(_ values: Set<Int>) { for kernel in kernels { kernel.keepInCache(values) } }

  /// The last kernel whose first task is at or before `index`.
  private func kernelNumber(ofTask index: Int) -> Int {
    (0..<kernels.count).partitionPoint { firstTasks[$0] <= index } - 1
  }
}
