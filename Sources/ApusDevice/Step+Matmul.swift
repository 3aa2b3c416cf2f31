/// A batched matrix product `C[b] = A[b] · B[b]`, then an epilogue over `batch + [m, n]`.
///
/// Float operands accumulate in their lane (`float32` for the narrow ones); `int8`, `uint8` and
/// `int32` accumulate in `int32`, `int64` in `int64`. Accumulation order depends on the shape alone.
public struct Matmul: Hashable, Sendable {
  /// The batch axes, outermost first; empty for one product.
  public var batch: Shape
  /// Rows of `a` and of the product.
  public var m: Int
  /// Columns of `b` and of the product.
  public var n: Int
  /// Columns of `a` and rows of `b`, which are summed over.
  public var k: Int
  /// `[batch…, m, k]` and `[batch…, k, n]`. One of the last two strides is 1 and the other at least
  /// the extent it skips; batch strides are free (0 where broadcast).
  public var a: Operand
  /// The right factor; see `a` for its layout.
  public var b: Operand
  /// The element type of `a` and `b`; the core result has its lane.
  public var dtype: DType
  /// The type that all numbers of `a` and `b` are rounded to: `dtype`, or `bfloat16` where `dtype` is `float32`, so that a
  /// device may multiply them as such. The result is the same.
  public var factorDtype: DType
  /// What is computed of the product.
  public var epilogue: Epilogue

  /// A product from its sizes and operands; `nil` for a `factorDtype` of `dtype`.
  public init(
    batch: Shape, m: Int, n: Int, k: Int, a: Operand, b: Operand, dtype: DType, factorDtype: DType? = nil,
    epilogue: Epilogue
  ) {
    self.batch = batch
    self.m = m
    self.n = n
    self.k = k
    self.a = a
    self.b = b
    self.dtype = dtype
    self.factorDtype = factorDtype ?? dtype
    self.epilogue = epilogue
  }
}

extension Matmul: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Matmul {
    var step = self
    step.a.value = read(step.a.value)
    step.b.value = read(step.b.value)
    step.epilogue = step.epilogue.mapped(read, write)
    return step
  }
}
