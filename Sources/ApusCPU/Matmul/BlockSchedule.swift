/// How a product of matrices of floating-point numbers is cut into tasks, and who packs its factors: chosen by its
/// shape, the caches and, where tasks are few, the number of threads; no sum depends on it.
struct BlockSchedule {
  enum Method { case blocks, narrow, vector }

  /// Who packs a factor, or a task's part of it, and for whom. What other threads have written is slow to read: each
  /// thread packs a small factor for itself.
  enum Packing { case none, task, thread, shared }

  /// Products of the same shape, their factors in the same order.
  struct Products {
    var m: Int
    var n: Int
    var k: Int
    var count: Int
    var left: MatrixOrder
    var right: MatrixOrder
    /// Whether all products have the same left factor.
    var isLeftRepeated = false

    fileprivate var work: Int { m * n * k }

    fileprivate var method: Method { m == 1 ? .vector : n <= 16 ? .narrow : .blocks }

    /// Whether factors of bfloat16 numbers are worth packing in pairs: few rows read columns where they lie.
    var paysPairs: Bool { method == .blocks && (m >= 32 || right.isTransposed) }

    /// Whether results are so few beside what they are sums of that a second-level cache holds a task's share of them
    /// and of both factors for a chain's length of k. Gradients of the weights of dense layers are such products.
    fileprivate var isDeep: Bool {
      let (short, long) = (min(m, n), max(m, n))
      return count == 1 && left.isTransposed && !right.isTransposed && short >= 192 && short <= 512 && long >= 512
        && k >= 4 * BlockSchedule.depth && k >= 2 * short
    }
  }

  let method: Method
  /// The rows of a task.
  private(set) var rowGrain: Int
  /// The panels of columns of a task.
  private(set) var panelGrain: Int
  private(set) var rowPacking: Packing
  private(set) var columnPacking: Packing
  /// The chains of a task where a product is cut along k, else 0. Tasks then compute chains of the whole product, which
  /// are added up afterwards in their order.
  private(set) var chainGrain = 0

  /// The numbers of a chain along k: a sliver of so many stays in a first-level cache, a block of rows in a
  /// second-level one.
  static let depth = 256
  static let mostRows = 240
  private static let leastRows = 48
  /// If k is at most this, results are most of what a task reads and writes: its rows are long.
  private static let shortDepth = 64
  private static let mostPanels = 8
  /// Columns of a product of one row: memory is read in pieces as long as that.
  private static let vectorColumns = 1024
  /// The same where each column is a line of memory.
  private static let vectorTransposedColumns = 256
  /// The longest row, and the most of them, in which a panel's piece is read where it lies: rows a power of two apart
  /// share the same places of a cache.
  private static let longestRowInPlace = 256
  private static let mostRowsInPlace = 256
  // The next six apply if `Caches.servesFactorsInPlace`, and were measured on 48 KiB of L1 and 2 MiB of L2 (Intel Xeon,
  // Emerald Rapids).

  /// A right factor whose rows are a multiple of this many bytes apart is packed: its rows share sets of the L2 cache.
  private static let distanceOfConflicts = 16384
  /// The right factor is read in place for at most this many rows of the left one: packing pays if it is read more often.
  private static let mostRowsForColumnsInPlace = 192
  /// The left factor is read in place for at most this many columns.
  private static let mostColumnsForRowsInPlace = 256
  /// The same for rows that threads would pack for each other, and read from each other's caches.
  private static let mostColumnsForSharedRowsInPlace = 1024
  /// A transposed left factor is packed if its rows are a page or more apart: each number along k is in another page.
  private static let numbersOfPage = 1024
  /// It is also packed if the distance of its rows times the number of columns of the product is at least this: lines far
  /// apart evict each other before they are read again. A product that is cut along k packs from half of this bound on,
  /// since threads pack in parallel. Measured on 40 shapes: 64x64x3584 is 1.26 times as fast in place, 512x128x3584 is
  /// 1.27 times as fast packed, and 384x256x3584 1.40 times.
  private static let mostDistanceInPlace = 49152
  /// The numbers of a factor that each thread packs for itself: they stay in a second-level cache, and are read often
  /// enough to be worth it.
  private static let mostOwnColumnNumbers = 1 << 18
  private static let mostRowNumbersOfThread = 1 << 17
  private static let manyRows = 768
  /// The rows of a task that takes all columns: few stay in a first-level cache, but of a transposed factor whole
  /// lines of memory are read.
  private static let rowsOfAllColumns = 24
  private static let transposedRowsOfAllColumns = 96
  /// The most rows of such a task if they are read in place, where that balances threads better.
  private static let mostRowsOfAllColumns = 96
  private static let mostDeepRows = 384
  /// Tasks of one product, or of some products, that are enough for all threads to end together.
  private static let enoughBlocks = 16
  private static let enoughTasks = 32
  /// Tasks for each thread below which a product of many chains is cut along k.
  private static let fewTasks = 4

