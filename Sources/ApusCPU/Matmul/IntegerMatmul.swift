import ApusDevice
import ApusCSIMD
import ApusSystem

/// A batched matrix product of integers. A task computes one tile of the result (see `MatmulShape`). The epilogue runs
/// on the tile right after the product of the tile.
final class IntegerMatmulStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let shape: MatmulShape
  private let a: MatmulOperand
  private let b: MatmulOperand
  private let lane: Lane
  private let epilogue: TileEpilogue
  private let product: OpenBLASProduct

  init(_ step: Matmul, _ builder: StepBuilder) throws(DeviceError) {
    lane = step.dtype.lane
    shape = MatmulShape(step)
    epilogue = try TileEpilogue(
      step.epilogue, lane, width: step.n, elements: shape.rowGrain * shape.columnGrain, builder)
    a = MatmulOperand(step.a, rows: step.m, columns: step.k, step, builder, at: 0)
    b = MatmulOperand(
      step.b, rows: step.k, columns: step.n, step, builder, at: a.sharedByteCount)
    product = OpenBLASProduct(lane, builder)
    workspaceByteCount = epilogue.workspaceByteCount
    sharedByteCount = a.sharedByteCount + b.sharedByteCount
  }

  func run(_ context: borrowing RunContext) {
    guard shape.batchCount * shape.m * shape.n > 0 else { return }
    a.convert(context)
    b.convert(context)
    let workspaces = context.workspaces
    let (aBase, bBase) = (a.base(context), b.base(context))
    let tiles = epilogue.tiles(context.frame)
    let size = lane.byteCount
    context.pool.run(shape.taskCount) { index, worker in
      let tile = shape.tile(index)
      let scratch = workspaces[worker]
      let first = (tile.batch * shape.m + tile.rows.lowerBound) * shape.n + tile.columns.lowerBound
      let target = tiles.target(first, columns: tile.columns.count, scratch: scratch)
      multiply(
        tile, aBase + a.position(tile.batch, row: tile.rows.lowerBound, column: 0) * size,
        bBase + b.position(tile.batch, row: 0, column: tile.columns.lowerBound) * size, target)
      tiles.finish(first, rows: tile.rows.count, columns: tile.columns.count, target, scratch: scratch)
    }
  }

  private func multiply(
    _ tile: MatmulShape.Tile, _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer,
    _ target: TileEpilogue.Target
  ) {
    product.multiply(
      m: tile.rows.count, n: tile.columns.count, k: shape.k,
      OpenBLASProduct.Factor(a, self.a.order), OpenBLASProduct.Factor(b, self.b.order), target.pointer,
      leading: target.leading)
  }
}

/// The split of a product into tiles; it depends only on the shape.
struct MatmulShape {
  struct Tile {
    var batch: Int
    var rows: Range<Int>
    var columns: Range<Int>
  }

  let batchCount: Int
  let m: Int
  let n: Int
  let k: Int
  let rowGrain: Int
  let columnGrain: Int

  /// A tile is split only if it has at least twice this number of rows or columns. A tile reads its rows of `a` and its
  /// columns of `b` as a whole, so with smaller tiles, each element would be read more often.
  private static let leastRows = 64
  private static let leastColumns = 128

  init(_ step: Matmul) {
    batchCount = step.batch.elementCount
    (m, n, k) = (step.m, step.n, step.k)
    let work = Matmul.multiplyAdds(results: m * n, terms: max(1, k))
    // A product of fewer than 400 000 multiply-adds, which take about six microseconds, is not split. Larger products
    // have two tiles or more, about one for each 4 million multiply-adds, up to 16. Very large products have at least
    // one tile for each 200 million multiply-adds, so that each core of a large machine gets a few tasks. A tile with
    // more than `tileLimit` elements is split in any case.
    let target = work < 400_000 ? 1 : max(2, min(work / 4_000_000, max(16, work / 200_000_000)))
    var (rows, columns, tiles) = (max(1, m), max(1, n), 1)
    while tiles < target || rows * columns > Self.tileLimit {
      let canSplitRows = rows >= 2 * Self.leastRows
      let canSplitColumns = columns >= 2 * Self.leastColumns
      guard canSplitRows || canSplitColumns else { break }
      if canSplitRows && (rows >= columns || !canSplitColumns) {
        rows = roundUp(rows / 2, toMultipleOf: 16)
      } else {
        columns = roundUp(columns / 2, toMultipleOf: 16)
      }
      tiles *= 2
    }
    (rowGrain, columnGrain) = (rows, columns)
  }

  /// The maximum number of elements of a tile, which stays in memory until its epilogue runs.
  private static let tileLimit = 262_144

  private var rowTiles: Int { ceilDivide(m, rowGrain) }
  private var columnTiles: Int { ceilDivide(n, columnGrain) }
  var taskCount: Int { batchCount * rowTiles * columnTiles }

  func tile(_ index: Int) -> Tile {
    let (rest, column) = index.quotientAndRemainder(dividingBy: columnTiles)
    let (batch, row) = rest.quotientAndRemainder(dividingBy: rowTiles)
    return Tile(
      batch: batch, rows: blockRange(row, size: rowGrain, count: m),
      columns: blockRange(column, size: columnGrain, count: n))
  }
}
