import ApusDevice
import ApusCSIMD
import ApusSystem

/// The epilogue of a step, which is fused with the step. It stores the core results (the results of the step before its
/// epilogue) unchanged, or runs an elementwise program on them.
final class EpilogueKernel {
  /// The program; `nil` if the only core result is stored unchanged and contiguously.
  let kernel: Kernel?
  /// The destination of an unchanged core result: a value (array) of the plan, and the offset of the first element in
  /// this array.
  private let plain: (value: Int, offset: Int)?
  /// A value of the core result's size that the epilogue overwrites and does not read, so that the core result may be
  /// computed in the memory of this value.
  private let reused: (value: Int, offset: Int)?
  private let coreByteCount: Int
  let count: Int

  var workspaceByteCount: Int { kernel?.workspaceByteCount ?? 0 }
  /// Whether the core result can be computed in the memory of a result value.
  var hasTarget: Bool { plain != nil || reused != nil }

  /// - Parameter lanes: the arithmetic types of the core results.
  init(_ epilogue: Epilogue, lanes: [Lane], _ builder: StepBuilder) throws(DeviceError) {
    let domain = epilogue.binding.domain
    count = domain.elementCount
    coreByteCount = lanes.first?.byteCount ?? 4
    if let result = epilogue.plainResult, result.layout.isContiguous {
      kernel = nil
      plain = (result.value, result.layout.offset)
      reused = nil
      return
    }
    kernel = try Kernel(
      epilogue.program, domain: domain, arguments: epilogue.binding.arguments,
      results: epilogue.binding.results, builder)
    plain = nil
    reused = lanes.count == 1 ? Self.reusableResult(epilogue, lane: lanes[0], builder) : nil
  }

  private static func reusableResult(
    _ epilogue: Epilogue, lane: Lane, _ builder: StepBuilder
  ) -> (value: Int, offset: Int)? {
    let program = epilogue.program
    let core = program.inputs.firstIndex { if case .core = $0 { true } else { false } }
    let storesCore = program.outputs.contains { $0.register == core }
    for (result, output) in zip(epilogue.binding.results, program.outputs) where result.layout.isContiguous {
      // If the core result is an output itself, no other output may overwrite it first.
      guard !storesCore || output.register == core else { continue }
      guard builder.plan.values[result.value].dtype == lane.dtype else { continue }
      let isRead = epilogue.binding.arguments.contains { argument in
        guard case .tensor(let operand) = argument else { return false }
        return builder.mayAlias(operand.value, result.value)
      }
      if !isRead { return (result.value, result.layout.offset) }
    }
    return nil
  }

  /// The address at which element 0 of the core result is to be computed; `nil` if the caller must provide memory.
  func target(_ frame: RunFrame) -> UnsafeMutableRawPointer? {
    guard let target = plain ?? reused else { return nil }
    return frame.values[target.value]! + target.offset * coreByteCount
  }

  /// Runs the program on elements `range`, with one core result whose element `range.lowerBound` is at
  /// `core`.
  func run(
    _ range: Range<Int>, core: UnsafeMutableRawPointer, _ frame: RunFrame,
    workspace: UnsafeMutableRawPointer
  ) {
    guard let kernel else { return }
    withUnsafePointer(to: Optional(core)) { pointer in
      kernel.run(range, frame, workspace: workspace, cores: pointer, coreStart: range.lowerBound)
    }
  }

  /// Runs the program on all elements, split into tasks.
  func run(_ context: borrowing RunContext, cores: UnsafePointer<UnsafeMutableRawPointer?>) {
    guard let kernel else { return }
    let (frame, workspaces) = (context.frame, context.workspaces)
    let grain = kernel.isSmall ? count : kernel.grain
    context.pool.run(ceilDivide(count, max(1, grain))) { index, worker in
      let range = blockRange(index, size: grain, count: count)
      kernel.run(range, frame, workspace: workspaces[worker], cores: cores)
    }
  }
}
