import ApusDevice
import ApusCSIMD
import ApusSystem

/// A reduction, either by rows or by columns. By rows, the elements of each result are accumulated one after the other.
/// By columns, vector operations accumulate the elements of adjacent results, for one reduced position after the other.
///
/// Long reductions are split into parts, which depend only on the shape and whose accumulators are merged pairwise.
/// Within a part, elements are combined in a cascade of chains (see `Kernels/reduce.def`).
final class ReductionStep: CPUStep, RowwiseStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let shape: ReductionShape
  private let table: ReductionTable
  private let epilogue: EpilogueKernel
  /// The addresses of the core results: the results before the epilogue, which is fused elementwise operations on them.
  private let cores: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// The offsets of the core results in the shared memory.
  private let coreOffsets: [Int]
  private let partsOffset: Int
  /// If the reduction only sums the columns of a contiguous value: this value's index in the plan, and the shape of the
  /// reduction. `nil` for other reductions.
  let columnSource: (value: Int, shape: ReductionShape)?
  /// The column sums of `columnSource` that a product computes while it writes this value; `nil` if no product does.
  private var columnSums: ColumnSums?

  init(_ step: Reduction, _ builder: StepBuilder) throws(DeviceError) {
    table = try ReductionTable(step, byRows: ReductionShape.prefersRows(step), builder)
    epilogue = try EpilogueKernel(step.epilogue, lanes: table.resultLanes, builder)
    shape = ReductionShape(step, weight: table.weight)
    var offset = 0
    var offsets: [Int] = []
    for lane in table.resultLanes {
      offsets.append(offset)
      if !epilogue.hasTarget { offset += roundUp(shape.keptCount * lane.byteCount, toMultipleOf: 64) }
    }
    coreOffsets = offsets
    partsOffset = offset
    sharedByteCount =
      offset
      + (shape.byRows
        ? shape.partCount == 1 ? 0 : shape.keptCount * shape.partCount * table.stateByteCount
        : shape.partCount * table.columnByteCount(shape))
    workspaceByteCount =
      max(table.kernel.workspaceByteCount + table.stateByteCount, epilogue.workspaceByteCount)
    columnSource = Self.lines(step, builder).map { [shape] in ($0, shape) }
    cores = .allocate(capacity: max(1, table.count))
    cores.initialize(repeating: nil, count: max(1, table.count))
  }

  deinit { cores.deallocate() }

  func run(_ context: borrowing RunContext) {
    guard shape.keptCount > 0 else { return }
    for index in 0..<table.count { cores[index] = context.shared + coreOffsets[index] }
    if let target = epilogue.target(context.frame) { cores[0] = target }
    if let columnSums {
      cores[0]!.copyMemory(from: columnSums.results, byteCount: columnSums.resultByteCount)
    } else if shape.byRows {
      runRows(context)
    } else {
      runColumns(context)
    }
    epilogue.run(context, cores: cores)
  }

  // MARK: - Columns of products

  /// The value that a reduction sums by columns; `nil` unless the value is contiguous, is `float32` or `float64`, and
  /// is summed without a prologue (fused elementwise operations on the inputs).
  private static func lines(_ step: Reduction, _ builder: StepBuilder) -> Int? {
    let axes = (0..<step.domain.rank).filter { step.domain[$0] > 1 }
    let reduced = axes.prefix { step.axes.contains($0) }
    guard !ReductionShape.prefersRows(step), axes.dropFirst(reduced.count).allSatisfy({ !step.axes.contains($0) }),
      step.reducers == [.sum], step.prologue.instructions.isEmpty, case .tensor(let operand)? = step.arguments.first,
      operand.layout.isIdentity
    else { return nil }
    let dtype = builder.plan.values[operand.value].dtype
    return dtype == .float32 || dtype == .float64 ? operand.value : nil
  }

  /// Creates the column sums for the product that writes `value`. From now on the step reads only these sums.
  func sumsOfProduct(_ value: Int) -> ColumnSums {
    let sums = ColumnSums(of: value, table.resultLanes[0], shape, table.reducer)
    columnSums = sums
    return sums
  }

  // MARK: - Rows

  /// Whether the reduction is by rows and not split into parts.
  var isWhole: Bool { shape.byRows && shape.partCount == 1 }

  var weight: Int { shape.keptCount * shape.reducedCount * table.weight }

  func run(
    rows: Range<Int>, of rowCount: Int, _ frame: RunFrame, workspace: UnsafeMutableRawPointer,
    shared: UnsafeMutableRawPointer
  ) {
    run(rows: rows, frame, workspace: workspace, shared: shared) { cores in
      var raw = table.kernel.frame(frame, workspace: workspace + table.stateByteCount)
      csimd_reduce_rows(
        table.raw, &raw, Int64(rows.lowerBound), Int64(rows.upperBound), 0, Int64(shape.reducedCount),
        workspace, cores, 0)
    }
  }

  /// Runs `compute` and then the epilogue on its results. `compute` receives the addresses of the results of row 0.
  func run(
    rows: Range<Int>, _ frame: RunFrame, workspace: UnsafeMutableRawPointer, shared: UnsafeMutableRawPointer,
    compute: (UnsafePointer<UnsafeMutableRawPointer?>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(1, table.count)) { cores in
      for index in 0..<table.count { cores.initializeElement(at: index, to: shared + coreOffsets[index]) }
      if let target = epilogue.target(frame) { cores[0] = target }
      compute(cores.baseAddress!)
      epilogue.kernel?.run(rows, frame, workspace: workspace, cores: cores.baseAddress!)
    }
  }

  func keepInCache(_ values: Set<Int>) {
    table.kernel.keepInCache(values)
    epilogue.kernel?.keepInCache(values)
  }

  private func runRows(_ context: borrowing RunContext) {
    let (frame, workspaces) = (context.frame, context.workspaces)
    let stateByteCount = table.stateByteCount
    if shape.partCount == 1 {
      context.pool.run(shape.blockCount) { index, worker in
        let kept = shape.kept(index)
        let workspace = workspaces[worker]
        var raw = table.kernel.frame(frame, workspace: workspace + stateByteCount)
        csimd_reduce_rows(
          table.raw, &raw, kept.lower, kept.upper, 0, Int64(shape.reducedCount), workspace, cores, 0)
      }
      return
    }
    let states = context.shared + partsOffset
    context.pool.run(shape.keptCount * shape.partCount) { index, worker in
      let (position, part) = (Int64(index / shape.partCount), shape.part(index % shape.partCount))
      var raw = table.kernel.frame(frame, workspace: workspaces[worker])
      csimd_reduce_rows(
        table.raw, &raw, position, position + 1, part.lower, part.upper, states + index * stateByteCount,
        cores, 1)
    }
    csimd_merge_rows(table.raw, states, Int64(shape.keptCount), Int64(shape.partCount), cores)
  }

  private func runColumns(_ context: borrowing RunContext) {
    let (frame, workspaces) = (context.frame, context.workspaces)
    let columns = context.shared + partsOffset
    let (partCount, stride, arrays) = (shape.partCount, table.columnByteCount(shape), Int64(shape.columnArrayCount))
    context.pool.run(shape.blockCount * partCount) { index, worker in
      let number = index % partCount
      let (kept, part) = (shape.kept(index / partCount), shape.part(number))
      var raw = table.kernel.frame(frame, workspace: workspaces[worker])
      csimd_reduce_columns(
        table.raw, &raw, kept.lower, kept.upper, part.lower, part.upper, columns + number * stride,
        Int64(shape.keptCount), arrays)
    }
    context.pool.run(shape.blockCount) { index, _ in
      let kept = shape.kept(index)
      csimd_merge_columns(
        table.raw, columns, Int64(partCount), kept.lower, kept.upper, Int64(shape.keptCount), arrays, cores)
    }
  }
}