  init(_ products: Products, _ kernels: BlockKernels, threadCount: Int, _ caches: Caches) {
    let (m, n, width) = (products.m, products.n, kernels.panelWidth)
    let panels = max(1, (n + width - 1) / width)
    method = products.method
    let isInPlace = Self.readsColumnsInPlace(products, kernels, caches, k: products.k)
    let readsRowsInPlace = method != .blocks || Self.readsRowsInPlace(products, kernels, caches, isCut: false)
    let chains = (products.k + Self.depth - 1) / Self.depth
    (rowGrain, panelGrain) = (max(1, m), panels)
    (rowPacking, columnPacking) = (readsRowsInPlace ? .none : .task, isInPlace ? .none : .task)
    if products.work < TaskLimits.multiplyAddCount { return }
    let mostOwnColumnNumbers = Self.mostOwnColumnNumbers * (m >= Self.manyRows ? 2 : 1)
    if method == .vector {
      panelGrain = max(1, (products.right.isTransposed ? Self.vectorTransposedColumns : Self.vectorColumns) / width)
    } else if products.isDeep {
      cutDeep(products, parts: 2 * threadCount, panels: panels, width: width)
    } else if products.count == 1, m >= 2 * Self.leastRows, n * products.k <= mostOwnColumnNumbers {
      cutRows(products, threadCount: threadCount)
      if !isInPlace { columnPacking = .thread }
    } else if products.count == 1 || products.isLeftRepeated, method == .blocks, n >= 4 * width,
      m <= (products.k <= Self.shortDepth ? 2 : 1) * Self.mostRows, m * products.k <= Self.mostRowNumbersOfThread
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
    let tasks = (m + rowGrain - 1) / rowGrain * ((panels + panelGrain - 1) / panelGrain)
    let cutsChains = tasks < Self.fewTasks * threadCount || Self.paysChains(products, kernels, caches)
    if products.count == 1, cutsChains, chains >= Self.fewTasks * threadCount {
      cutChains(products, chains: chains, panels: panels)
      columnPacking =
        Self.readsColumnsInPlace(products, kernels, caches, k: min(products.k, Self.depth)) ? .none : .task
      rowPacking =
        method != .blocks || Self.readsRowsInPlace(products, kernels, caches, isCut: true) ? .none : .task
    }
  }

  /// Whether the right factor is read where it lies, `k` rows of it at a time.
  private static func readsColumnsInPlace(
    _ products: Products, _ kernels: BlockKernels, _ caches: Caches, k: Int
  ) -> Bool {
    if products.method == .vector { return true }
    guard kernels.canReadInPlace(columns: products.n, products.right.isTransposed) else { return false }
    if products.right.leading <= longestRowInPlace && k <= mostRowsInPlace { return true }
    // Rows without a gap are packed already.
    if products.method == .narrow && products.right.leading == products.n { return true }
    return caches.servesFactorsInPlace && products.m <= mostRowsForColumnsInPlace
      && products.right.leading * kernels.lane.byteCount % distanceOfConflicts != 0
  }

  /// Whether rows can be read where they lie about as fast as packed ones: words of two numbers are always packed.
  private static func canReadRowsInPlace(_ kernels: BlockKernels, _ caches: Caches) -> Bool {
    caches.servesFactorsInPlace && kernels.numbersOfWord == 1
  }

  /// Whether the left factor of blocks is read where it lies.
  /// - Parameter isCut: whether tasks are pieces of k.
  private static func readsRowsInPlace(
    _ products: Products, _ kernels: BlockKernels, _ caches: Caches, isCut: Bool
  ) -> Bool {
    guard canReadRowsInPlace(kernels, caches), products.n <= mostColumnsForRowsInPlace else { return false }
    guard products.left.isTransposed else { return true }
    return products.left.leading < numbersOfPage
      && products.left.leading * products.n * (isCut ? 2 : 1) < mostDistanceInPlace
  }

