import ApusDevice
import ApusCSIMD
import ApusSystem

/// A step that can run on a range of its rows. Element `i` of the step's domain belongs to row `i / length`, where
/// `length` is the number of elements of a row.
protocol RowwiseStep: AnyObject {
  var workspaceByteCount: Int { get }
  var sharedByteCount: Int { get }
  /// The estimated cost of all rows.
  var weight: Int { get }
  /// Runs rows `rows` of `rowCount` on one thread.
  func run(
    rows: Range<Int>, of rowCount: Int, _ frame: RunFrame, workspace: UnsafeMutableRawPointer,
    shared: UnsafeMutableRawPointer)
  /// Tells the step that these values stay in a cache until they are read, and that the step's other operands are
  /// cached already.
  func keepInCache(_ values: Set<Int>)
}

/// Consecutive steps over the same rows, which run together on one block of rows at a time. The result of a step is
/// still in the cache when the next step reads it. Examples are the steps of softmax, of normalizations and of their
/// gradients.
///
/// The results have the same bits as if the steps ran separately.
final class RowBlockStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let steps: [any RowwiseStep]
  private let rowCount: Int
  /// Rows per block.
  private let grain: Int
  /// Rows per task. A task runs several blocks, and each block prefetches the data of the next block.
  private let taskRows: Int
  /// Large values that the steps only read, with their bytes per row. Values that a step itself prefetches are left
  /// out.
  private let sources: [(value: Int, rowByteCount: Int)]
  /// The offset of each step's shared memory.
  private let sharedOffsets: [Int]
  /// Values that only these steps use: their bytes per row, and their offset in a worker's memory, which holds only one
  /// block of rows of each value.
  private let locals: [(value: Int, rowByteCount: Int, offset: Int)]
  /// The other values that the steps use, whose addresses do not change during a run.
  private let others: [Int]
  private let valueCount: Int
  private var frames: [RunFrame] = []

  private static let blockByteCount = 1 << 18

  init(_ rows: RowBlock, _ members: [RowBlock.Member], _ builder: StepBuilder) {
    let plan = builder.plan
    steps = members.map(\.step)
    rowCount = rows.rowCount
    valueCount = plan.values.count
    let values = Set(members.flatMap(\.values)).sorted()
    let rowByteCounts = values.map { plan.values[$0].byteCount / rows.rowCount }
    let weight = steps.reduce(0) { $0 + $1.weight }
    // If several steps use one value of more than 16 bytes per row, a block has to fit into a cache.
    let isChained = values.contains { value in
      plan.values[value].byteCount > rows.rowCount * 16 && members.count { $0.values.contains(value) } > 1
    }
    let fitting = Self.blockByteCount / max(1, rowByteCounts.reduce(0, +))
    let rowLimit = isChained ? fitting : max(fitting, rowCount / max(32, 4 * builder.threadCount))
    let grain = weight <= TaskLimits.weight ? rowCount : max(1, min(rowLimit, rowCount / 8))
    self.grain = grain
    taskRows = grain * max(1, min(16, rowCount / (32 * grain)))
    sources = rows.sources.filter { value in !members.contains { $0.prefetchedValue == value } }
      .map { ($0, plan.values[$0].byteCount / rows.rowCount) }
    var shared = 0
    sharedOffsets = steps.map { step in
      defer { shared += roundUp(step.sharedByteCount, toMultipleOf: 64) }
      return shared
    }
    sharedByteCount = shared
    var workspace = roundUp((steps.map(\.workspaceByteCount).max() ?? 0) + 64, toMultipleOf: 64)
    locals = rows.locals.filter(values.contains).map { value in
      let rowByteCount = plan.values[value].byteCount / rows.rowCount
      // With a few cache lines of padding, buffers map to different cache sets.
      defer { workspace += roundUp(grain * rowByteCount + 192, toMultipleOf: 64) }
      return (value, rowByteCount, workspace)
    }
    workspaceByteCount = workspace
    others = values.filter { !rows.locals.contains($0) }
    for step in steps { step.keepInCache(Set(rows.locals)) }
  }

  func run(_ context: borrowing RunContext) {
    while frames.count < context.pool.threadCount {
      frames.append(RunFrame(valueCount: valueCount, scalarCount: 0))
    }
    for frame in frames {
      frame.scalars = context.frame.scalars
      for value in others { frame.values[value] = context.frame.values[value] }
    }
    let (workspaces, shared, frames) = (context.workspaces, context.shared, frames)
    context.pool.run(ceilDivide(rowCount, taskRows)) { index, worker in
      let frame = frames[worker]
      let task = blockRange(index, size: taskRows, count: rowCount)
      withUnsafeTemporaryAllocation(of: csimd_prefetch_range.self, capacity: sources.count + 1) { ahead in
        ahead.initialize(repeating: csimd_prefetch_range(next: nil, end: nil))
        frame.ahead = ahead.baseAddress
        defer { frame.ahead = nil }
        for start in stride(from: task.lowerBound, to: task.upperBound, by: grain) {
          let rows = start..<min(start + grain, task.upperBound)
          let next = rows.upperBound..<min(rows.upperBound + grain, task.upperBound)
          for (number, source) in sources.enumerated() {
            let base = frame.values[source.value]!.assumingMemoryBound(to: CChar.self)
            ahead[number].next = UnsafePointer(base + next.lowerBound * source.rowByteCount)
            ahead[number].end = UnsafePointer(base + next.upperBound * source.rowByteCount)
          }
          run(rows, frame, workspace: workspaces[worker], shared: shared)
        }
      }
    }
  }

  private func run(
    _ rows: Range<Int>, _ frame: RunFrame, workspace: UnsafeMutableRawPointer, shared: UnsafeMutableRawPointer
  ) {
    for local in locals {
      frame.values[local.value] = workspace + (local.offset - rows.lowerBound * local.rowByteCount)
    }
    for (step, offset) in zip(steps, sharedOffsets) {
      step.run(rows: rows, of: rowCount, frame, workspace: workspace, shared: shared + offset)
    }
  }
}

