import ApusDevice
import ApusSystem

/// The split of a floating-point matrix product into tasks, and the packing of its factors. Both depend on the shape,
/// the caches and the number of threads. The order in which the terms of a result are summed does not depend on the
/// split.
struct BlockSchedule {
  enum Method { case blocks, narrow, vector }

  /// How a factor is packed. `none`: tasks read the factor in place. `task`: each task packs what it reads. `thread`:
  /// each thread packs the whole factor for its tasks. `shared`: all threads together pack one copy for all tasks. A
  /// small factor is packed by each thread, because a thread would read most of a shared copy from the caches of other
  /// cores.
  enum Packing { case none, task, thread, shared }

  /// Products with the same shape and the same factor layouts.
  struct Products {
    var m: Int
    var n: Int
    var k: Int
    var count: Int
    var left: MatrixOrder
    var right: MatrixOrder
    /// Whether all products have the same left factor.
    var isLeftRepeated = false

    fileprivate var work: Int { Matmul.multiplyAdds(results: m * n, terms: k) }

    fileprivate var method: Method { m == 1 ? .vector : n <= 16 ? .narrow : .blocks }

    /// Whether bfloat16 factors are packed in pairs (words of two elements along k); only the method `blocks` packs
    /// pairs. A product of fewer than 32 rows packs pairs only if its right factor is transposed. A right factor that
    /// is not transposed may be read in place, without packing, but only as single elements.
    var packsPairs: Bool { method == .blocks && (m >= 32 || right.isTransposed) }

    /// Whether this is a single product of few results with many terms, in which only the left factor is transposed.
    /// Weight gradients of dense layers are such products. The smaller of m and n is so small that an L2 cache holds
    /// the results of a task and, for one chain, the elements of both factors. A chain is `depth` consecutive terms of
    /// each sum.
    fileprivate var isDeep: Bool {
      let (short, long) = (min(m, n), max(m, n))
      return count == 1 && left.isTransposed && !right.isTransposed && short >= 192 && short <= 512 && long >= 512
        && k >= 4 * BlockSchedule.depth && k >= 2 * short
    }
  }

  let method: Method
  /// Rows per task.
  private(set) var rowGrain: Int
  /// Panels of columns per task.
  private(set) var panelGrain: Int
  private(set) var rowPacking: Packing
  private(set) var columnPacking: Packing
  /// Chains per task of a product that is split along k (split-K), otherwise 0. A task of such a product computes some
  /// chains of all results; afterwards, other tasks add the chains in their order.
  private(set) var chainGrain = 0

  /// The length of a chain along k. A sliver (the packed rows of one tile) of this length stays in an L1 cache, and
  /// `mostRows` packed rows of this length stay in an L2 cache.
  static let depth = 256
  static let mostRows = 240
  /// The minimum number of rows per block when blocks are made smaller to get more tasks; also the preferred number of
  /// rows per task of a narrow product.
  private static let leastRows = 48
  /// If k is at most this number, tasks have long rows, because most of their memory traffic is the writing of results.
  private static let shortDepth = 64
  /// The number of panels of columns that a task should have, if enough tasks remain.
  private static let mostPanels = 8
  /// Columns per task of a product with one row: a task reads this number of contiguous elements of each row of the
  /// right factor.
  private static let vectorColumns = 1024
  /// Columns per task of a product with one row and a transposed right factor, whose columns are contiguous.
  private static let vectorTransposedColumns = 256
  /// In elements: a right factor that kernels can read in place is read in place if its row stride is at most this
  /// number and it has at most `mostRowsInPlace` rows. Rows at larger power-of-two strides map to the same cache sets.
  private static let longestRowInPlace = 256
  /// The maximum number of rows of such a right factor; see `longestRowInPlace`.
  private static let mostRowsInPlace = 256
  // The next six limits apply if `Caches.favorsUnpackedFactors`, and were measured with 48 KiB of L1 and 2 MiB of L2
  // (Intel Xeon, Emerald Rapids).

