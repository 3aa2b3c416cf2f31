import ApusSystem

/// A batched matrix product `C[i] = A[i] · B[i]` for each index `i` of the batch, followed by an epilogue
/// (elementwise operations) over `batch + [m, n]`.
///
/// Products are accumulated in the arithmetic type (lane) of `dtype`: `float32` for 16-bit floats, `int32` for `int8`
/// and `uint8`. The order of accumulation depends only on the shape, the layouts of the factors, `factorDtype`,
/// `inputPrecision` and the processor.
public struct Matmul: Hashable, Sendable {
  /// The batch axes, outermost first; empty for one product.
  public var batch: Shape
  /// The number of rows of `a` and of the product.
  public var m: Int
  /// The number of columns of `b` and of the product.
  public var n: Int
  /// The inner dimension: the number of columns of `a` and of rows of `b`.
  public var k: Int
  /// The left factor `[batch…, m, k]`; `b` is `[batch…, k, n]`. One of the last two strides is 1, the other is at least
  /// the extent of the contiguous axis; batch strides are arbitrary (0 for broadcast axes).
  public var a: Operand
  /// The right factor; see `a` for its layout.
  public var b: Operand
  /// The element type of `a` and `b`. The result before the epilogue has the lane of this type.
  public var dtype: DType
  /// The type to which all elements of `a` and `b` are already rounded: `dtype` itself or, for `float32` factors that
  /// were computed from 16-bit values, `float16` or `bfloat16`.
  ///
  /// A device may multiply the factors in this type. The products of single elements are exact in `float32`, but
  /// instructions that multiply pairs of `bfloat16` numbers add the products in another order, and may flush subnormal
  /// numbers to zero.
  public var factorDtype: DType
  /// The precision to which the device may round `float32` factors.
  public var inputPrecision: InputPrecision
  /// The epilogue, over `batch + [m, n]`.
  public var epilogue: Epilogue

  /// Creates a product; the default of `factorDtype` is `dtype`.
  public init(
    batch: Shape, m: Int, n: Int, k: Int, a: Operand, b: Operand, dtype: DType, factorDtype: DType? = nil,
    inputPrecision: InputPrecision = .float32, epilogue: Epilogue
  ) {
    self.batch = batch
    self.m = m
    self.n = n
    self.k = k
    self.a = a
    self.b = b
    self.dtype = dtype
    self.factorDtype = factorDtype ?? dtype
    self.inputPrecision = inputPrecision
    self.epilogue = epilogue
  }

  /// The number of multiply-adds of all products of the batch; `Int.max` on overflow.
  public var multiplyAdds: Int { Matmul.multiplyAdds(results: batch.elementCount * m * n, terms: k) }

  /// The number of multiply-adds of matrix products with `results` elements in total, each a sum of `terms` products;
  /// `Int.max` on overflow.
  public static func multiplyAdds(results: Int, terms: Int) -> Int { results.saturatingProduct(terms) }
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