/// Steps of a plan that can run together by rows.
struct RowBlock {
  let steps: Range<Int>
  let rowCount: Int
  /// Values that no other step uses.
  let locals: [Int]
  /// Large values that the steps only read.
  let sources: [Int]

  /// A step, the values that it uses, and a value whose rows the step itself prefetches.
  struct Member {
    let step: any RowwiseStep
    let values: [Int]
    var prefetchedValue: Int?
  }
}

/// The search for steps of a plan that can run together by rows.
struct RowBlockSearch {
  let builder: StepBuilder
  private var plan: Plan { builder.plan }

  /// Merges consecutive steps that can run together; returns each step with the range of the plan's steps that it runs.
  func joined(_ steps: [any CPUStep]) -> [(step: any CPUStep, planned: Range<Int>)] {
    var result: [(step: any CPUStep, planned: Range<Int>)] = []
    var index = 0
    var next = blocks(steps)[...]
    while index < steps.count {
      if let block = next.first, block.steps.lowerBound == index {
        let members = members(block, steps[block.steps].map { $0 as! any RowwiseStep })
        result.append((RowBlockStep(block, members, builder), block.steps))
        index = block.steps.upperBound
        next.removeFirst()
      } else {
        result.append((steps[index], index..<(index + 1)))
        index += 1
      }
    }
    return result
  }

  /// The steps of a block; the steps of a softmax become one member.
  private func members(_ block: RowBlock, _ steps: [any RowwiseStep]) -> [RowBlock.Member] {
    var result: [RowBlock.Member] = []
    var rest = block.steps
    while let index = rest.first {
      let pattern = SoftmaxPattern(
        plan.steps[rest].map(\.step),
        isLast: { block.locals.contains($0) && uses[$0]!.upperBound == index + $1 }, mayAlias: builder.mayAlias)
      let count = pattern?.count ?? 1
      let members = steps[(index - block.steps.lowerBound)...].prefix(count)
      if let pattern {
        let values = pattern.values(sum: plan.steps[index + pattern.sum].step)
        result.append(
          .init(
            step: SoftmaxRowsStep(pattern, Array(members), builder), values: values, prefetchedValue: pattern.numbers))
      } else {
        result.append(.init(step: members.first!, values: plan.steps[index].step.values))
      }
      rest.removeFirst(count)
    }
    return result
  }

  /// The blocks of a plan. Each contains a reduction of rows, and steps after and before it that can run with it.
  private func blocks(_ steps: [any CPUStep]) -> [RowBlock] {
    var result: [RowBlock] = []
    for index in steps.indices where index >= (result.last?.steps.upperBound ?? 0) {
      guard case .reduction(let reduction) = plan.steps[index].step, let rowCount = rowCount(reduction),
        rowCount > 1, isRowwise(steps, index, rowCount)
      else { continue }
      let least = result.last?.steps.upperBound ?? 0
      var range = index..<(index + 1)
      guard isTogether(range, rowCount) else { continue }
      while range.upperBound < steps.count, isRowwise(steps, range.upperBound, rowCount),
        isTogether(range.lowerBound..<(range.upperBound + 1), rowCount)
      {
        range = range.lowerBound..<(range.upperBound + 1)
      }
      while range.lowerBound > least, isRowwise(steps, range.lowerBound - 1, rowCount),
        isTogether((range.lowerBound - 1)..<range.upperBound, rowCount)
      {
        range = (range.lowerBound - 1)..<range.upperBound
      }
      guard range.count > 1 else { continue }
      let values = Array(Set(plan.steps[range].flatMap { $0.step.values })).sorted()
      let written = Set(plan.steps[range].flatMap { $0.step.results })
      let sources = values.filter { value in
        let count = plan.values[value].byteCount
        return !written.contains(value) && count % rowCount == 0 && count >= CacheLimits.coreByteCount
      }
      result.append(
        RowBlock(steps: range, rowCount: rowCount, locals: locals(range, among: values), sources: sources))
    }
    return result
  }