/// The split of a reduction into tasks and parts. In a reduction by rows, the number of results per task depends on the
/// estimated cost of an element. The parts of one result, and so the order of summation, depend only on the shape.
struct ReductionShape {
  let keptCount: Int
  let reducedCount: Int
  let byRows: Bool
  /// Results per task.
  private let keptGrain: Int
  /// Reduced positions per part.
  private let partLength: Int

  /// The number of lines in a group. A line consists of the elements at one reduced position; a reduction by columns
  /// first combines the lines of each group.
  static let linesAtOnce = Int(CSIMD_LINES_AT_ONCE)

  init(_ step: Reduction, weight: Int) {
    reducedCount = step.axes.reduce(1) { $0 * step.domain[$1] }
    keptCount = step.epilogue.binding.domain.elementCount
    byRows = Self.prefersRows(step)
    if byRows {
      partLength = TaskLimits.elementCount
      keptGrain = max(1, TaskLimits.weight / weight / max(1, min(reducedCount, partLength)))
    } else {
      // Lines are as long as possible while their sums stay in an L1 cache.
      keptGrain = max(1, min(keptCount, 4096))
      // There are several parts only if a split of the results alone does not give enough tasks.
      let blocks = ceilDivide(keptCount, keptGrain)
      let parts = min(
        reducedCount * keptGrain / TaskLimits.elementCount, ceilDivide(16, max(1, blocks)))
      let least = max(1, ceilDivide(reducedCount, max(1, parts)))
      partLength = roundUp(least, toMultipleOf: Self.linesAtOnce)
    }
  }

  var partCount: Int { max(1, ceilDivide(reducedCount, partLength)) }
  var blockCount: Int { ceilDivide(keptCount, keptGrain) }
  /// The number of arrays that each reducer needs for a part of a reduction by columns.
  var columnArrayCount: Int { Int(csimd_column_arrays(Int64(min(partLength, reducedCount)))) }

  func kept(_ block: Int) -> (lower: Int64, upper: Int64) {
    bounds(blockRange(block, size: keptGrain, count: keptCount))
  }

  func part(_ number: Int) -> (lower: Int64, upper: Int64) {
    bounds(blockRange(number, size: partLength, count: reducedCount))
  }

  private func bounds(_ range: Range<Int>) -> (lower: Int64, upper: Int64) {
    (Int64(range.lowerBound), Int64(range.upperBound))
  }

  /// Whether to reduce by rows. Axes of extent 1 do not count. Rows are chosen if one of these conditions holds:
  /// (a) all axes are reduced;
  /// (b) the innermost axis is kept and shorter than 16;
  /// (c) the innermost axes are reduced, and together have at least 64 elements;
  /// (d) the innermost axis is reduced, and there are fewer than 64 results.
  static func prefersRows(_ step: Reduction) -> Bool {
    let axes = (0..<step.domain.rank).filter { step.domain[$0] > 1 }
    guard let inner = axes.last, axes.contains(where: { !step.axes.contains($0) }) else { return true }
    guard step.axes.contains(inner) else { return step.domain[inner] < 16 }
    var length = 1
    for axis in axes.reversed() {
      guard step.axes.contains(axis) else { break }
      length *= step.domain[axis]
    }
    return length >= 64 || step.epilogue.binding.domain.elementCount < 64
  }
}