  /// In bytes: a right factor is packed if its row stride is a multiple of this number, because its rows then map to
  /// the same L2 cache sets.
  private static let conflictStride = 16384
  /// The right factor is read in place if the left factor has at most this number of rows. With more rows, packing
  /// pays, because more tiles read each packed panel.
  private static let mostRowsForColumnsInPlace = 192
  /// The left factor is read in place if the product has at most this number of columns.
  private static let mostColumnsForRowsInPlace = 256
  /// This limit replaces `mostColumnsForRowsInPlace` if packed rows would be in memory that tasks share: a task would
  /// then read packed rows from the caches of other cores.
  private static let mostColumnsForSharedRowsInPlace = 1024
  /// The number of float32 elements in a memory page of 4 KiB. A transposed left factor is packed if its stride along k
  /// is at least this number, because each element along k is then in a different page.
  private static let elementsPerPage = 1024
  /// A transposed left factor is also packed if its stride in elements times the number of columns of the product is at
  /// least this number: cache lines far apart evict each other before they are read again. The limit of a product that
  /// is split along k is half as large, because its threads pack in parallel. Measured on 40 shapes: 64x64x3584 is 1.26
  /// times as fast in place; 512x128x3584 and 384x256x3584 are 1.27 and 1.40 times as fast packed.
  private static let mostDistanceInPlace = 49152
  /// Each thread may pack its own copy of a right factor with at most this number of elements. The copy stays in an L2
  /// cache.
  private static let mostOwnRightElements = 1 << 18
  /// Each thread may pack its own copy of a left factor with at most this number of elements.
  private static let mostOwnLeftElements = 1 << 17
  /// A product with at least this number of rows reads each thread's copy of the right factor more often than smaller
  /// products do, so the factor may have twice `mostOwnRightElements` elements.
  private static let manyRows = 768
  /// Rows per task, for tasks that compute all columns: so few rows of the left factor stay in an L1 cache.
  private static let rowsOfAllColumns = 24
  /// As `rowsOfAllColumns`, for a transposed left factor: tasks need enough rows to read whole cache lines.
  private static let transposedRowsOfAllColumns = 96
  /// The maximum number of rows of a task that computes all columns, if the rows are read in place and more rows
  /// balance the threads better.
  private static let mostRowsOfAllColumns = 96
  /// The maximum number of rows per task of a product with `isDeep`.
  private static let mostDeepRows = 384
  /// With at least this number of blocks of rows and columns, all threads get about equal work.
  private static let enoughBlocks = 16
  /// The number of tasks that must remain when the panels per task are increased.
  private static let enoughTasks = 32
  /// A single product is split along k under two conditions: it has at least this number of chains per thread, and (a)
  /// the split of its rows and columns would give fewer tasks per thread than this number, or (b) `paysChains` is true.
  private static let fewTasks = 4

