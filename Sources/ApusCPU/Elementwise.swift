import ApusDevice

/// A program over its segments, cut into tasks by shape.
final class ElementwiseStep: CPUStep {
  let workspaceByteCount: Int
  private let kernels: [Kernel]
  /// The number of each kernel's first task, then that of all tasks.
  private let firstTasks: [Int]
  private let isSmall: Bool
  /// Segments that only move numbers.
  private let transposes: [Transposition]
  private let rowCopies: [RowCopy]

  init(_ step: Elementwise, _ builder: StepBuilder) throws(DeviceError) {
    var kernels: [Kernel] = []
    var firstTasks = [0]
    var transposes: [Transposition] = []
    var rowCopies: [RowCopy] = []
    for segment in step.segments where segment.domain.elementCount > 0 {
      if let transpose = Transposition(step.program, segment, builder) {
        transposes.append(transpose)
        continue
      }
      if let copy = RowCopy(step.program, segment, builder) {
        rowCopies.append(copy)
        continue
      }
      let kernel = try Kernel(
        step.program, domain: segment.domain, arguments: segment.arguments, results: segment.results,
        builder)
      firstTasks.append(firstTasks[kernels.count] + (kernel.count + kernel.grain - 1) / kernel.grain)
      kernels.append(kernel)
    }
    self.kernels = kernels
    self.firstTasks = firstTasks
    self.transposes = transposes
    self.rowCopies = rowCopies
    isSmall = kernels.reduce(0) { $0 + $1.count * $1.weight } <= 65536
    workspaceByteCount = kernels.map(\.workspaceByteCount).max() ?? 0
  }

  func run(_ context: borrowing RunContext) {
    for transpose in transposes { transpose.run(context) }
    for copy in rowCopies { copy.run(context) }
    let (frame, workspaces) = (context.frame, context.workspaces)
    if isSmall {
      for kernel in kernels { kernel.run(0..<kernel.count, frame, workspace: workspaces[0]) }
      return
    }
    context.pool.run(firstTasks[kernels.count]) { index, worker in
      let number = kernelNumber(ofTask: index)
      let kernel = kernels[number]
      let start = (index - firstTasks[number]) * kernel.grain
      kernel.run(start..<min(start + kernel.grain, kernel.count), frame, workspace: workspaces[worker])
    }
  }

  /// The last kernel whose first task is not behind `index`.
  private func kernelNumber(ofTask index: Int) -> Int {
    var (low, high) = (0, kernels.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if firstTasks[middle] <= index { low = middle } else { high = middle }
    }
    return low
  }
}
