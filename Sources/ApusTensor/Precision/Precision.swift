import ApusDevice
import Synchronization

/// The element types that operations on `float32` tensors are computed in.
public struct Precision: Hashable, Sendable {
  /// The 16-bit type of the factors and results of matrix products and convolutions; `nil` if operations compute in the
  /// types of their inputs.
  public let productType: DType?

  private init(_ productType: DType?) { self.productType = productType }

  /// Operations compute in the types of their inputs.
  public static let float32 = Precision(nil)

  /// Products in `float16`; see `withPrecision(_:_:)`. Training needs loss scaling, which an optimizer with this
  /// precision applies.
  public static let mixed = Precision(.float16)

  /// Products in `float16` or `bfloat16`. `bfloat16` has the exponent range of `float32`, so it needs no loss scaling.
  public static func mixed(_ dtype: DType) -> Precision {
    guard dtype == .float16 || dtype == .bfloat16 else {
      fatalError("Precision: products are float16 or bfloat16 in mixed precision, not \(dtype)")
    }
    return Precision(dtype)
  }

  /// The precisions by their names: `float32`, `mixed` and `mixed-bfloat16`.
  public static let named: KeyValuePairs<String, Precision> = [
    "float32": .float32, "mixed": .mixed, "mixed-bfloat16": .mixed(.bfloat16),
  ]

  /// The name in `named`.
  public var name: String { Precision.named.first { $0.value == self }!.key }
}

/// Runs `body`, whose operations choose their types by family (Micikevicius et al., 2018). The families are the lists
/// of PyTorch's autocast (https://pytorch.org/docs/stable/amp.html#autocast-op-reference):
///
/// | family | input and output types |
/// |---|---|
/// | matrix products, convolutions, products of inputs and weights in recurrent layers | 16 bits, sums in `float32` |
/// | time steps of recurrent layers (one fused operation) | the types of their inputs; `float32` inside the operation |
/// | attention (one fused operation) | 16 bits; `float32` inside the operation |
/// | `exp`, `log`, `power`, `softplus`, `reciprocal`, `rsqrt`, `tan`, `sinh`, `acos` and similar | `float32` |
/// | sums, products, means, variances, norms, running sums, softmax, losses | `float32` |
/// | all others | the types of their inputs; if two types differ, the wider one |
///
/// Normalizations compute in `float32` and return the type of their input. Parameters keep their types: their casts are
/// part of the graph and are computed once in a training step. The gradients of parameters have the parameters' types.
/// `float64` and integers are unchanged. Gradients are computed in the types of the operations that they belong to,
/// inside or outside of the scope.
///
/// To train, give the precision to the optimizer, which also scales the loss.
public func withPrecision<R>(_ precision: Precision, _ body: () throws -> R) rethrows -> R {
  try PrecisionScope.run(precision.productType, body)
}

/// The precision of the Swift task.
enum PrecisionScope {
  @TaskLocal private static var taskLocal: DType?
  private static let active = Atomic<Int>(0)

  /// The type of products in mixed precision; `nil` outside of mixed precision. If no scope is active in the process,
  /// only the counter `active` is read.
  @inline(__always) static var productType: DType? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  static func run<R>(_ productType: DType?, _ body: () throws -> R) rethrows -> R {
    // Skip a scope that changes nothing, so that `productType` still reads only the counter.
    if productType == nil && self.productType == nil { return try body() }
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(productType, operation: body)
  }
}

extension Tensor {
  /// The two factors of a product. In mixed precision they are cast to the product type, if both are floating-point
  /// with at most 32 bits.
  static func factors(_ left: Tensor, _ right: Tensor) -> (Tensor, Tensor) {
    guard let type = PrecisionScope.productType else { return (left, right) }
    for dtype in [left.dtype, right.dtype] where !dtype.isFloatingPoint || dtype == .float64 { return (left, right) }
    return (left.cast(to: type), right.cast(to: type))
  }

  /// The tensor as an operand of a product in a layer; in mixed precision it is cast to the product type.
  ///
  /// Layers narrow a weight before they reshape or transpose it: the cast, and the cast of the gradient, then access
  /// memory in order.
  package var narrowed: Tensor {
    guard let type = PrecisionScope.productType, dtype.isFloatingPoint, dtype != .float64 else { return self }
    return cast(to: type)
  }

  /// The tensor for a function that loses too much precision in 16 bits; in mixed precision it is cast to `float32`.
  package var widened: Tensor {
    guard PrecisionScope.productType != nil, dtype == .float16 || dtype == .bfloat16 else { return self }
    return cast(to: .float32)
  }
}
