import ApusDevice
import ApusCSIMD
import ApusSystem

/// Products, one after another, of different rows and the same matrix `[k, n]`, which is read in place or packed once
/// in panels of columns.
///
/// The result of a row does not depend on the other rows of a product.
struct RepeatedRightProduct {
  let k: Int
  let n: Int
  /// The row stride of results: n, rounded up to whole panels.
  let stride: Int
  private let kernels: BlockKernels
  /// Whether the matrix is read in place. Packing reads and writes each element once. With few uses, that takes longer
  /// than the products save.
  private let isInPlace: Bool

  /// - Parameter uses: the total number of rows that are multiplied by one matrix.
  init(k: Int, n: Int, uses: Int, _ lane: Lane, _ builder: StepBuilder) {
    self.k = k
    self.n = n
    kernels = BlockKernels(lane, builder)
    let width = kernels.panelWidth
    stride = roundUp(n, toMultipleOf: width)
    isInPlace = uses <= 24 && kernels.canReadInPlace(columns: n, false)
  }

  /// Bytes that all threads share.
  var sharedByteCount: Int { isInPlace ? 0 : kernels.panelByteCount(columns: n, k: k) }
  /// Bytes of scratch memory for a product of `rows` rows, in addition to its result.
  func scratchByteCount(rows: Int) -> Int { kernels.sliverByteCount(rows: rows, k: k) }
  /// Bytes of the result: its elements have the type of the arithmetic (the lane), and its rows are padded to whole
  /// panels.
  func resultByteCount(rows: Int) -> Int { rows * stride * kernels.lane.byteCount }

  /// Prepares the matrix for `multiply(rows:…)`: in place, or packed in the memory that all threads share.
  func panels(of matrix: UnsafeMutableRawPointer, _ context: borrowing RunContext) -> csimd_panels {
    let factor = BlockKernels.Factor(pointer: UnsafeRawPointer(matrix), row: n, column: 1)
    guard !isInPlace else { return kernels.inPlace(factor) }
    let shared = context.shared
    let (size, width) = (kernels.lane.byteCount, kernels.panelWidth)
    context.pool.run(stride / width) { panel, _ in
      kernels.packColumns(
        min(width, n - panel * width), k: k, factor.moved(column: panel * width, kernels.lane),
        shared + panel * k * width * size, height: k)
    }
    return kernels.packed(shared, height: k)
  }

  /// `result[rows, n] = a[rows, k] · matrix`. The row stride of `a` is `leading`; the row stride of the result is
  /// `stride`.
  func multiply(
    rows: Int, _ a: UnsafeRawPointer, leading: Int, _ panels: csimd_panels, _ result: UnsafeMutableRawPointer,
    scratch: UnsafeMutableRawPointer
  ) {
    kernels.packRows(rows, k: k, BlockKernels.Factor(pointer: a, row: leading, column: 1), scratch)
    kernels.multiply(m: rows, n: n, k: k, scratch, panels, result, leading: stride, accumulates: false)
  }
}
