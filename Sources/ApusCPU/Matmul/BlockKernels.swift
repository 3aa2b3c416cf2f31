import ApusDevice
import ApusCSIMD
import ApusSystem

/// The kernels of floating-point matrix products for one lane (arithmetic type). A micro-kernel computes a tile of the
/// product: it multiplies a sliver, the packed rows of the left factor for this tile, by a panel, the columns of the
/// right factor for this tile, packed or in place.
struct BlockKernels {
  /// A factor with its row and column strides, one of which is 1.
  struct Factor {
    var pointer: UnsafeRawPointer
    var row: Int
    var column: Int

    /// The submatrix that begins at an element.
    func moved(row index: Int = 0, column other: Int = 0, _ lane: Lane) -> Factor {
      Factor(pointer: pointer + (index * row + other * column) * lane.byteCount, row: row, column: column)
    }
  }

  let lane: Lane
  let panelWidth: Int
  /// The number of elements in a word of a packed factor: 2 if factors are multiplied as bfloat16, otherwise 1. A word
  /// is as large as one element of the lane; its elements are neighbors along the inner dimension `k`.
  let elementsPerWord: Int
  /// The number of words along k of a packed factor is a multiple of this number; padding fills the last words.
  private let wordMultiple: Int
  private let pack: (rows: PackRows, columns: PackColumns)
  private let multiply: Multiply
  private let multiplyLines: MultiplyLines
  private let multiplyNarrow: MultiplyNarrow
  private let multiplyVector: MultiplyVector
  private let addChains: AddChains
  /// Whether products with one row issue prefetch instructions: they do unless `Caches.prefetchesManyLines`.
  private let prefetchesLines: Bool

  private typealias PackRows = @convention(c) (Int, Int, UnsafeRawPointer?, Int, Int, UnsafeMutableRawPointer?) -> Void
  private typealias PackColumns =
    @convention(c) (Int, Int, UnsafeRawPointer?, Int, Int, UnsafeMutableRawPointer?, Int) -> Void
  private typealias Multiply =
    @convention(c) (
      Int, Int, Int, UnsafeRawPointer?, UnsafePointer<csimd_panels>?, UnsafeMutableRawPointer?, Int, Int32,
      UnsafePointer<csimd_prefetch_block>?
    ) -> Void

  private typealias MultiplyLines =
    @convention(c) (
      Int, Int, UnsafePointer<csimd_lines>?, UnsafeRawPointer?, Int, UnsafeRawPointer?, Int, Int,
      UnsafeMutableRawPointer?, Int, Int32, UnsafePointer<csimd_prefetch_block>?
    ) -> Void
  private typealias MultiplyNarrow =
    @convention(c) (
      Int, Int, Int, UnsafeRawPointer?, Int, Int, UnsafePointer<csimd_panels>?, UnsafeMutableRawPointer?, Int, Int32,
      Int32
    ) -> Void
  private typealias MultiplyVector =
    @convention(c) (
      Int, Int, Int, UnsafeRawPointer?, Int, UnsafeRawPointer?, Int, Int, UnsafeMutableRawPointer?, Int32
    ) -> Void
  private typealias AddChains =
    @convention(c) (Int, Int, Int, UnsafeRawPointer?, Int, Int, UnsafeMutableRawPointer?, Int) -> Void

  /// - Parameter pairs: the kernels that `packRows`, `packColumns` and `multiply` use for factors whose float32
  ///   elements are bfloat16 values.
  init(_ lane: Lane, pairs: UnsafePointer<csimd_pairs>? = nil, _ builder: StepBuilder) {
    self.lane = lane
    let table = builder.loops.pointee
    panelWidth = lane.entry(of: table.panel_width)
    if let pairs = pairs?.pointee {
      (elementsPerWord, wordMultiple) = (2, pairs.word_multiple)
      pack = (pairs.pack_rows, pairs.pack_columns)
      multiply = pairs.block_multiply
    } else {
      (elementsPerWord, wordMultiple) = (1, 1)
      pack = (lane.entry(of: table.pack_rows), lane.entry(of: table.pack_columns))
      multiply = lane.entry(of: table.block_multiply)
    }
    multiplyLines = lane.entry(of: table.lines_multiply)
    multiplyNarrow = lane.entry(of: table.narrow_multiply)
    multiplyVector = lane.entry(of: table.vector_multiply)
    addChains = lane.entry(of: table.chain_sums)
    prefetchesLines = !builder.caches.prefetchesManyLines
  }

  /// The number of words in which a packed row or column stores `k` elements, padding included.
  private func words(_ k: Int) -> Int {
    let unit = elementsPerWord * wordMultiple
    return ceilDivide(k, unit) * wordMultiple
  }
  /// The size of `rows` packed rows in bytes; `packRows` may write up to 15 words past them.
  func sliverByteCount(rows: Int, k: Int) -> Int { roundUp((rows * words(k) + 16) * lane.byteCount, toMultipleOf: 64) }
  /// The size of `columns` packed columns in bytes, rounded up to whole panels.
  func panelByteCount(columns: Int, k: Int) -> Int {
    roundUp(columns, toMultipleOf: panelWidth) * words(k) * lane.byteCount
  }