  /// Whether chains of a narrow product are read faster than rows: a task's rows of a transposed factor lie in as many
  /// pages as there are numbers along k, all rows of a chain lie side by side, and in a second-level cache.
  private static func paysChains(_ products: Products, _ kernels: BlockKernels, _ caches: Caches) -> Bool {
    products.method == .narrow && products.left.isTransposed && products.left.leading >= numbersOfPage / 2
      && caches.servesFactorsInPlace
      && products.left.leading * depth * kernels.lane.byteCount <= caches.secondLevelByteCount
  }

  /// Tasks that take all columns, so that an epilogue runs over whole rows: as large as pays, unless another size
  /// balances the threads better.
  private mutating func cutRows(_ products: Products, threadCount: Int) {
    let most =
      products.left.isTransposed
      ? Self.transposedRowsOfAllColumns : method == .narrow ? Self.leastRows : Self.rowsOfAllColumns
    let fair = (products.m + Self.enoughBlocks / 2 - 1) / (Self.enoughBlocks / 2)
    let least = TaskLimits.multiplyAddCount / (products.n * products.k)
    setRowGrain(max(min(most, fair), least), of: products.m)
    // The rows of the thread that has most of them; a task costs as much as two rows besides.
    func time(_ grain: Int) -> Int {
      let (whole, rest) = products.m.quotientAndRemainder(dividingBy: grain)
      let tasks = (whole + threadCount - 1) / threadCount
      return tasks * (grain + 2) + (whole % threadCount == 0 && rest > 0 ? rest + 2 : 0)
    }
    let largest = rowPacking == .none && method == .blocks ? max(rowGrain, Self.mostRowsOfAllColumns) : rowGrain
    // Narrow rows are multiplied eight at a time where they lie in lines, and sums of columns take 12: 24 has both.
    let step = method == .narrow && !products.left.isTransposed ? 24 : 12
    let others = stride(from: largest / step * step, to: max(least, 12) - 1, by: -step)
    rowGrain = min(products.m, others.reduce(rowGrain) { time($1) < time($0) ? $1 : $0 })
  }

  /// Two tasks for each thread, cut along the longer side; each packs what it reads, as deep as a chain at a time.
  private mutating func cutDeep(_ products: Products, parts: Int, panels: Int, width: Int) {
    rowPacking = .task
    columnPacking = .task
    if products.n > products.m {
      panelGrain = min(2 * Self.mostPanels, max(Self.mostPanels, (panels + parts - 1) / parts))
    } else {
      let fair = (products.m + parts - 1) / parts
      setRowGrain(min(Self.mostDeepRows, max(Self.transposedRowsOfAllColumns, fair)), of: products.m)
    }
  }

  /// Few results of many terms: each task packs and multiplies a piece of k, so that no thread reads all of a factor.
  /// Rows of results are summed as other tasks.
  private mutating func cutChains(_ products: Products, chains: Int, panels: Int) {
    let (m, n) = (products.m, products.n)
    chainGrain = max(1, TaskLimits.multiplyAddCount / (m * n * Self.depth))
    setRowGrain(max(1, TaskLimits.elementCount / (n * chains)), of: m)
    panelGrain = panels
  }

  /// Whole slivers, whose heights divide 12.
  private mutating func setRowGrain(_ rows: Int, of m: Int) { rowGrain = min(m, (rows + 11) / 12 * 12) }

  /// Blocks of rows that stay in a cache, and as many more as all threads need; as many panels as leave enough tasks
  /// that are worth one.
  private mutating func cutBlocks(_ products: Products, panels: Int, width: Int, isInPlace: Bool, sharesRows: Bool) {
    let m = products.m
    let wanted = products.count >= Self.enoughBlocks ? 1 : Self.enoughBlocks
    let blocks = max(1, (m + Self.mostRows - 1) / Self.mostRows, min(m / Self.leastRows, wanted / panels))
    setRowGrain((m + blocks - 1) / blocks, of: m)
    let most = panels * blocks * products.count / Self.enoughTasks
    let least = TaskLimits.multiplyAddCount / (rowGrain * width * products.k)
    panelGrain = min(panels, max(1, min(Self.mostPanels, most), least))
    guard products.count == 1 else { return }
    if rowPacking == .task, panelGrain < panels { rowPacking = sharesRows ? .shared : .none }
    if blocks > 1, !isInPlace { columnPacking = .shared }
  }
}
