import ApusDevice
import ApusCSIMD
import ApusSystem

/// A copy whose source and result are contiguous along different axes. It is split into blocks over these two axes, and
/// each block is transposed.
struct Transposition {
  private let source: Int
  private let result: Int
  private let byteCount: Int
  /// The extents of all axes other than the two axes of the blocks.
  private let outer: Shape
  /// The layouts of the other axes, in the source and in the result.
  private let outerSource: Layout
  private let outerResult: Layout
  /// The extent of the source's axis of stride 1, and the result's stride along that axis.
  private let rows: Int
  private let resultStride: Int
  /// The extent of the result's axis of stride 1, and the source's stride along that axis.
  private let columns: Int
  private let sourceStride: Int
  /// Rows and columns of a block, which `BlockTransposition` transposes in one call.
  private let rowGrain: Int
  private let columnGrain: Int
  private let block: BlockTransposition

  /// A block has a multiple of this number of columns, or all columns of the result: `transpose_streamed` transposes
  /// strips of 64 columns.
  private static let stripColumns = 64
  /// The maximum number of rows and the approximate number of elements of a block. If blocks covered only short pieces
  /// of the result's rows, two threads would often write to the same cache line, and each of them would fetch the line
  /// again. A block that is written with non-temporal stores prefetches the next part of its source, so such blocks
  /// (`streamedGrain`) are as large as possible while enough tasks remain.
  private static let grain = (rows: 1024, elements: 1 << 15)
  private static let streamedGrain = (rows: 4096, elements: 1 << 20)
  private static let enoughTasks = 16
  private static let leastElements = 1 << 13
  private static let leastExtent = 2

  /// The transposition that is equivalent to a copy; `nil` unless the source is contiguous along one axis and the
  /// result along another one, both of at least `leastExtent` elements.
  init?(_ copy: PlainCopy, _ builder: StepBuilder) {
    let (shape, from, to) = (copy.shape, copy.from, copy.to)
    let axes = Array(0..<shape.rank)
    guard let row = axes.first(where: { from.strides[$0] == 1 && to.strides[$0] != 1 }),
      let column = axes.first(where: { to.strides[$0] == 1 && from.strides[$0] > 1 }),
      shape[row] >= Self.leastExtent, shape[column] >= Self.leastExtent
    else { return nil }
    (source, result, byteCount) = (copy.source, copy.result, copy.dtype.byteCount)
    let others = axes.filter { $0 != row && $0 != column }
    outer = shape.selecting(others)
    outerSource = from.selecting(others)
    outerResult = to.selecting(others)
    (rows, resultStride) = (shape[row], to.strides[row])
    (columns, sourceStride) = (shape[column], from.strides[column])
    let resultByteCount = builder.plan.values[result].byteCount
    let isStreamed = BlockTransposition.isStreamed(
      byteCount: byteCount, offset: to.offset, stride: resultStride, resultByteCount: resultByteCount)
    let elements =
      isStreamed ? min(Self.streamedGrain.elements, shape.elementCount / Self.enoughTasks) : Self.grain.elements
    rowGrain = min(rows, isStreamed ? Self.streamedGrain.rows : Self.grain.rows)
    columnGrain = min(columns, Self.stripColumns * max(1, elements / (rowGrain * Self.stripColumns)))
    block = BlockTransposition(
      byteCount: byteCount, rows: rowGrain, columns: columnGrain, stride: resultStride,
      resultByteCount: resultByteCount, builder.loops)
  }

  var workspaceByteCount: Int { block.scratchByteCount }

  func run(_ context: borrowing RunContext) {
    let (from, to) = (context.address(source), context.address(result))
    let (sourceLayout, resultLayout) = (outerSource.raw, outerResult.raw)
    let blocks = ceilDivide(rows, rowGrain)
    let strips = ceilDivide(columns, columnGrain)
    let workspaces = context.workspaces
    let count = outer.elementCount * strips * blocks
    // If blocks are small, a task transposes several of them.
    let together = max(1, Self.leastElements / (rowGrain * columnGrain))
    func transpose(_ task: Int, _ worker: Int) {
      let (strip, number) = task.quotientAndRemainder(dividingBy: blocks)
      let (index, columnBlock) = strip.quotientAndRemainder(dividingBy: strips)
      let (first, left) = (number * rowGrain, columnBlock * columnGrain)
      let (start, target) = withUnsafePointer(to: sourceLayout) { source in
        withUnsafePointer(to: resultLayout) { result in
          (Int(csimd_position(source, Int64(index))), Int(csimd_position(result, Int64(index))))
        }
      }
      block.run(
        rows: min(rowGrain, rows - first), columns: min(columnGrain, columns - left),
        from + (start + first + left * sourceStride) * byteCount, sourceStride,
        to + (target + first * resultStride + left) * byteCount, resultStride, scratch: workspaces[worker])
    }
    context.pool.run(ceilDivide(count, together)) { task, worker in
      for number in blockRange(task, size: together, count: count) { transpose(number, worker) }
    }
  }
}
