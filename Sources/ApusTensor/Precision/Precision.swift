import ApusDevice
import Synchronization

/// The types and the rounding with which operations on `float32` tensors are computed.
public struct Precision: Hashable, Sendable {
  /// The 16-bit type of the factors and results of matrix products and convolutions; `nil` if operations compute in the
  /// types of their inputs.
  public let productType: DType?
  /// The precision to which a device may round the factors of `float32` products and convolutions.
  public let inputPrecision: InputPrecision

  private init(_ productType: DType?, _ inputPrecision: InputPrecision = .float32) {
    self.productType = productType
    self.inputPrecision = inputPrecision
  }

  /// Operations compute in the types of their inputs.
  public static let float32 = Precision(nil)

  /// Matrix units may round the factors of `float32` products and convolutions to TF32, which has significands of 11
  /// bits. The relative error of a factor is at most 2⁻¹¹. Devices without such units compute as with `float32`.
  public static let tf32 = Precision(nil, .tf32)

  /// Matrix units may compute each `float32` product or convolution as the sum of three TF32 products. The relative
  /// error of each term of a sum is at most 2⁻²⁰; a sum with an infinite factor may be NaN. Devices without such units
  /// compute as with `float32`.
  public static let tf32x3 = Precision(nil, .tf32x3)

  /// The precision with the given rounding of factors, in which types do not change.
  static func inputs(_ precision: InputPrecision) -> Precision { Precision(nil, precision) }

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

  /// The precisions by their names: `float32`, `mixed`, `mixed-bfloat16`, `tf32` and `tf32x3`.
  public static let named: KeyValuePairs<String, Precision> = [
    "float32": .float32, "mixed": .mixed, "mixed-bfloat16": .mixed(.bfloat16), "tf32": .tf32, "tf32x3": .tf32x3,
  ]

  /// The precision with a name in `named`; `nil` if there is none.
  public init?(named name: String) {
    guard let found = Precision.named.first(where: { $0.key == name }) else { return nil }
    self = found.value
  }

  /// The name in `named`.
  public var name: String { Precision.named.first { $0.value == self }!.key }
}

/// Runs `body` in a precision. With `tf32` and `tf32x3`, the types of operations do not change.
///
/// In mixed precision, operations choose their types by family (Micikevicius et al., 2018). The families are the lists
/// of PyTorch's autocast (https://pytorch.org/docs/stable/amp.html#autocast-op-reference):
///
/// | family | input and output types |
/// |---|---|
/// | matrix products, convolutions, products of inputs and weights in recurrent layers | 16 bits, sums in `float32` |
/// | time steps of recurrent layers (one fused operation) | the types of their inputs; `float32` inside the operation |
/// | attention (one fused operation) | 16 bits; scores and sums in `float32` (see below) |
/// | `exp`, `log`, `power`, `softplus`, `reciprocal`, `rsqrt`, `tan`, `sinh`, `acos` and similar | `float32` |
/// | sums, products, means, variances, norms, running sums, softmax, losses | `float32` |
/// | all others | the types of their inputs; if two types differ, the wider one |
///
/// Kernels for matrix units round the weights of attention, and the gradients of scores, to 16 bits before they
/// multiply them. Other kernels do not.
///
/// Normalizations compute in `float32` and return the type of their input. Parameters keep their types: their casts are
/// part of the graph and are computed once in a training step. The gradients of parameters have the parameters' types.
/// `float64` and integers are unchanged. Gradients are computed in the types of the operations that they belong to,
/// inside or outside of the scope.
///
/// To train, give the precision to the optimizer, which scales the loss if products are `float16`.
public func withPrecision<R>(_ precision: Precision, _ body: () throws -> R) rethrows -> R {
  try PrecisionScope.run(precision, body)
}

/// The precision of the current Swift task.
enum PrecisionScope {
  @TaskLocal private static var taskLocal = Precision.float32
  private static let active = Atomic<Int>(0)

  /// The precision; `float32` outside of all scopes. If no scope is active in the process, this reads only the counter
  /// `active`, not the task-local value.
  @inline(__always) static var current: Precision { active.load(ordering: .relaxed) == 0 ? .float32 : taskLocal }

  /// The type of products in mixed precision; `nil` outside of mixed precision.
  @inline(__always) static var productType: DType? { current.productType }

  static func run<R>(_ precision: Precision, _ body: () throws -> R) rethrows -> R {
    // Skip a scope that changes nothing, so that `current` still reads only the counter.
    if precision == .float32 && current == .float32 { return try body() }
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(precision, operation: body)
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
  /// Layers narrow a weight before they reshape or transpose it, so that the cast, and the cast of the gradient, access
  /// contiguous memory.
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
