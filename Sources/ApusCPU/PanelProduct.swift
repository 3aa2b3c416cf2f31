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
  private let lane: Lane
  private let panelWidth: Int
  /// Whether the matrix is read as it lies: copying it takes longer than a few products.
  private let isInPlace: Bool
  private let multiply:
    (
      Int, Int, Int, UnsafeRawPointer?, Int, UnsafeRawPointer?, Int, Int, UnsafeMutableRawPointer?, Int,
      UnsafeMutableRawPointer?
    ) -> Void

  /// - Parameter uses: how many rows there will be for one matrix.
  init(k: Int, n: Int, uses: Int, _ lane: Lane, _ builder: StepBuilder) {
    self.k = k
    self.n = n
    self.lane = lane
    let table = builder.loops.pointee
    let isSingle = lane == .float32
    panelWidth = isSingle ? table.panel_width.0 : table.panel_width.1
    multiply = isSingle ? table.panel_multiply.0! : table.panel_multiply.1!
    stride = (n + panelWidth - 1) / panelWidth * panelWidth
    isInPlace = uses <= 24 && n % panelWidth == 0
  }

  /// Bytes that all threads share.
  var sharedByteCount: Int { isInPlace ? 0 : k * stride * lane.byteCount }
  /// Bytes that a product of so many rows takes beside its result.
  func roomByteCount(rows: Int) -> Int { (rows * k * lane.byteCount + 63) & ~63 }
  /// Bytes of the result of so many rows.
  func resultByteCount(rows: Int) -> Int { rows * stride * lane.byteCount }

  /// The matrix as `multiply(rows:…)` takes it.
  func panels(of matrix: UnsafeMutableRawPointer, _ context: borrowing RunContext) -> UnsafeRawPointer {
    guard !isInPlace else { return UnsafeRawPointer(matrix) }
    let shared = context.shared
    let (size, width) = (lane.byteCount, panelWidth)
    context.pool.run(stride / width) { panel, _ in
      let count = min(width, n - panel * width)
      var (source, target) = (matrix + panel * width * size, shared + panel * k * width * size)
      for _ in 0..<k {
        target.copyMemory(from: source, byteCount: count * size)
        if count < width {
          (target + count * size).initializeMemory(as: UInt8.self, repeating: 0, count: (width - count) * size)
        }
        source += n * size
        target += width * size
      }
    }
    return UnsafeRawPointer(shared)
  }

  /// `result[rows, n] = a[rows, k] · matrix`, rows of the result `stride` apart.
  func multiply(
    rows: Int, _ a: UnsafeRawPointer, leading: Int, _ panels: UnsafeRawPointer, _ result: UnsafeMutableRawPointer,
    room: UnsafeMutableRawPointer
  ) {
    multiply(
      rows, n, k, a, leading, panels, isInPlace ? panelWidth : k * panelWidth, isInPlace ? n : panelWidth, result,
      stride,
      room)
  }
}
