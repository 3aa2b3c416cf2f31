import ApusDevice
import ApusCSIMD
import ApusSystem

/// Products of small floating-point matrices on one thread, in the caller's scratch memory. Columns that several
/// products share are packed once.
struct SmallProduct {
  typealias Factor = BlockKernels.Factor

  /// The columns of a right factor, packed or in place, for one or more products.
  struct Columns {
    fileprivate var panels: csimd_panels
    fileprivate var count: Int
  }

  private let kernels: BlockKernels

  init(_ lane: Lane, _ builder: StepBuilder) { kernels = BlockKernels(lane, builder) }

  private static let depth = BlockSchedule.depth
  /// The maximum row stride with which columns are read in place.
  private static let longestRowInPlace = 256

  /// Bytes of packed columns.
  func columnByteCount(_ columns: Int, k: Int) -> Int { kernels.panelByteCount(columns: columns, k: k) }
  /// Bytes of scratch memory for a product with `rows` rows.
  func rowByteCount(_ rows: Int, k: Int) -> Int { kernels.sliverByteCount(rows: rows, k: min(k, Self.depth)) }

  /// Prepares the columns of `b: [k, columns]` for `multiply`: in place, or packed in `scratch`.
  func columns(_ columns: Int, k: Int, _ b: Factor, scratch: UnsafeMutableRawPointer) -> Columns {
    if kernels.canReadInPlace(columns: columns, b.column != 1), b.row <= Self.longestRowInPlace {
      return Columns(panels: kernels.inPlace(b), count: columns)
    }
    kernels.packColumns(columns, k: k, b, scratch, height: k)
    return Columns(panels: kernels.packed(scratch, height: k), count: columns)
  }

  /// `c[m, n] = a[m, k]·b[k, n]`, or `c += a·b` with `accumulates`. The columns of b are processed in panels of
  /// `panelWidth`. If n is less than the number of columns of b, all columns of c in the last panel are written.
  func multiply(
    m: Int, n: Int, k: Int, _ a: Factor, _ b: Columns, _ c: UnsafeMutableRawPointer, leading: Int,
    accumulates: Bool, scratch: UnsafeMutableRawPointer
  ) {
    var panels = b.panels
    let width = kernels.panelWidth
    let columns = min(b.count, roundUp(n, toMultipleOf: width))
    for start in stride(from: 0, through: max(0, k - 1), by: Self.depth) {
      let count = min(Self.depth, k - start)
      kernels.packRows(m, k: count, a.moved(column: start, kernels.lane), scratch)
      panels.first = b.panels.first + start
      kernels.multiply(
        m: m, n: columns, k: count, scratch, panels, c, leading: leading, accumulates: accumulates || start > 0)
    }
  }
}

extension BlockKernels.Factor {
  /// The transposed view of the matrix.
  var transposed: BlockKernels.Factor { BlockKernels.Factor(pointer: pointer, row: column, column: row) }
}
