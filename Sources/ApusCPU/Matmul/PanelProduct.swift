import ApusDevice
import CSIMD

/// Products of rows with one matrix `[k, n]` again and again, which lies in panels of columns for that.
///
/// A row is multiplied in the same way alone and beside others.
struct PanelProduct {
  let k: Int
  let n: Int
  /// The distance of the rows of results: whole panels.
  let stride: Int
  private let kernels: BlockKernels
  /// Whether the matrix is read as it lies: copying it takes longer than a few products.
  private let isInPlace: Bool

  /// - Parameter uses: how many rows there will be for one matrix.
  init(k: Int, n: Int, uses: Int, _ lane: Lane, _ builder: StepBuilder) {
    self.k = k
    self.n = n
    kernels = BlockKernels(lane, builder)
    let width = kernels.panelWidth
    stride = (n + width - 1) / width * width
    isInPlace = uses <= 24 && kernels.canReadInPlace(columns: n, false)
  }

  /// Bytes that all threads share.
  var sharedByteCount: Int { isInPlace ? 0 : kernels.panelByteCount(columns: n, k: k) }
  /// Bytes that a product of so many rows takes beside its result.
  func roomByteCount(rows: Int) -> Int { kernels.sliverByteCount(rows: rows, k: k) }
  /// Bytes of the result of so many rows.
  func resultByteCount(rows: Int) -> Int { rows * stride * kernels.lane.byteCount }

  /// The matrix as `multiply(rows:…)` takes it.
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

  /// `result[rows, n] = a[rows, k] · matrix`, rows of the result `stride` apart.
  func multiply(
    rows: Int, _ a: UnsafeRawPointer, leading: Int, _ panels: csimd_panels, _ result: UnsafeMutableRawPointer,
    room: UnsafeMutableRawPointer
  ) {
    kernels.packRows(rows, k: k, BlockKernels.Factor(pointer: a, row: leading, column: 1), room)
    kernels.multiply(m: rows, n: n, k: k, room, panels, result, leading: stride, accumulates: false)
  }
}
