import ApusDevice
import COpenBLAS
import ApusCSIMD

/// `C = A·B` for one lane (arithmetic type) on one thread: OpenBLAS for floating point, loops for integers.
struct OpenBLASProduct {
  /// A row-major or column-major factor.
  struct Factor {
    var pointer: UnsafeMutableRawPointer
    var order: MatrixOrder

    init(_ pointer: UnsafeMutableRawPointer, _ order: MatrixOrder) {
      self.pointer = pointer
      self.order = order
    }

    init(_ pointer: UnsafeMutableRawPointer, leading: Int, isTransposed: Bool = false) {
      self.init(pointer, MatrixOrder(isTransposed: isTransposed, leading: leading))
    }

    fileprivate var transpose: CBLAS_TRANSPOSE { order.isTransposed ? CblasTrans : CblasNoTrans }
    fileprivate var leading: Int32 { Int32(order.leading) }

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

  /// `c[m, n] = a[m, k]·b[k, n]`, or `c += a·b` with `accumulates`.
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
        CblasRowMajor, a.transpose, b.transpose, Int32(m), Int32(n), Int32(k), 1, a.elements(Float.self),
        a.leading, b.elements(Float.self), b.leading, accumulates ? 1 : 0,
        c.assumingMemoryBound(to: Float.self), Int32(leading))
    case .float64:
      cblas_dgemm(
        CblasRowMajor, a.transpose, b.transpose, Int32(m), Int32(n), Int32(k), 1, a.elements(Double.self),
        a.leading, b.elements(Double.self), b.leading, accumulates ? 1 : 0,
        c.assumingMemoryBound(to: Double.self), Int32(leading))
    case .int32, .int64:
      multiplyIntegers!(
        m, n, k, a.pointer, a.order.strides.row, a.order.strides.column, b.pointer, b.order.strides.row,
        b.order.strides.column, c,
        leading, accumulates ? 1 : 0)
    }
  }
}
