import ApusDevice
import CSIMD

/// The kernels that products of matrices of floating-point numbers are made of, on one lane: factors are packed
/// into slivers of rows and panels of columns, and those multiplied.
struct BlockKernels {
  /// A factor: the distances of its rows and of its columns, one of which is 1.
  struct Factor {
    var pointer: UnsafeRawPointer
    var row: Int
    var column: Int

    /// What begins at an element.
    func moved(row index: Int = 0, column other: Int = 0, _ lane: Lane) -> Factor {
      Factor(pointer: pointer + (index * row + other * column) * lane.byteCount, row: row, column: column)
    }
  }

  let lane: Lane
  let panelWidth: Int
  /// The numbers along k that a word of a packed factor holds: 2 where factors are multiplied as bfloat16 numbers.
  let numbersOfWord: Int
  /// Packed factors have a multiple of so many words along k.
  private let wordMultiple: Int
  private let pack: (rows: PackRows, columns: PackColumns)
  private let multiply: Multiply
  private let multiplyLines: MultiplyLines
  private let multiplyNarrow: MultiplyNarrow
  private let multiplyVector: MultiplyVector
  private let addChains: AddChains
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

  /// - Parameter pairs: what multiplies factors of bfloat16 numbers in float32 memory, for `packRows`, `packColumns` and
  ///   `multiply`.
  init(_ lane: Lane, pairs: UnsafePointer<csimd_pairs>? = nil, _ builder: StepBuilder) {
    self.lane = lane
    let table = builder.loops.pointee
    panelWidth = lane.entry(of: table.panel_width)
    if let pairs = pairs?.pointee {
      (numbersOfWord, wordMultiple) = (2, pairs.word_multiple)
      pack = (pairs.pack_rows, pairs.pack_columns)
      multiply = pairs.block_multiply
    } else {
      (numbersOfWord, wordMultiple) = (1, 1)
      pack = (lane.entry(of: table.pack_rows), lane.entry(of: table.pack_columns))
      multiply = lane.entry(of: table.block_multiply)
    }
    multiplyLines = lane.entry(of: table.lines_multiply)
    multiplyNarrow = lane.entry(of: table.narrow_multiply)
    multiplyVector = lane.entry(of: table.vector_multiply)
    addChains = lane.entry(of: table.chain_sums)
    prefetchesLines = !builder.caches.prefetchesManyLines
  }

  /// The number of words that hold `k` numbers along k.
  private func words(_ k: Int) -> Int {
    let unit = numbersOfWord * wordMultiple
    return (k + unit - 1) / unit * wordMultiple
  }
  /// The size of `rows` packed rows in bytes; `packRows` may write up to 15 words behind them.
  func sliverByteCount(rows: Int, k: Int) -> Int { ((rows * words(k) + 16) * lane.byteCount + 63) & ~63 }
  /// The size of `columns` packed columns in bytes, rounded up to whole panels.
  func panelByteCount(columns: Int, k: Int) -> Int {
    (columns + panelWidth - 1) / panelWidth * panelWidth * words(k) * lane.byteCount
  }

  func packRows(_ rows: Int, k: Int, _ a: Factor, _ slivers: UnsafeMutableRawPointer) {
    pack.rows(rows, k, a.pointer, a.row, a.column, slivers)
  }

  /// - Parameter height: how many rows a panel has room for.
  func packColumns(_ columns: Int, k: Int, _ b: Factor, _ panels: UnsafeMutableRawPointer, height: Int) {
    pack.columns(columns, k, b.pointer, b.row, b.column, panels, words(height) * panelWidth)
  }

  /// The panels that `packColumns` wrote, from row `first` on.
  func packed(_ panels: UnsafeRawPointer, height: Int, first: Int = 0) -> csimd_panels {
    csimd_panels(data: panels, distance: words(height) * panelWidth, row: 0, first: first / numbersOfWord)
  }

  /// Whether columns can be read where they lie.
  func canReadInPlace(columns: Int, _ isTransposed: Bool) -> Bool {
    numbersOfWord == 1 && !isTransposed && columns % 16 == 0
  }

  func inPlace(_ b: Factor) -> csimd_panels {
    csimd_panels(data: b.pointer, distance: panelWidth, row: b.row, first: 0)
  }

  /// The lines of memory that `packRows` reads.
  func ahead(rows: Int, k: Int, _ a: Factor) -> csimd_prefetch_block {
    let (distance, count, length) = a.column == 1 ? (a.row, rows, k) : (a.column, k, rows)
    return csimd_prefetch_block(
      data: a.pointer, distance: distance * lane.byteCount, count: count, length: length * lane.byteCount)
  }

  /// The lines of memory that `packColumns`, or a product with columns in place, reads.
  func ahead(columns: Int, k: Int, _ b: Factor) -> csimd_prefetch_block {
    ahead(rows: columns, k: k, b.transposed)
  }

  /// `c[m, n] = a·b`, or added to c.
  /// - Parameter ahead: what is prefetched meanwhile.
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

  /// `c[m, n] = a·b`, or added to c, for a as it lies; neither factor is one of words.
  func multiply(
    m: Int, n: Int, k: Int, _ a: Factor, _ panels: csimd_panels, _ c: UnsafeMutableRawPointer, leading: Int,
    accumulates: Bool, ahead: csimd_prefetch_block = csimd_prefetch_block()
  ) {
    precondition(numbersOfWord == 1, "rows of words are packed")
    let lines = csimd_lines(count: (1, 1), a: (0, 0), b: (0, 0), k: k, a_step: a.column, first: panels.first)
    withUnsafePointer(to: lines) { lines in
      withUnsafePointer(to: ahead) { ahead in
        multiplyLines(
          m, n, lines, a.pointer, a.row, panels.data, panels.row, panels.distance, c, leading, accumulates ? 1 : 0,
          ahead)
      }
    }
  }

  /// `c[m, n] = a·b`, or added to c, for n ≤ 16 and a as it lies.
  /// - Parameter isFollowed: whether as much of a follows along k.
  func multiplyNarrow(
    m: Int, n: Int, k: Int, _ a: Factor, _ panels: csimd_panels, _ c: UnsafeMutableRawPointer, leading: Int,
    accumulates: Bool, isFollowed: Bool
  ) {
    withUnsafePointer(to: panels) {
      multiplyNarrow(
        m, n, k, a.pointer, a.row, a.column, $0, c, leading, accumulates ? 1 : 0, isFollowed ? 1 : 0)
    }
  }

  /// `c[n] = a[k]·b`, a sum of chains of `depth`.
  func multiplyVector(n: Int, k: Int, depth: Int, _ a: Factor, _ b: Factor, _ c: UnsafeMutableRawPointer) {
    multiplyVector(n, k, depth, a.pointer, a.column, b.pointer, b.row, b.column, c, prefetchesLines ? 1 : 0)
  }

  /// `c[rows, columns] = Σ chains`, added up in their order; rows of a chain are `leading` elements apart, chains
  /// `distance`.
  func sumChains(
    rows: Int, columns: Int, chains: Int, _ first: UnsafeRawPointer, leading: Int, distance: Int,
    _ c: UnsafeMutableRawPointer, leading resultLeading: Int
  ) {
    addChains(rows, columns, chains, first, leading, distance, c, resultLeading)
  }
}
