import ApusDevice
import ApusCSIMD
import ApusSystem

/// A batched floating-point matrix product, computed by `TiledProduct`. The epilogue runs on a task's tile right after
/// the product of the tile.
final class FloatMatmulStep: CPUStep {
  let workspaceByteCount: Int
  private(set) var sharedByteCount: Int
  private let batchCount: Int
  private let left: MatmulOperand
  private let right: MatmulOperand
  private let leftOrder: MatrixOrder
  private let rightOrder: MatrixOrder
  private let product: TiledProduct
  private let epilogue: TileEpilogue
  /// The values that the epilogue writes as whole row-major matrices.
  private let results: [Int]
  /// The column sums of `results`, and their offsets in the shared memory.
  private(set) var columnSums: [(sums: ColumnSums, offset: Int)] = []

  init(_ step: Matmul, _ builder: StepBuilder) throws(DeviceError) {
    let lane = step.dtype.lane
    // A product with one column is computed as the transposed product, which has one row.
    let isTransposed = step.n == 1
    let a = MatmulOperand(step.a, rows: step.m, columns: step.k, step, builder, at: 0)
    let b = MatmulOperand(step.b, rows: step.k, columns: step.n, step, builder, at: a.sharedByteCount)
    (left, right) = isTransposed ? (b, a) : (a, b)
    var products = BlockSchedule.Products(
      m: step.m, n: step.n, k: step.k, count: step.batch.elementCount, left: a.order, right: b.order)
    // The products of a batch are computed as one product if they have the same right factor, and the rows of all left
    // factors are equally spaced in memory.
    if products.count > 1, b.isRepeated, let stacked = a.stackedOrder {
      (products.m, products.count, products.left) = (products.m * products.count, 1, stacked)
    }
    batchCount = products.count
    products.isLeftRepeated = a.isRepeated && !isTransposed
    if isTransposed {
      (products.m, products.n) = (1, products.m)
      (products.left, products.right) = (products.right.transposed, products.left.transposed)
    }
    (leftOrder, rightOrder) = (products.left, products.right)
    product = TiledProduct(products, lane, factors: step.factorDtype, builder)
    epilogue = try TileEpilogue(
      step.epilogue, lane, width: product.n, elements: product.rowGrain * product.columnGrain, builder)
    workspaceByteCount = product.workspaceByteCount + epilogue.workspaceByteCount
    sharedByteCount = roundUp(a.sharedByteCount + b.sharedByteCount + product.sharedByteCount, toMultipleOf: 64)
    results = step.epilogue.binding.results.filter(\.layout.isIdentity).map(\.value)
  }

  private func factor(
    _ operand: MatmulOperand, _ order: MatrixOrder, _ base: UnsafeMutableRawPointer, _ batch: Int
  ) -> BlockKernels.Factor {
    let start = base + operand.position(batch, row: 0, column: 0) * product.kernels.lane.byteCount
    let strides = order.strides
    return BlockKernels.Factor(pointer: UnsafeRawPointer(start), row: strides.row, column: strides.column)
  }

  /// Whether the step writes a value as a matrix `[rows, columns]`, in tiles that do not split a group of
  /// `ReductionShape.linesAtOnce` rows.
  func gives(_ value: Int, rows: Int, columns: Int) -> Bool {
    let lines = ReductionShape.linesAtOnce
    return results.contains(value) && columns == product.n && rows == batchCount * product.m
      && (batchCount == 1 || product.m % lines == 0)
      && (product.rowGrain % lines == 0 || product.rowGrain >= product.m)
  }

  /// Lets the step also compute column sums of a value that it writes.
  func add(_ sums: ColumnSums) {
    columnSums.append((sums, sharedByteCount))
    sharedByteCount += sums.sharedByteCount
  }

  func run(_ context: borrowing RunContext) {
    if batchCount * product.m * product.n > 0 { multiply(context) }
    for (sums, offset) in columnSums { sums.finish(context.pool, shared: context.shared + offset) }
  }

  private func multiply(_ context: borrowing RunContext) {
    let (m, n) = (product.m, product.n)
    left.convert(context)
    right.convert(context)
    let (frame, workspaces) = (context.frame, context.workspaces)
    let (a, b) = (left.base(context), right.base(context))
    let memory = context.shared
    let shared = memory + left.sharedByteCount + right.sharedByteCount
    product.prepare(
      factor(left, leftOrder, a, 0), factor(right, rightOrder, b, 0), shared: shared, workspaces, context.pool)
    for worker in 0..<context.pool.threadCount { product.forget(workspaces[worker]) }
    let tiles = epilogue.tiles(frame)
    context.pool.run(batchCount * product.taskCount) { task, worker in
      let (batch, part) = task.quotientAndRemainder(dividingBy: product.taskCount)
      let (rows, columns) = product.tile(part)
      let scratch = workspaces[worker] + product.workspaceByteCount
      let first = (batch * m + rows.lowerBound) * n + columns.lowerBound
      let target = tiles.target(first, columns: columns.count, scratch: scratch)
      product.multiply(
        rows: rows, columns: columns, factor(left, leftOrder, a, batch), factor(right, rightOrder, b, batch),
        target.pointer, leading: target.leading, shared: shared, workspace: workspaces[worker])
      tiles.finish(first, rows: rows.count, columns: columns.count, target, scratch: scratch)
      for (sums, offset) in columnSums {
        let lines = (batch * m + rows.lowerBound)..<(batch * m + rows.upperBound)
        sums.take(rows: lines, columns: columns, frame, shared: memory + offset)
      }
    }
  }
}
