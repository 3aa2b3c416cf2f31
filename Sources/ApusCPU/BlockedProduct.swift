import ApusDevice
import CSIMD

/// How a product of matrices of floating-point numbers is cut into tasks and its factors are packed, by its shape
/// alone.
///
/// An element is a sum of chains of `depth` fused multiply-adds along k, the same in every shape and for every cut.
struct BlockedProduct {
  let m: Int
  let n: Int
  let k: Int
  let rowGrain: Int
  let columnGrain: Int
  let kernels: BlockKernels
  private let method: Method
  /// Whether a factor is packed by all threads before the product, since more than one task reads it.
  private let sharesRows: Bool
  private let sharesColumns: Bool
  private let readsColumnsInPlace: Bool

  private enum Method { case blocks, narrow, vector }

  /// The order of a factor in memory.
  struct Order {
    var isTransposed: Bool
    /// The distance of rows (of columns where it is transposed).
    var leading: Int
  }

  /// The numbers of a chain along k: a sliver of so many stays in a first-level cache, a block of rows in a
  /// second-level one.
  private static let depth = 256
  private static let mostRows = 240
  private static let leastRows = 48
  /// Multiply-adds of a task that is worth handing out.
  private static let leastWork = 500_000
  /// Columns of a product of one row: memory is read in pieces as long as that.
  private static let vectorColumns = 1024
  /// The longest row in which a panel's piece is read where it lies.
  private static let longestRowInPlace = 256

  /// - Parameter batchCount: how many products there are.
  init(
    m: Int, n: Int, k: Int, batchCount: Int, left: Order, right: Order, _ lane: Lane, _ builder: StepBuilder
  ) {
    (self.m, self.n, self.k) = (m, n, k)
    kernels = BlockKernels(lane, builder)
    method = m == 1 ? .vector : n <= 16 && !left.isTransposed ? .narrow : .blocks
    let width = kernels.panelWidth
    let panels = max(1, (n + width - 1) / width)
    if m * n * k < Self.leastWork {
      (rowGrain, columnGrain) = (max(1, m), panels * width)
    } else if method == .vector {
      (rowGrain, columnGrain) = (1, Self.vectorColumns)
    } else {
      let wanted = batchCount >= 16 ? 1 : 16
      let blocks = max(1, (m + Self.mostRows - 1) / Self.mostRows, min(m / Self.leastRows, wanted / panels))
      rowGrain = ((m + blocks - 1) / blocks + 11) / 12 * 12
      let balanced = panels * ((m + rowGrain - 1) / rowGrain) * batchCount / 32
      let enough = Self.leastWork / (min(rowGrain, m) * width * k)
      columnGrain = min(panels, max(1, min(8, balanced), enough)) * width
    }
    let (rowTasks, columnTasks) = ((m + rowGrain - 1) / rowGrain, (n + columnGrain - 1) / columnGrain)
    readsColumnsInPlace =
      kernels.canReadInPlace(columns: n, right.isTransposed) && right.leading <= Self.longestRowInPlace
    sharesRows = method == .blocks && batchCount == 1 && columnTasks > 1
    sharesColumns = method != .vector && batchCount == 1 && rowTasks > 1 && !readsColumnsInPlace
  }

  private var depths: Int { (k + Self.depth - 1) / Self.depth }
  private var rowTasks: Int { (m + rowGrain - 1) / rowGrain }
  private var columnTasks: Int { (n + columnGrain - 1) / columnGrain }
  var taskCount: Int { rowTasks * columnTasks }

  /// The bytes of a task's rows, and of its columns, that are packed.
  private var rowByteCount: Int {
    method == .blocks ? kernels.sliverByteCount(rows: rowGrain, k: min(k, Self.depth)) : 0
  }
  private var columnByteCount: Int {
    method == .vector || readsColumnsInPlace || sharesColumns
      ? 0 : kernels.panelByteCount(columns: columnGrain, k: min(k, Self.depth))
  }
  private var sharedRowByteCount: Int { sharesRows ? depths * rowTasks * rowByteCount : 0 }

