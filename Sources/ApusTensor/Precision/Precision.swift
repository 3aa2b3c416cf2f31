import ApusDevice
import Synchronization

/// The element types that operations on `float32` tensors are computed in.
public struct Precision: Hashable, Sendable {
  /// The type of 16 bits that products take and give; `nil` where everything is `float32`.
  public let productType: DType?

  private init(_ productType: DType?) { self.productType = productType }

  /// Operations have the types of their inputs.
  public static let float32 = Precision(nil)

  /// Products in `float16`; see `withPrecision(_:_:)`. Gradients need their loss scaled, which an optimizer with this
  /// precision does.
  public static let mixed = Precision(.float16)

  /// Products in `float16` or `bfloat16`, whose exponents reach as far as those of `float32` and need no scale.
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

/// Runs `body`, whose operations choose their types by family (Micikevicius et al., 2018; the lists are those of
/// PyTorch's autocast, https://pytorch.org/docs/stable/amp.html#autocast-op-reference):
///
/// | family | takes and gives |
/// |---|---|
/// | matrix products, convolutions, the products of recurrent layers' inputs | 16 bits, sums in `float32` |
/// | sequences of recurrent layers | as they come; inside, `float32` in one step |
/// | attention | 16 bits; inside, `float32` in one step |
/// | `exp`, `log`, `power`, `softplus`, `reciprocal`, `rsqrt`, `tan`, `sinh`, `acos` and their like | `float32` |
/// | sums, products, means, variances, norms, running sums, softmax, losses | `float32` |
/// | all others | the types of their inputs, of two the wider |
///
/// Normalizations compute in `float32` and give what they were given. Parameters stay what they are: their casts are
/// part of the graph, computed once in a step, and their gradients have the parameters' type. `float64` and integers
/// are left alone. Gradients are computed in the types of the operations that they belong to, inside of the scope or
/// outside.
///
/// To train, give the precision to the optimizer, which scales the loss besides.
public func withPrecision<R>(_ precision: Precision, _ body: () throws -> R) rethrows -> R {
  try PrecisionScope.run(precision.productType, body)
}

/// The precision of the task.
enum PrecisionScope {
  @TaskLocal private static var taskLocal: DType?
  private static let active = Atomic<Int>(0)

  /// The type of products, inside of mixed precision. Without any in the process this costs one load.
  @inline(__always) static var productType: DType? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  static func run<R>(_ productType: DType?, _ body: () throws -> R) rethrows -> R {
    // Ordinary precision inside of ordinary precision leaves `productType` at its one load.
    if productType == nil && self.productType == nil { return try body() }
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(productType, operation: body)
  }
}

extension Tensor {
  /// Two factors of a product, in mixed precision of the type of products where both are floating-point numbers of at
  /// most 32 bits.
  static func factors(_ left: Tensor, _ right: Tensor) -> (Tensor, Tensor) {
    guard let type = PrecisionScope.productType else { return (left, right) }
    for dtype in [left.dtype, right.dtype] where !dtype.isFloatingPoint || dtype == .float64 { return (left, right) }
    return (left.cast(to: type), right.cast(to: type))
  }

  /// The tensor as a part of a layer that is a product: in mixed precision of the type of products.
  ///
  /// Layers narrow a weight before they look at it in another way: then a cast runs through memory in order, and so does
  /// that of the gradient.
  package var narrowed: Tensor {
    guard let type = PrecisionScope.productType, dtype.isFloatingPoint, dtype != .float64 else { return self }
    return cast(to: type)
  }

  /// The tensor for a function that loses too much in 16 bits: in mixed precision `float32`.
  package var widened: Tensor {
    guard PrecisionScope.productType != nil, dtype == .float16 || dtype == .bfloat16 else { return self }
    return cast(to: .float32)
  }
}
