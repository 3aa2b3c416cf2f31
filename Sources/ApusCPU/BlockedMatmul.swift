import ApusDevice
import CSIMD

/// A batched matrix product of floating-point numbers by own kernels; the epilogue runs on the tile of a task right
/// after its product.
final class BlockedMatmulStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let batchCount: Int
  private let left: MatmulOperand
  private let right: MatmulOperand
  /// Whether the product is computed as that of the transposes: a column is a row then.
  private let isTurned: Bool
  private let product: BlockedProduct
  private let epilogue: TileEpilogue

  init(_ step: Matmul, _ builder: StepBuilder) throws(DeviceError) {
    let lane = step.dtype.lane
    batchCount = step.batch.elementCount
    isTurned = step.n == 1
    let a = MatmulOperand(step.a, rows: step.m, columns: step.k, step, builder, at: 0)
    let b = MatmulOperand(step.b, rows: step.k, columns: step.n, step, builder, at: a.sharedByteCount)
    (left, right) = isTurned ? (b, a) : (a, b)
    var products = BlockSchedule.Products(
      m: step.m, n: step.n, k: step.k, count: batchCount, left: a.order, right: b.order)
    if isTurned {
      (products.m, products.n) = (1, step.m)
      (products.left, products.right) = (b.order.turned, a.order.turned)
    }
    product = BlockedProduct(products, lane, builder)
    epilogue = try TileEpilogue(
      step.epilogue, lane, width: product.n, elements: product.rowGrain * product.columnGrain, builder)
    workspaceByteCount = product.workspaceByteCount + epilogue.workspaceByteCount
    sharedByteCount = a.sharedByteCount + b.sharedByteCount + product.sharedByteCount
  }

  private func factor(
    _ operand: MatmulOperand, _ base: UnsafeMutableRawPointer, _ batch: Int
  ) -> BlockKernels.Factor {
    let start = base + operand.position(batch, row: 0, column: 0) * product.kernels.lane.byteCount
    let strides = (isTurned ? operand.order.turned : operand.order).strides
    return BlockKernels.Factor(pointer: UnsafeRawPointer(start), row: strides.row, column: strides.column)
  }

  func run(_ context: borrowing RunContext) {
    let (m, n) = (product.m, product.n)
    guard batchCount * m * n > 0 else { return }
    left.convert(context)
    right.convert(context)
    let (frame, workspaces) = (context.frame, context.workspaces)
    let (a, b) = (left.base(context), right.base(context))
    let shared = context.shared + left.sharedByteCount + right.sharedByteCount
    product.pack(factor(left, a, 0), factor(right, b, 0), shared: shared, context.pool)
    for worker in 0..<context.pool.threadCount { product.forget(workspaces[worker]) }
    let tiles = epilogue.tiles(frame)
    context.pool.run(batchCount * product.taskCount) { task, worker in
      let (batch, part) = task.quotientAndRemainder(dividingBy: product.taskCount)
      let (rows, columns) = product.tile(part)
      let room = workspaces[worker] + product.workspaceByteCount
      let first = (batch * m + rows.lowerBound) * n + columns.lowerBound
      let target = tiles.target(first, columns: columns.count, room: room)
      product.multiply(
        rows: rows, columns: columns, factor(left, a, batch), factor(right, b, batch), target.pointer,
        leading: target.leading, shared: shared, workspace: workspaces[worker])
      tiles.finish(first, rows: rows.count, columns: columns.count, target, room: room)
    }
  }
}
