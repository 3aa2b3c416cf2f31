import ApusDevice

/// A program over its segments, cut into tasks by shape.
final class ElementwiseStep: CPUStep {
  private struct Task {
    var kernel: Int
    var range: Range<Int>
  }

  let workspaceByteCount: Int
  private let kernels: [Kernel]
  private let tasks: [Task]
  private let isSmall: Bool
  /// Segments that only move numbers.
  private let transposes: [Transposition]
  private let rowCopies: [RowCopy]

  init(_ step: Elementwise, _ builder: StepBuilder) throws(DeviceError) {
    var kernels: [Kernel] = []
    var tasks: [Task] = []
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
      for start in stride(from: 0, to: kernel.count, by: kernel.grain) {
        tasks.append(Task(kernel: kernels.count, range: start..<min(start + kernel.grain, kernel.count)))
      }
      kernels.append(kernel)
    }
    self.kernels = kernels
    self.tasks = tasks
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
    context.pool.run(tasks.count) { index, worker in
      let task = tasks[index]
      kernels[task.kernel].run(task.range, frame, workspace: workspaces[worker])
    }
  }
}