  /// The number of rows of a reduction along the innermost axes; `nil` for other reductions and for empty ones.
  private func rowCount(_ step: Reduction) -> Int? {
    let axes = (0..<step.domain.rank).filter { step.domain[$0] > 1 }
    let kept = axes.prefix { !step.axes.contains($0) }
    guard axes.dropFirst(kept.count).allSatisfy({ step.axes.contains($0) }) else { return nil }
    return step.domain.elementCount == 0 ? nil : step.epilogue.binding.domain.elementCount
  }

  /// Whether a step can run by rows and has `rowCount` rows.
  private func isRowwise(_ steps: [any CPUStep], _ index: Int, _ rowCount: Int) -> Bool {
    switch plan.steps[index].step {
    case .reduction(let step):
      return (steps[index] as! ReductionStep).isWhole && self.rowCount(step) == rowCount
    case .elementwise(let step):
      guard step.segments.count == 1, (steps[index] as! ElementwiseStep).isWhole else { return false }
      return leadingAxes(step.segments[0].domain, rowCount) != nil
    default: return false
    }
  }

  /// The number of leading axes whose extents have the product `rowCount`; `nil` if no number of axes has this product,
  /// or if the domain is empty.
  private func leadingAxes(_ domain: Shape, _ rowCount: Int) -> Int? {
    var product = 1
    for axis in 0..<domain.rank {
      product *= domain[axis]
      if product == rowCount { return domain.elementCount > 0 ? axis + 1 : nil }
    }
    return nil
  }

  /// Whether the steps of `range` can run together: a step that runs on row `r` may write and read only row `r` of each
  /// value that the steps write.
  private func isTogether(_ range: Range<Int>, _ rowCount: Int) -> Bool {
    var written: Set<Int> = []
    for index in range { written.formUnion(plan.steps[index].step.results) }
    let inner = locals(range, among: Array(written))
    let outer = written.subtracting(inner)
    for index in range {
      for (operand, domain) in operands(plan.steps[index].step) {
        let value = operand.value
        let conflicts = outer.filter { $0 != value && !inner.contains(value) && builder.mayAlias($0, value) }
        guard written.contains(value) || !conflicts.isEmpty else { continue }
        guard isRowLocal(operand, domain, rowCount), conflicts.allSatisfy({ sharesMemory($0, value) })
        else { return false }
      }
    }
    return true
  }

  /// The operands that a step reads and writes, each with its domain.
  private func operands(_ step: Step) -> [(Operand, Shape)] {
    func tensors(_ arguments: [Argument], _ domain: Shape) -> [(Operand, Shape)] {
      arguments.compactMap { if case .tensor(let operand) = $0 { (operand, domain) } else { nil } }
    }
    func all(_ binding: Binding) -> [(Operand, Shape)] {
      tensors(binding.arguments, binding.domain) + binding.results.map { ($0, binding.domain) }
    }
    switch step {
    case .elementwise(let step): return step.segments.flatMap(all)
    case .reduction(let step): return tensors(step.arguments, step.domain) + all(step.epilogue.binding)
    default: return []
    }
  }

  /// Whether the elements of each row `r` of an operand are in part `r` of its value, if the value is divided into
  /// `rowCount` consecutive parts of equal size.
  private func isRowLocal(_ operand: Operand, _ domain: Shape, _ rowCount: Int) -> Bool {
    let count = plan.values[operand.value].elementCount
    guard let split = leadingAxes(domain, rowCount), count % rowCount == 0 else { return false }
    let strides = operand.layout.strides
    var expected = count / rowCount
    var last = operand.layout.offset
    for axis in split..<domain.rank where domain[axis] > 1 {
      guard strides[axis] >= 0 else { return false }
      last += (domain[axis] - 1) * strides[axis]
    }
    guard operand.layout.offset >= 0, last < expected else { return false }
    for axis in (0..<split).reversed() where domain[axis] > 1 {
      guard strides[axis] == expected else { return false }
      expected *= domain[axis]
    }
    return true
  }

  /// Whether two values that alias occupy exactly the same bytes.
  private func sharesMemory(_ left: Int, _ right: Int) -> Bool {
    let (a, b) = (plan.values[left], plan.values[right])
    guard a.byteCount == b.byteCount else { return false }
    guard case .scratch(let slab, let start) = a.storage else { return true }
    return b.storage == .scratch(slab: slab, byteOffset: start)
  }

  /// Values in scratch memory that only the steps of `range` use.
  private func locals(_ range: Range<Int>, among values: [Int]) -> [Int] {
    values.filter { value in
      guard case .scratch = plan.values[value].storage, let use = uses[value] else { return false }
      return range.lowerBound <= use.lowerBound && use.upperBound < range.upperBound
    }
  }

  /// The first and the last step that uses each value.
  private let uses: [Int: ClosedRange<Int>]

  init(_ builder: StepBuilder) {
    self.builder = builder
    var uses: [Int: ClosedRange<Int>] = [:]
    for (index, planned) in builder.plan.steps.enumerated() {
      for value in planned.step.values { uses[value] = (uses[value]?.lowerBound ?? index)...index }
    }
    self.uses = uses
  }
}