  init(_ products: Products, _ kernels: BlockKernels, threadCount: Int, _ caches: Caches) {
    let (m, n, width) = (products.m, products.n, kernels.panelWidth)
    let panels = max(1, ceilDivide(n, width))
    method = products.method
    let isInPlace = Self.readsColumnsInPlace(products, kernels, caches, k: products.k)
    let readsRowsInPlace = method != .blocks || Self.readsRowsInPlace(products, kernels, caches, isCut: false)
    let chains = ceilDivide(products.k, Self.depth)
    (rowGrain, panelGrain) = (max(1, m), panels)
    (rowPacking, columnPacking) = (readsRowsInPlace ? .none : .task, isInPlace ? .none : .task)
    if products.work < TaskLimits.multiplyAddCount { return }
    let mostOwnRightElements = Self.mostOwnRightElements * (m >= Self.manyRows ? 2 : 1)
    if method == .vector {
      panelGrain = max(1, (products.right.isTransposed ? Self.vectorTransposedColumns : Self.vectorColumns) / width)
    } else if products.isDeep {
      cutDeep(products, parts: 2 * threadCount, panels: panels, width: width)
    } else if products.count == 1, m >= 2 * Self.leastRows, n * products.k <= mostOwnRightElements {
      cutRows(products, threadCount: threadCount)
      if !isInPlace { columnPacking = .thread }
    } else if products.count == 1 || products.isLeftRepeated, method == .blocks, n >= 4 * width,
      m <= (products.k <= Self.shortDepth ? 2 : 1) * Self.mostRows, m * products.k <= Self.mostOwnLeftElements
    {
      let least = max(1, TaskLimits.multiplyAddCount / (m * width * products.k))
      let wide = min(Self.mostPanels, panels * products.count / Self.enoughTasks)
      panelGrain = min(panels, products.k <= Self.shortDepth ? max(least, wide) : least)
      if !readsRowsInPlace { rowPacking = .thread }
    } else {
      let sharesRows =
        !Self.canReadRowsInPlace(kernels, caches) || n > Self.mostColumnsForSharedRowsInPlace
        || products.left.isTransposed
      cutBlocks(products, panels: panels, width: width, isInPlace: isInPlace, sharesRows: sharesRows)
    }
    let tasks = ceilDivide(m, rowGrain) * ceilDivide(panels, panelGrain)
    let cutsChains = tasks < Self.fewTasks * threadCount || Self.paysChains(products, kernels, caches)
    if products.count == 1, cutsChains, chains >= Self.fewTasks * threadCount {
      cutChains(products, chains: chains, panels: panels)
      columnPacking =
        Self.readsColumnsInPlace(products, kernels, caches, k: min(products.k, Self.depth)) ? .none : .task
      rowPacking =
        method != .blocks || Self.readsRowsInPlace(products, kernels, caches, isCut: true) ? .none : .task
    }
  }

  /// Whether the right factor is read in place, `k` rows at a time.
  private static func readsColumnsInPlace(
    _ products: Products, _ kernels: BlockKernels, _ caches: Caches, k: Int
  ) -> Bool {
    if products.method == .vector { return true }
    guard kernels.canReadInPlace(columns: products.n, products.right.isTransposed) else { return false }
    if products.right.leading <= longestRowInPlace && k <= mostRowsInPlace { return true }
    // A narrow factor without gaps between its rows is contiguous, like a packed factor.
    if products.method == .narrow && products.right.leading == products.n { return true }
    return caches.favorsUnpackedFactors && products.m <= mostRowsForColumnsInPlace
      && products.right.leading * kernels.lane.byteCount % conflictStride != 0
  }

  /// Whether rows of the left factor may be read in place (see `Caches.favorsUnpackedFactors`). Words of two elements
  /// are always packed.
  private static func canReadRowsInPlace(_ kernels: BlockKernels, _ caches: Caches) -> Bool {
    caches.favorsUnpackedFactors && kernels.elementsPerWord == 1
  }

  /// Whether the left factor is read in place by the method `blocks`.
  /// - Parameter isCut: whether the product is split along k.
  private static func readsRowsInPlace(
    _ products: Products, _ kernels: BlockKernels, _ caches: Caches, isCut: Bool
  ) -> Bool {
    guard canReadRowsInPlace(kernels, caches), products.n <= mostColumnsForRowsInPlace else { return false }
    guard products.left.isTransposed else { return true }
    return products.left.leading < elementsPerPage
      && products.left.leading * products.n * (isCut ? 2 : 1) < mostDistanceInPlace
  }

  /// Whether the tasks of a narrow product (n ≤ 16) with a transposed left factor are chains rather than rows. A task
  /// of rows would read, at each index along k, a few elements in a different memory page. A task of one chain reads
  /// the elements of all rows, which are adjacent and fit into an L2 cache.
  private static func paysChains(_ products: Products, _ kernels: BlockKernels, _ caches: Caches) -> Bool {
    products.method == .narrow && products.left.isTransposed && products.left.leading >= elementsPerPage / 2
      && caches.favorsUnpackedFactors
      && products.left.leading * depth * kernels.lane.byteCount <= caches.secondLevelByteCount
  }

