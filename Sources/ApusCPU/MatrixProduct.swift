import ApusDevice
import COpenBLAS
import CSIMD

/// `C = A·B` of one lane on one thread: OpenBLAS for floats, loops for integers.
struct MatrixProduct {
  /// A row-major factor, or one whose columns follow each other.
  struct Factor {
    var pointer: UnsafeMutableRawPointer
    /// The distance of rows (of columns where it is transposed).
    var leading: Int
    var isTransposed: Bool

    init(_ pointer: UnsafeMutableRawPointer, leading: Int, isTransposed: Bool = false) {
      self.pointer = pointer
      self.leading = leading
      self.isTransposed = isTransposed
    }

    fileprivate var order: CBLAS_TRANSPOSE { isTransposed ? CblasTrans : CblasNoTrans }
    fileprivate var strides: (row: Int, column: Int) { isTransposed ? (1, leading) : (leading, 1) }

    fileprivate func elements<T>(_ type: T.Type) -> UnsafeMutablePointer<T> {
      pointer.assumingMemoryBound(to: type)
    }
  }

  let lane: Lane
  private let multiplyIntegers: csimd_integer_matmul?

  init(_ lane: Lane, _ builder: StepBuilder) {
    self.lane = lane
    let table = builder.loops.pointee
    multiplyIntegers =
      lane == .int32 ? table.integer_matmul.0 : lane == .int64 ? table.integer_matmul.1 : nil
  }

  /// `c[m, n] = a[m, k]·b[k, n]`, added to what is there where it accumulates.
  func multiply(
    m: Int, n: Int, k: Int, _ a: Factor, _ b: Factor, _ c: UnsafeMutableRawPointer, leading: Int,
    accumulates: Bool = false
  ) {
    guard k > 0 else {
      guard !accumulates else { return }
      for row in 0..<m {
        (c + row * leading * lane.byteCount).initializeMemory(
          as: UInt8.self, repeating: 0, count: n * lane.byteCount)
      }
      return
    }
    switch lane {
    case .float32:
      cblas_sgemm(
        CblasRowMajor, a.order, b.order, Int32(m), Int32(n), Int32(k), 1, a.elements(Float.self),
        Int32(a.leading), b.elements(Float.self), Int32(b.leading), accumulates ? 1 : 0,
        c.assumingMemoryBound(to: Float.self), Int32(leading))
    case .float64:
      cblas_dgemm(
        CblasRowMajor, a.order, b.order, Int32(m), Int32(n), Int32(k), 1, a.elements(Double.self),
        Int32(a.leading), b.elements(Double.self), Int32(b.leading), accumulates ? 1 : 0,
        c.assumingMemoryBound(to: Double.self), Int32(leading))
    case .int32, .int64:
      multiplyIntegers!(
        m, n, k, a.pointer, a.strides.row, a.strides.column, b.pointer, b.strides.row, b.strides.column, c,
        leading, accumulates ? 1 : 0)
    }
  }
}
