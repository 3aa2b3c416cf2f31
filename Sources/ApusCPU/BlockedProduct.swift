import ApusDevice
import CSIMD

/// How a product of matrices of floating-point numbers is cut into tasks and its factors are packed, by its shape
/// alone.
///
/// An element is a sum of chains of `depth` fused multiply-adds, the same in every shape and for every cut.
struct BlockedProduct {
  let m: Int
  let n: Int
  let k: Int
  let rowGrain: Int
  let columnGrain: Int
  let kernels: BlockKernels
  /// Whether a factor is packed by all threads before the product, since more than one task reads it.
  private let sharesRows: Bool
  private let sharesColumns: Bool
  private let isInPlace: Bool

  /// The numbers of a chain along k: a sliver of so many stays in a first-level cache, a block of rows in a
  /// second-level one.
  private static let depth = 256
  private static let mostRows = 240
  private static let leastRows = 48
  /// Multiply-adds of a task that is worth handing out.
  private static let leastWork = 500_000

  /// - Parameter batchCount: how many products there are.
  init(m: Int, n: Int, k: Int, batchCount: Int, isTransposed: Bool, leading: Int, _ lane: Lane, _ builder: StepBuilder)
  {
    (self.m, self.n, self.k) = (m, n, k)
    kernels = BlockKernels(lane, builder)
    let width = kernels.panelWidth
    let panels = max(1, (n + width - 1) / width)
    let work = m * n * k
    if work < Self.leastWork {
      (rowGrain, columnGrain) = (max(1, m), panels * width)
    } else {
      let tasksWanted = batchCount >= 16 ? 1 : 16
      let blocks = max(
        (m + Self.mostRows - 1) / Self.mostRows, min(m / Self.leastRows, tasksWanted / panels))
      let rows = (m + max(1, blocks) - 1) / max(1, blocks)
      rowGrain = (rows + 11) / 12 * 12
      let rowTasks = (m + rowGrain - 1) / rowGrain
      let balanced = panels * rowTasks * batchCount / 32
      let enough = Self.leastWork / (min(rowGrain, m) * width * k)
      columnGrain = min(panels, max(1, min(8, balanced), enough)) * width
    }
    let (rowTasks, columnTasks) = ((m + rowGrain - 1) / rowGrain, (n + columnGrain - 1) / columnGrain)
    isInPlace = kernels.canReadInPlace(columns: n, isTransposed) && leading <= 256
    sharesRows = batchCount == 1 && columnTasks > 1
    sharesColumns = batchCount == 1 && rowTasks > 1 && !isInPlace
  }

  private var rowByteCount: Int { kernels.sliverByteCount(rows: rowGrain, k: min(k, Self.depth)) }
  private var columnByteCount: Int {
    isInPlace || sharesColumns ? 0 : kernels.panelByteCount(columns: columnGrain, k: min(k, Self.depth))
  }
  private var depths: Int { (k + Self.depth - 1) / Self.depth }
  private var rowTasks: Int { (m + rowGrain - 1) / rowGrain }
  private var sharedRowByteCount: Int { sharesRows ? depths * rowTasks * rowByteCount : 0 }

  /// Bytes of a thread's own.
  var workspaceByteCount: Int { (sharesRows ? 0 : rowByteCount) + columnByteCount }
  /// Bytes that all threads share.
  var sharedByteCount: Int {
    sharedRowByteCount + (sharesColumns ? kernels.panelByteCount(columns: n, k: k) : 0)
  }

  private var columnTasks: Int { (n + columnGrain - 1) / columnGrain }
  var taskCount: Int { rowTasks * columnTasks }

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
    let size = kernels.lane.byteCount
    let width = kernels.panelWidth
    let panels = sharesColumns ? (n + width - 1) / width : 0
    let columns = shared + sharedRowByteCount
    pool.run((sharesRows ? depths * rowTasks : 0) + panels) { task, _ in
      if task < panels {
        var source = b
        source.pointer += task * width * b.column * size
        kernels.packColumns(min(width, n - task * width), k: k, source, columns + task * width * k * size, height: k)
      } else {
        let (block, part) = (task - panels).quotientAndRemainder(dividingBy: rowTasks)
        let (first, start) = (part * rowGrain, block * Self.depth)
        let (rows, count) = (min(rowGrain, m - first), min(Self.depth, k - start))
        var source = a
        source.pointer += (first * a.row + start * a.column) * size
        kernels.packRows(rows, k: count, source, shared + (task - panels) * rowByteCount)
      }
    }
  }

  /// `c[rows, columns] = a·b` of a task; factors are those of the whole product.
  func multiply(
    rows: Range<Int>, columns: Range<Int>, _ a: BlockKernels.Factor, _ b: BlockKernels.Factor,
    _ c: UnsafeMutableRawPointer, leading: Int, shared: UnsafeMutableRawPointer, workspace: UnsafeMutableRawPointer
  ) {
    let size = kernels.lane.byteCount
    let width = kernels.panelWidth
    let ownColumns = workspace + (sharesRows ? 0 : rowByteCount)
    for start in stride(from: 0, to: k, by: Self.depth) {
      let count = min(Self.depth, k - start)
      var slivers = workspace
      if sharesRows {
        slivers = shared + (start / Self.depth * rowTasks + rows.lowerBound / rowGrain) * rowByteCount
      } else {
        var source = a
        source.pointer += (rows.lowerBound * a.row + start * a.column) * size
        kernels.packRows(rows.count, k: count, source, slivers)
      }
      var source = b
      source.pointer += (columns.lowerBound * b.column + start * b.row) * size
      let panels: csimd_panels
      if isInPlace {
        panels = kernels.inPlace(source)
      } else if sharesColumns {
        let first = columns.lowerBound / width
        panels = kernels.packed(
          shared + sharedRowByteCount + first * width * k * size, height: k, first: start)
      } else {
        kernels.packColumns(columns.count, k: count, source, ownColumns, height: count)
        panels = kernels.packed(ownColumns, height: count)
      }
      kernels.multiply(
        m: rows.count, n: columns.count, k: count, slivers, panels, c, leading: leading, accumulates: start > 0)
    }
  }
}