  /// Splits the rows. Tasks compute all columns, so that an epilogue runs over whole rows. The preferred number of rows
  /// is replaced by another number if that balances the threads better.
  private mutating func cutRows(_ products: Products, threadCount: Int) {
    let most =
      products.left.isTransposed
      ? Self.transposedRowsOfAllColumns : method == .narrow ? Self.leastRows : Self.rowsOfAllColumns
    let fair = ceilDivide(products.m, Self.enoughBlocks / 2)
    let least = TaskLimits.multiplyAddCount / (products.n * products.k)
    setRowGrain(max(min(most, fair), least), of: products.m)
    // The time of the thread with the most rows, in units of the time of one row; each task adds two units.
    func time(_ grain: Int) -> Int {
      let (whole, rest) = products.m.quotientAndRemainder(dividingBy: grain)
      let tasks = ceilDivide(whole, threadCount)
      return tasks * (grain + 2) + (whole % threadCount == 0 && rest > 0 ? rest + 2 : 0)
    }
    let largest = rowPacking == .none && method == .blocks ? max(rowGrain, Self.mostRowsOfAllColumns) : rowGrain
    // Narrow products multiply eight contiguous rows at a time, and column sums need groups of 12 rows: 24 is a
    // multiple of both.
    let step = method == .narrow && !products.left.isTransposed ? 24 : 12
    let others = stride(from: largest / step * step, to: max(least, 12) - 1, by: -step)
    rowGrain = min(products.m, others.reduce(rowGrain) { time($1) < time($0) ? $1 : $0 })
  }

  /// Splits the longer of m and n into about two tasks per thread; each task packs its factors one chain at a time.
  private mutating func cutDeep(_ products: Products, parts: Int, panels: Int, width: Int) {
    rowPacking = .task
    columnPacking = .task
    if products.n > products.m {
      panelGrain = min(2 * Self.mostPanels, max(Self.mostPanels, ceilDivide(panels, parts)))
    } else {
      let fair = ceilDivide(products.m, parts)
      setRowGrain(min(Self.mostDeepRows, max(Self.transposedRowsOfAllColumns, fair)), of: products.m)
    }
  }

  /// Splits k, for products with few results of many terms. A task packs and multiplies a range of chains, so that no
  /// thread reads a whole factor. Then other tasks add the chains, each for a range of rows.
  private mutating func cutChains(_ products: Products, chains: Int, panels: Int) {
    let (m, n) = (products.m, products.n)
    chainGrain = max(1, TaskLimits.multiplyAddCount / (m * n * Self.depth))
    setRowGrain(max(1, TaskLimits.elementCount / (n * chains)), of: m)
    panelGrain = panels
  }

  /// Rounds the rows of a task up to whole slivers, whose heights divide 12.
  private mutating func setRowGrain(_ rows: Int, of m: Int) { rowGrain = min(m, roundUp(rows, toMultipleOf: 12)) }

  /// Splits rows and columns. A block of rows stays in a cache; if that gives too few tasks for the threads, there are
  /// more and smaller blocks. A task has up to `mostPanels` panels while `enoughTasks` tasks remain, but at least
  /// `TaskLimits.multiplyAddCount` multiply-adds.
  private mutating func cutBlocks(_ products: Products, panels: Int, width: Int, isInPlace: Bool, sharesRows: Bool) {
    let m = products.m
    let wanted = products.count >= Self.enoughBlocks ? 1 : Self.enoughBlocks
    let blocks = max(1, ceilDivide(m, Self.mostRows), min(m / Self.leastRows, wanted / panels))
    setRowGrain(ceilDivide(m, blocks), of: m)
    let most = panels * blocks * products.count / Self.enoughTasks
    let least = TaskLimits.multiplyAddCount / (rowGrain * width * products.k)
    panelGrain = min(panels, max(1, min(Self.mostPanels, most), least))
    guard products.count == 1 else { return }
    if rowPacking == .task, panelGrain < panels { rowPacking = sharesRows ? .shared : .none }
    if blocks > 1, !isInPlace { columnPacking = .shared }
  }
}
