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

  init(_ step: Elementwise, _ builder: StepBuilder) throws(DeviceError) {
    var kernels: [Kernel] = []
    var tasks: [Task] = []
    for segment in step.segments where segment.domain.elementCount > 0 {
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
    isSmall = kernels.reduce(0) { $0 + $1.count * $1.weight } <= 65536
    workspaceByteCount = kernels.map(\.workspaceByteCount).max() ?? 0
  }

  func run(_ context: borrowing RunContext) {
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
