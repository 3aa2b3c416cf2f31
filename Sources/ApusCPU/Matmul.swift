import ApusDevice
import CSIMD

/// A batched matrix product. Tiles of rows (of columns where there are few rows) are tasks; the epilogue
/// runs on a tile right after its product.
final class MatmulStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let shape: MatmulShape
  private let a: MatmulOperand
  private let b: MatmulOperand
  private let lane: Lane
  private let epilogue: EpilogueKernel
  private let tileByteCount: Int
  private let product: MatrixProduct

  init(_ step: Matmul, _ builder: StepBuilder) throws(DeviceError) {
    lane = step.dtype.lane
    epilogue = try EpilogueKernel(step.epilogue, lanes: [lane], builder)
    shape = MatmulShape(step, needsTile: !epilogue.hasPlace)
    a = MatmulOperand(step.a, rows: step.m, columns: step.k, step, builder, at: 0)
    b = MatmulOperand(
      step.b, rows: step.k, columns: step.n, step, builder, at: a.sharedByteCount)
    product = MatrixProduct(lane, builder)
    tileByteCount =
      epilogue.hasPlace ? 0 : (shape.rowGrain * shape.columnGrain * lane.byteCount + 63) & ~63
    workspaceByteCount = tileByteCount + epilogue.workspaceByteCount
    sharedByteCount = a.sharedByteCount + b.sharedByteCount
  }

  func run(_ context: borrowing RunContext) {
    guard shape.batchCount * shape.m * shape.n > 0 else { return }
    a.convert(context)
    b.convert(context)
    let (frame, workspaces) = (context.frame, context.workspaces)
    let (aBase, bBase) = (a.base(context), b.base(context))
    let place = epilogue.place(frame)
    let size = lane.byteCount
    context.pool.run(shape.taskCount) { index, worker in
      let tile = shape.tile(index)
      let workspace = workspaces[worker]
      let first = (tile.batch * shape.m + tile.rows.lowerBound) * shape.n + tile.columns.lowerBound
      let target = place.map { $0 + first * size } ?? workspace
      multiply(
        tile, aBase + a.position(tile.batch, row: tile.rows.lowerBound, column: 0) * size,
        bBase + b.position(tile.batch, row: 0, column: tile.columns.lowerBound) * size, target,
        stride: place == nil ? tile.columns.count : shape.n)
      finish(tile, first, target, isPlaced: place != nil, frame, workspace + tileByteCount)
    }
  }

  /// The epilogue over a tile: at once where its rows are whole, else row by row.
  private func finish(
    _ tile: MatmulShape.Tile, _ first: Int, _ core: UnsafeMutableRawPointer, isPlaced: Bool,
    _ frame: RunFrame, _ workspace: UnsafeMutableRawPointer
  ) {
    guard epilogue.kernel != nil else { return }
    if tile.columns.count == shape.n {
      let range = first..<(first + tile.rows.count * shape.n)
      epilogue.run(range, core: core, frame, workspace: workspace)
      return
    }
    let stride = (isPlaced ? shape.n : tile.columns.count) * lane.byteCount
    for row in 0..<tile.rows.count {
      let start = first + row * shape.n
      epilogue.run(
        start..<(start + tile.columns.count), core: core + row * stride, frame, workspace: workspace)
    }
  }

  private func multiply(
    _ tile: MatmulShape.Tile, _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer,
    _ c: UnsafeMutableRawPointer, stride: Int
  ) {
    product.multiply(
      m: tile.rows.count, n: tile.columns.count, k: shape.k,
      MatrixProduct.Factor(a, leading: self.a.leading, isTransposed: self.a.isTransposed),
      MatrixProduct.Factor(b, leading: self.b.leading, isTransposed: self.b.isTransposed), c,
      leading: stride)
  }
}

/// How a product is cut, by its shape alone.
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

  /// Tiles smaller than these spend their time on packing.
  private static let leastRows = 64
  private static let leastColumns = 128

  init(_ step: Matmul, needsTile: Bool) {
    batchCount = step.batch.elementCount
    (m, n, k) = (step.m, step.n, step.k)
    let work = m * n * max(1, k)
    // Half a dozen microseconds are worth handing out; a few tasks for each core of a large machine.
    let target = work < 400_000 ? 1 : max(2, min(work / 4_000_000, max(16, work / 200_000_000)))
    var (rows, columns, tiles) = (max(1, m), max(1, n), 1)
    while tiles < target || (needsTile && rows * columns > Self.tileLimit) {
      let canSplitRows = rows >= 2 * Self.leastRows
      let canSplitColumns = columns >= 2 * Self.leastColumns
      guard canSplitRows || canSplitColumns else { break }
      if canSplitRows && (rows >= columns || !canSplitColumns) {
        rows = (rows / 2 + 15) / 16 * 16
      } else {
        columns = (columns / 2 + 15) / 16 * 16
      }
      tiles *= 2
    }
    (rowGrain, columnGrain) = (rows, columns)
  }

  /// Elements of a tile that waits for its epilogue.
  private static let tileLimit = 262_144

  private var rowTiles: Int { (m + rowGrain - 1) / rowGrain }
  private var columnTiles: Int { (n + columnGrain - 1) / columnGrain }
  var taskCount: Int { batchCount * rowTiles * columnTiles }

  func tile(_ index: Int) -> Tile {
    let (rest, column) = index.quotientAndRemainder(dividingBy: columnTiles)
    let (batch, row) = rest.quotientAndRemainder(dividingBy: rowTiles)
    return Tile(
      batch: batch, rows: (row * rowGrain)..<min((row + 1) * rowGrain, m),
      columns: (column * columnGrain)..<min((column + 1) * columnGrain, n))
  }
}
