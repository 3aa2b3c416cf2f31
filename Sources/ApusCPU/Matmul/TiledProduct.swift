import ApusDevice
import ApusCSIMD
import ApusSystem

/// A floating-point matrix product `c[m, n] = a[m, k] · b[k, n]`, split into tasks.
///
/// Each result is a sum of accumulation chains, each over at most `BlockSchedule.depth` elements along k, whatever m, n
/// and the split are. A chain adds one product after another. Only the matrix unit for bfloat16 factors
/// (`PairUnit.matrix`) adds several products at once, in the order that loops_amx.h defines.
///
/// "Rows" are rows of `a`, which are packed to slivers; "columns" are columns of `b`, which are packed to panels.
struct TiledProduct {
  let m: Int
  let n: Int
  let k: Int
  let rowGrain: Int
  let columnGrain: Int
  let kernels: BlockKernels
  private let schedule: BlockSchedule

  /// - Parameter factors: the type that the factors' elements are rounded to.
  init(_ products: BlockSchedule.Products, _ lane: Lane, factors: DType, _ builder: StepBuilder) {
    (m, n, k) = (products.m, products.n, products.k)
    kernels = BlockKernels(lane, pairs: products.packsPairs ? builder.pairs(of: factors) : nil, builder)
    schedule = BlockSchedule(products, kernels, threadCount: builder.threadCount, builder.caches)
    rowGrain = schedule.rowGrain
    columnGrain = schedule.panelGrain * kernels.panelWidth
  }

  private static let depth = BlockSchedule.depth
  private static let cachedByteCount = 1 << 20
  /// The maximum number of bytes of columns that are prefetched before they are packed: the L2 cache also has to hold
  /// the packed columns.
  private static let mostPrefetchedByteCount = 1 << 16
  private var depths: Int { ceilDivide(k, Self.depth) }
  private var cutsChains: Bool { schedule.chainGrain > 0 }
  /// The rows that a split-K task packs at a time.
  private var rowsOfChain: Int { min(m, BlockSchedule.mostRows) }
  private var rowTasks: Int { ceilDivide(m, rowGrain) }
  private var columnTasks: Int { ceilDivide(n, columnGrain) }
  var taskCount: Int { rowTasks * columnTasks }

  /// The bytes of a task's packed rows for one chain.
  private var rowByteCount: Int {
    kernels.sliverByteCount(rows: cutsChains ? rowsOfChain : rowGrain, k: min(k, Self.depth))
  }
  private var allRowsByteCount: Int { depths * rowTasks * rowByteCount }

  /// A thread's memory begins with a flag, which is set if the thread has packed its own copies of factors. The packed
  /// factors follow the flag.
  private static let markByteCount = 64
  private var ownColumnsOffset: Int {
    let rows = schedule.rowPacking == .task ? rowByteCount : schedule.rowPacking == .thread ? allRowsByteCount : 0
    return Self.markByteCount + rows
  }
  /// Bytes of a thread's own memory.
  var workspaceByteCount: Int {
    let columns =
      schedule.columnPacking == .task
      ? kernels.panelByteCount(columns: columnGrain, k: min(k, Self.depth))
      : schedule.columnPacking == .thread ? kernels.panelByteCount(columns: n, k: k) : 0
    return ownColumnsOffset + columns
  }
  private var sharedColumnsOffset: Int { schedule.rowPacking == .shared ? allRowsByteCount : 0 }
  /// Bytes that all threads share.
  var sharedByteCount: Int {
    if cutsChains { return depths * chainByteCount }
    return sharedColumnsOffset + (schedule.columnPacking == .shared ? kernels.panelByteCount(columns: n, k: k) : 0)
  }

  /// The bytes of one chain's partial sums of all results.
  private var chainByteCount: Int { m * n * kernels.lane.byteCount }

  /// The results that a task computes; most consecutive tasks read the same columns.
  func tile(_ task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (column, row) = task.quotientAndRemainder(dividingBy: rowTasks)
    return (
      blockRange(row, size: rowGrain, count: m), blockRange(column, size: columnGrain, count: n)
    )
  }

  /// Packs shared factors, or computes the chains of a product that is split along k.
  func prepare(
    _ a: BlockKernels.Factor, _ b: BlockKernels.Factor, shared: UnsafeMutableRawPointer, _ workspaces: Workspaces,
    _ pool: ThreadPool
  ) {
    if cutsChains {
      pool.run(ceilDivide(depths, schedule.chainGrain)) { task, worker in
        let first = task * schedule.chainGrain
        for chain in first..<min(first + schedule.chainGrain, depths) {
          multiplyChain(chain, a, b, shared + chain * chainByteCount, workspace: workspaces[worker])
        }
      }
      return
    }
    let panels = schedule.columnPacking == .shared ? ceilDivide(n, kernels.panelWidth) : 0
    pool.run(panels + (schedule.rowPacking == .shared ? depths * rowTasks : 0)) { task, _ in
      if task < panels {
        packPanels(task..<(task + 1), b, shared + sharedColumnsOffset)
      } else {
        packRows(task - panels, a, shared)
      }
    }
  }

