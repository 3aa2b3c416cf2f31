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
  private let rowPacking: Packing
  private let columnPacking: Packing

  /// Who packs a factor, or a task's part of it, and for whom. What other threads have written is slow to read: each
  /// thread packs a small factor for itself.
  private enum Packing { case none, task, thread, shared }

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
  /// The numbers of a factor that each thread packs for itself.
  private static let mostOwnColumnNumbers = 1 << 16
  private static let mostOwnRowNumbers = 1 << 17

  /// - Parameter batchCount: how many products there are.
  init(
    m: Int, n: Int, k: Int, batchCount: Int, left: Order, right: Order, _ lane: Lane, _ builder: StepBuilder
  ) {
    (self.m, self.n, self.k) = (m, n, k)
    kernels = BlockKernels(lane, builder)
    method = m == 1 ? .vector : n <= 16 && !left.isTransposed ? .narrow : .blocks
    let width = kernels.panelWidth
    let panels = max(1, (n + width - 1) / width)
    let isInPlace =
      method == .vector
      || kernels.canReadInPlace(columns: n, right.isTransposed) && right.leading <= Self.longestRowInPlace
    var packing: (rows: Packing, columns: Packing) = (method == .blocks ? .task : .none, isInPlace ? .none : .task)
    var grain = (rows: max(1, m), panels: panels)
    if m * n * k < Self.leastWork {
      // One task.
    } else if method == .vector {
      grain.panels = max(1, Self.vectorColumns / width)
    } else if batchCount == 1, m >= 2 * Self.leastRows, n * k <= Self.mostOwnColumnNumbers {
      grain.rows = (m + m / Self.leastRows - 1) / (m / Self.leastRows)
      if !isInPlace { packing.columns = .thread }
    } else {
      let wanted = batchCount >= 16 ? 1 : 16
      let ownsRows =
        batchCount == 1 && method == .blocks && m <= Self.mostRows && n >= 4 * width && m * k <= Self.mostOwnRowNumbers
      let blocks =
        ownsRows ? 1 : max(1, (m + Self.mostRows - 1) / Self.mostRows, min(m / Self.leastRows, wanted / panels))
      grain.rows = (m + blocks - 1) / blocks
      let balanced = ownsRows ? 1 : panels * blocks * batchCount / 32
      let enough = Self.leastWork / (grain.rows * width * k)
      grain.panels = min(panels, max(1, min(8, balanced), enough))
      if batchCount == 1 {
        if ownsRows {
          packing.rows = .thread
        } else if method == .blocks, grain.panels < panels {
          packing.rows = .shared
        }
        if blocks > 1, !isInPlace { packing.columns = .shared }
      }
    }
    rowGrain = min(max(1, m), (grain.rows + 11) / 12 * 12)
    columnGrain = grain.panels * width
    (rowPacking, columnPacking) = packing
  }

  private var depths: Int { (k + Self.depth - 1) / Self.depth }
  private var rowTasks: Int { (m + rowGrain - 1) / rowGrain }
  private var columnTasks: Int { (n + columnGrain - 1) / columnGrain }
  var taskCount: Int { rowTasks * columnTasks }

  /// The bytes of a task's rows, packed.
  private var rowByteCount: Int { kernels.sliverByteCount(rows: rowGrain, k: min(k, Self.depth)) }
  private var allRowsByteCount: Int { depths * rowTasks * rowByteCount }

  /// Where packed factors are in a thread's own memory, after a word that says whether its own factor is there.
  private static let markByteCount = 64
  private var ownColumnsOffset: Int {
    let rows = rowPacking == .task ? rowByteCount : rowPacking == .thread ? allRowsByteCount : 0
    return Self.markByteCount + rows
  }
  /// Bytes of a thread's own.
  var workspaceByteCount: Int {
    let columns =
      columnPacking == .task
      ? kernels.panelByteCount(columns: columnGrain, k: min(k, Self.depth))
      : columnPacking == .thread ? kernels.panelByteCount(columns: n, k: k) : 0
    return ownColumnsOffset + columns
  }
  private var sharedColumnsOffset: Int { rowPacking == .shared ? allRowsByteCount : 0 }
  /// Bytes that all threads share.
  var sharedByteCount: Int {
    sharedColumnsOffset + (columnPacking == .shared ? kernels.panelByteCount(columns: n, k: k) : 0)
  }

  /// The elements of a task; tasks that follow each other read the same columns.
  func tile(_ task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (column, row) = task.quotientAndRemainder(dividingBy: rowTasks)
    return (
      (row * rowGrain)..<min((row + 1) * rowGrain, m), (column * columnGrain)..<min((column + 1) * columnGrain, n)
    )
  }

  /// Packs what all threads read.
  func pack(_ a: BlockKernels.Factor, _ b: BlockKernels.Factor, shared: UnsafeMutableRawPointer, _ pool: ThreadPool) {
    let panels = columnPacking == .shared ? (n + kernels.panelWidth - 1) / kernels.panelWidth : 0
    pool.run(panels + (rowPacking == .shared ? depths * rowTasks : 0)) { task, _ in
      if task < panels {
        packPanels(task..<(task + 1), b, shared + sharedColumnsOffset)
      } else {
        packRows(task - panels, a, shared)
      }
    }
  }

  /// Before the tasks of a run: what a thread packed for another run is not there any more.
  func forget(_ workspace: UnsafeMutableRawPointer) { workspace.storeBytes(of: 0, as: Int.self) }

  /// Packs what a thread keeps for all of its tasks, before the first of them.
  private func packOwn(_ a: BlockKernels.Factor, _ b: BlockKernels.Factor, _ workspace: UnsafeMutableRawPointer) {
    guard rowPacking == .thread || columnPacking == .thread, workspace.load(as: Int.self) == 0 else { return }
    workspace.storeBytes(of: 1, as: Int.self)
    if rowPacking == .thread {
      for part in 0..<depths * rowTasks { packRows(part, a, workspace + Self.markByteCount) }
    }
    if columnPacking == .thread {
      packPanels(0..<((n + kernels.panelWidth - 1) / kernels.panelWidth), b, workspace + ownColumnsOffset)
    }
  }

  /// Some of the panels of all columns.
  private func packPanels(_ panels: Range<Int>, _ b: BlockKernels.Factor, _ target: UnsafeMutableRawPointer) {
    let first = panels.lowerBound * kernels.panelWidth
    kernels.packColumns(
      min(n, panels.upperBound * kernels.panelWidth) - first, k: k, b.moved(column: first, kernels.lane),
      target + first * k * kernels.lane.byteCount, height: k)
  }

  /// One part of all rows: the rows of a task for a chain's length of k.
  private func packRows(_ part: Int, _ a: BlockKernels.Factor, _ target: UnsafeMutableRawPointer) {
    let (block, task) = part.quotientAndRemainder(dividingBy: rowTasks)
    let (first, start) = (task * rowGrain, block * Self.depth)
    kernels.packRows(
      min(rowGrain, m - first), k: min(Self.depth, k - start), a.moved(row: first, column: start, kernels.lane),
      target + part * rowByteCount)
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
    packOwn(a, b, workspace)
    for start in stride(from: 0, through: max(0, k - 1), by: Self.depth) {
      let count = min(Self.depth, k - start)
      let panels = panels(columns, start, b, shared: shared, workspace: workspace)
      let source = a.moved(row: rows.lowerBound, column: start, lane)
      if method == .narrow {
        kernels.multiplyNarrow(m: m, n: n, k: count, source, panels, c, leading: leading, accumulates: start > 0)
        continue
      }
      var slivers = workspace + Self.markByteCount
      if rowPacking == .task {
        kernels.packRows(m, k: count, source, slivers)
      } else {
        let part = start / Self.depth * rowTasks + rows.lowerBound / rowGrain
        slivers = (rowPacking == .shared ? shared : slivers) + part * rowByteCount
      }
      kernels.multiply(m: m, n: n, k: count, slivers, panels, c, leading: leading, accumulates: start > 0)
    }
  }

  /// The panels of a task's columns from row `start` of b on.
  private func panels(
    _ columns: Range<Int>, _ start: Int, _ b: BlockKernels.Factor, shared: UnsafeRawPointer,
    workspace: UnsafeMutableRawPointer
  ) -> csimd_panels {
    let own = workspace + ownColumnsOffset
    let first = columns.lowerBound * k * kernels.lane.byteCount
    let source = b.moved(row: start, column: columns.lowerBound, kernels.lane)
    switch columnPacking {
    case .none: return kernels.inPlace(source)
    case .shared: return kernels.packed(shared + sharedColumnsOffset + first, height: k, first: start)
    case .thread: return kernels.packed(own + first, height: k, first: start)
    case .task:
      let count = min(Self.depth, k - start)
      kernels.packColumns(columns.count, k: count, source, own, height: count)
      return kernels.packed(own, height: count)
    }
  }
}