  func packRows(_ rows: Int, k: Int, _ a: Factor, _ slivers: UnsafeMutableRawPointer) {
    pack.rows(rows, k, a.pointer, a.row, a.column, slivers)
  }

  /// - Parameter height: the number of rows for which a panel has memory.
  func packColumns(_ columns: Int, k: Int, _ b: Factor, _ panels: UnsafeMutableRawPointer, height: Int) {
    pack.columns(columns, k, b.pointer, b.row, b.column, panels, words(height) * panelWidth)
  }

  /// The panels that `packColumns` wrote, starting at row `first`.
  func packed(_ panels: UnsafeRawPointer, height: Int, first: Int = 0) -> csimd_panels {
    csimd_panels(data: panels, distance: words(height) * panelWidth, row: 0, first: first / elementsPerWord)
  }

  /// Whether a right factor can be read in place: it is not transposed, its number of columns is a multiple of 16, and
  /// its elements are not multiplied in pairs.
  func canReadInPlace(columns: Int, _ isTransposed: Bool) -> Bool {
    elementsPerWord == 1 && !isTransposed && columns % 16 == 0
  }

  func inPlace(_ b: Factor) -> csimd_panels {
    csimd_panels(data: b.pointer, distance: panelWidth, row: b.row, first: 0)
  }

  /// The memory to be prefetched for `packRows`.
  func ahead(rows: Int, k: Int, _ a: Factor) -> csimd_prefetch_block {
    let (distance, count, length) = a.column == 1 ? (a.row, rows, k) : (a.column, k, rows)
    return csimd_prefetch_block(
      data: a.pointer, distance: distance * lane.byteCount, count: count, length: length * lane.byteCount)
  }

  /// The memory to be prefetched for `packColumns`, or for a product that reads columns in place.
  func ahead(columns: Int, k: Int, _ b: Factor) -> csimd_prefetch_block {
    ahead(rows: columns, k: k, b.transposed)
  }

  /// `c[m, n] = a·b`, or `c += a·b` with `accumulates`.
  /// - Parameter ahead: memory that is prefetched meanwhile.
  func multiply(
    m: Int, n: Int, k: Int, _ slivers: UnsafeRawPointer, _ panels: csimd_panels, _ c: UnsafeMutableRawPointer,
    leading: Int, accumulates: Bool, ahead: csimd_prefetch_block = csimd_prefetch_block()
  ) {
    withUnsafePointer(to: panels) { panels in
      withUnsafePointer(to: ahead) { ahead in
        multiply(m, n, words(k), slivers, panels, c, leading, accumulates ? 1 : 0, ahead)
      }
    }
  }

  /// `c[m, n] = a·b`, or `c += a·b` with `accumulates`. Reads `a` in place. Neither factor may consist of words of two
  /// elements.
  func multiply(
    m: Int, n: Int, k: Int, _ a: Factor, _ panels: csimd_panels, _ c: UnsafeMutableRawPointer, leading: Int,
    accumulates: Bool, ahead: csimd_prefetch_block = csimd_prefetch_block()
  ) {
    precondition(elementsPerWord == 1, "multiply: factors must consist of single elements")
    let lines = csimd_lines(count: (1, 1), a: (0, 0), b: (0, 0), k: k, a_step: a.column, first: panels.first)
    withUnsafePointer(to: lines) { lines in
      withUnsafePointer(to: ahead) { ahead in
        multiplyLines(
          m, n, lines, a.pointer, a.row, panels.data, panels.row, panels.distance, c, leading, accumulates ? 1 : 0,
          ahead)
      }
    }
  }

  /// `c[m, n] = a·b`, or `c += a·b` with `accumulates`, for n ≤ 16. Reads `a` in place.
  /// - Parameter isFollowed: whether at least k more elements of each row of `a` follow. If so, these elements are
  ///   prefetched.
  func multiplyNarrow(
    m: Int, n: Int, k: Int, _ a: Factor, _ panels: csimd_panels, _ c: UnsafeMutableRawPointer, leading: Int,
    accumulates: Bool, isFollowed: Bool
  ) {
    withUnsafePointer(to: panels) {
      multiplyNarrow(
        m, n, k, a.pointer, a.row, a.column, $0, c, leading, accumulates ? 1 : 0, isFollowed ? 1 : 0)
    }
  }

  /// `c[n] = a[k]·b`; each element is a sum of accumulation chains of length `depth`.
  func multiplyVector(n: Int, k: Int, depth: Int, _ a: Factor, _ b: Factor, _ c: UnsafeMutableRawPointer) {
    multiplyVector(n, k, depth, a.pointer, a.column, b.pointer, b.row, b.column, c, prefetchesLines ? 1 : 0)
  }

  /// Adds matrices of partial sums, one for each accumulation chain, in their order: `c[rows, columns]` is their sum.
  /// The rows of a matrix are `leading` elements apart, and the matrices are `distance` elements apart.
  func sumChains(
    rows: Int, columns: Int, chains: Int, _ first: UnsafeRawPointer, leading: Int, distance: Int,
    _ c: UnsafeMutableRawPointer, leading resultLeading: Int
  ) {
    addChains(rows, columns, chains, first, leading, distance, c, resultLeading)
  }
}