  /// Marks a thread's packed factors as invalid; called before the tasks of a run.
  func forget(_ workspace: UnsafeMutableRawPointer) { workspace.storeBytes(of: 0, as: Int.self) }

  /// Packs the factors that a thread uses in all its tasks, before its first task.
  private func packOwn(_ a: BlockKernels.Factor, _ b: BlockKernels.Factor, _ workspace: UnsafeMutableRawPointer) {
    guard schedule.rowPacking == .thread || schedule.columnPacking == .thread, workspace.load(as: Int.self) == 0 else {
      return
    }
    workspace.storeBytes(of: 1, as: Int.self)
    if schedule.rowPacking == .thread {
      for part in 0..<depths * rowTasks { packRows(part, a, workspace + Self.markByteCount) }
    }
    if schedule.columnPacking == .thread {
      packPanels(0..<ceilDivide(n, kernels.panelWidth), b, workspace + ownColumnsOffset)
    }
  }

  /// Packs a range of panels over all of k.
  private func packPanels(_ panels: Range<Int>, _ b: BlockKernels.Factor, _ target: UnsafeMutableRawPointer) {
    let first = panels.lowerBound * kernels.panelWidth
    kernels.packColumns(
      min(n, panels.upperBound * kernels.panelWidth) - first, k: k, b.moved(column: first, kernels.lane),
      target + kernels.panelByteCount(columns: first, k: k), height: k)
  }

  /// Packs the rows of one task for one chain; `part` is `chain · rowTasks + task`.
  private func packRows(_ part: Int, _ a: BlockKernels.Factor, _ target: UnsafeMutableRawPointer) {
    let (block, task) = part.quotientAndRemainder(dividingBy: rowTasks)
    let (rows, terms) = (blockRange(task, size: rowGrain, count: m), blockRange(block, size: Self.depth, count: k))
    kernels.packRows(
      rows.count, k: terms.count, a.moved(row: rows.lowerBound, column: terms.lowerBound, kernels.lane),
      target + part * rowByteCount)
  }

  /// Computes a task's `c[rows, columns] = a·b`; `a` and `b` are the factors of the whole product.
  func multiply(
    rows: Range<Int>, columns: Range<Int>, _ a: BlockKernels.Factor, _ b: BlockKernels.Factor,
    _ c: UnsafeMutableRawPointer, leading: Int, shared: UnsafeMutableRawPointer, workspace: UnsafeMutableRawPointer
  ) {
    let lane = kernels.lane
    let (m, n) = (rows.count, columns.count)
    if cutsChains {
      let first = (rows.lowerBound * self.n + columns.lowerBound) * lane.byteCount
      kernels.sumChains(
        rows: m, columns: n, chains: depths, shared + first, leading: self.n, distance: self.m * self.n, c,
        leading: leading)
      return
    }
    if schedule.method == .vector {
      let source = b.moved(column: columns.lowerBound, lane)
      kernels.multiplyVector(n: n, k: k, depth: Self.depth, a, source, c)
      return
    }
    packOwn(a, b, workspace)
    for start in stride(from: 0, through: max(0, k - 1), by: Self.depth) {
      let count = min(Self.depth, k - start)
      let panels = panels(columns, start, b, shared: shared, workspace: workspace)
      let source = a.moved(row: rows.lowerBound, column: start, lane)
      if schedule.method == .narrow {
        kernels.multiplyNarrow(
          m: m, n: n, k: count, source, panels, c, leading: leading, accumulates: start > 0,
          isFollowed: start + 2 * Self.depth <= k)
        continue
      }
      if schedule.rowPacking == .none {
        kernels.multiply(
          m: m, n: n, k: count, source, panels, c, leading: leading, accumulates: start > 0,
          ahead: columnsAhead(columns, start + Self.depth, b))
        continue
      }
      var (slivers, ahead) = (workspace + Self.markByteCount, csimd_prefetch_block())
      if schedule.rowPacking == .task {
        kernels.packRows(m, k: count, source, slivers)
        // Prefetch the rows for the next chain, or for the first chain of the task that this thread most often runs
        // next.
        let next = start + Self.depth
        ahead = rowsAhead(next < k ? rows.lowerBound : rows.upperBound, most: m, column: next < k ? next : 0, a)
      } else {
        ahead = columnsAhead(columns, start + Self.depth, b)
        let part = start / Self.depth * rowTasks + rows.lowerBound / rowGrain
        slivers = (schedule.rowPacking == .shared ? shared : slivers) + part * rowByteCount
      }
      kernels.multiply(
        m: m, n: n, k: count, slivers, panels, c, leading: leading, accumulates: start > 0, ahead: ahead)
    }
  }