  /// Bytes of a thread's own.
  var workspaceByteCount: Int { (sharesRows ? 0 : rowByteCount) + columnByteCount }
  /// Bytes that all threads share.
  var sharedByteCount: Int {
    sharedRowByteCount + (sharesColumns ? kernels.panelByteCount(columns: n, k: k) : 0)
  }

  /// The elements of a task; tasks that follow each other read the same columns.
  func tile(_ task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (column, row) = task.quotientAndRemainder(dividingBy: rowTasks)
    return (
      (row * rowGrain)..<min((row + 1) * rowGrain, m), (column * columnGrain)..<min((column + 1) * columnGrain, n)
    )
  }

  /// Packs what more than one task reads.
  func pack(
    _ a: BlockKernels.Factor, _ b: BlockKernels.Factor, _ shared: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    let width = kernels.panelWidth
    let panels = sharesColumns ? (n + width - 1) / width : 0
    let columns = shared + sharedRowByteCount
    pool.run(panels + (sharesRows ? depths * rowTasks : 0)) { task, _ in
      if task < panels {
        kernels.packColumns(
          min(width, n - task * width), k: k, b.moved(column: task * width, kernels.lane),
          columns + task * width * k * kernels.lane.byteCount, height: k)
      } else {
        let (block, part) = (task - panels).quotientAndRemainder(dividingBy: rowTasks)
        let (first, start) = (part * rowGrain, block * Self.depth)
        kernels.packRows(
          min(rowGrain, m - first), k: min(Self.depth, k - start),
          a.moved(row: first, column: start, kernels.lane), shared + (task - panels) * rowByteCount)
      }
    }
  }

  /// `c[rows, columns] = a·b` of a task; factors are those of the whole product.
  func multiply(
    rows: Range<Int>, columns: Range<Int>, _ a: BlockKernels.Factor, _ b: BlockKernels.Factor,
    _ c: UnsafeMutableRawPointer, leading: Int, shared: UnsafeMutableRawPointer, workspace: UnsafeMutableRawPointer
  ) {
    let lane = kernels.lane
    let (m, n) = (rows.count, columns.count)
    if method == .vector {
      let source = b.moved(column: columns.lowerBound, lane)
      kernels.multiplyVector(n: n, k: k, depth: Self.depth, a, source, c)
      return
    }
    for start in stride(from: 0, through: max(0, k - 1), by: Self.depth) {
      let count = min(Self.depth, k - start)
      let panels = panels(
        columns, start, b.moved(row: start, column: columns.lowerBound, lane), shared: shared + sharedRowByteCount,
        workspace: workspace + (sharesRows ? 0 : rowByteCount))
      let source = a.moved(row: rows.lowerBound, column: start, lane)
      if method == .narrow {
        kernels.multiplyNarrow(m: m, n: n, k: count, source, panels, c, leading: leading, accumulates: start > 0)
        continue
      }
      var slivers = workspace
      if sharesRows {
        slivers = shared + (start / Self.depth * rowTasks + rows.lowerBound / rowGrain) * rowByteCount
      } else {
        kernels.packRows(m, k: count, source, slivers)
      }
      kernels.multiply(m: m, n: n, k: count, slivers, panels, c, leading: leading, accumulates: start > 0)
    }
  }

  /// The panels of a task's columns from row `start` on; `b` begins there.
  private func panels(
    _ columns: Range<Int>, _ start: Int, _ b: BlockKernels.Factor, shared: UnsafeRawPointer,
    workspace: UnsafeMutableRawPointer
  ) -> csimd_panels {
    if readsColumnsInPlace { return kernels.inPlace(b) }
    if sharesColumns {
      let first = shared + columns.lowerBound * k * kernels.lane.byteCount
      return kernels.packed(first, height: k, first: start)
    }
    let count = min(Self.depth, k - start)
    kernels.packColumns(columns.count, k: count, b, workspace, height: count)
    return kernels.packed(workspace, height: count)
  }
}