  /// The memory of `a` to prefetch: at most `most` rows from `row` on, for the chain that begins at `column`.
  private func rowsAhead(_ row: Int, most: Int, column: Int, _ a: BlockKernels.Factor) -> csimd_prefetch_block {
    // A small factor is in an L2 cache already.
    guard m * k * kernels.lane.byteCount > Self.cachedByteCount else { return csimd_prefetch_block() }
    return kernels.ahead(
      rows: min(most, m - row), k: min(Self.depth, k - column), a.moved(row: row, column: column, kernels.lane))
  }

  /// The memory of `b` to prefetch: this task's columns for the chain that begins at row `start` of `b`; after the last
  /// chain, the next task's columns for the first chain.
  ///
  /// Nothing is prefetched if several tasks read the same columns, if `b` is small enough for an L2 cache, or if the
  /// columns are packed before the task runs. If the task itself packs the columns, those for one chain must be few
  /// enough to stay in an L2 cache until they are packed.
  private func columnsAhead(_ columns: Range<Int>, _ start: Int, _ b: BlockKernels.Factor) -> csimd_prefetch_block {
    let bytesOfChain = columns.count * min(Self.depth, k) * kernels.lane.byteCount
    let readsColumns =
      schedule.columnPacking == .none || schedule.columnPacking == .task && bytesOfChain <= Self.mostPrefetchedByteCount
    guard rowTasks == 1, readsColumns, n * k * kernels.lane.byteCount > Self.cachedByteCount else {
      return csimd_prefetch_block()
    }
    let (row, first) = start < k ? (start, columns.lowerBound) : (0, columns.upperBound)
    return kernels.ahead(
      columns: min(columns.count, n - first), k: min(Self.depth, k - row),
      b.moved(row: row, column: first, kernels.lane))
  }

  /// Computes one chain of every result, as partial sums `[m, n]`.
  private func multiplyChain(
    _ chain: Int, _ a: BlockKernels.Factor, _ b: BlockKernels.Factor, _ c: UnsafeMutableRawPointer,
    workspace: UnsafeMutableRawPointer
  ) {
    let terms = blockRange(chain, size: Self.depth, count: k)
    let (start, count) = (terms.lowerBound, terms.count)
    let source = a.moved(column: start, kernels.lane)
    if schedule.method == .vector {
      kernels.multiplyVector(n: n, k: count, depth: count, source, b.moved(row: start, kernels.lane), c)
      return
    }
    let panels = panels(0..<n, start, b, shared: c, workspace: workspace)
    if schedule.method == .narrow {
      kernels.multiplyNarrow(
        m: m, n: n, k: count, source, panels, c, leading: n, accumulates: false, isFollowed: false)
      return
    }
    if schedule.rowPacking == .none {
      kernels.multiply(m: m, n: n, k: count, source, panels, c, leading: n, accumulates: false)
      return
    }
    let slivers = workspace + Self.markByteCount
    for row in stride(from: 0, to: m, by: rowsOfChain) {
      let rows = min(rowsOfChain, m - row)
      kernels.packRows(rows, k: count, source.moved(row: row, kernels.lane), slivers)
      // Prefetch the next rows, or the first rows of the chain that this thread most often computes next.
      let next = row + rows < m ? (row: row + rows, column: start) : (row: 0, column: min(start + Self.depth, k))
      kernels.multiply(
        m: rows, n: n, k: count, slivers, panels, c + row * n * kernels.lane.byteCount, leading: n, accumulates: false,
        ahead: rowsAhead(next.row, most: rowsOfChain, column: next.column, a))
    }
  }

  /// The panels of a task's columns, starting at row `start` of `b`.
  private func panels(
    _ columns: Range<Int>, _ start: Int, _ b: BlockKernels.Factor, shared: UnsafeRawPointer,
    workspace: UnsafeMutableRawPointer
  ) -> csimd_panels {
    let own = workspace + ownColumnsOffset
    let first = kernels.panelByteCount(columns: columns.lowerBound, k: k)
    let source = b.moved(row: start, column: columns.lowerBound, kernels.lane)
    switch schedule.columnPacking {
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
