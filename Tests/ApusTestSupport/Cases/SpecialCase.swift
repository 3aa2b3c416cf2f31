import Apus

/// An operation on special values: zeros, infinities, NaN, ties, and numbers whose squares exceed the range of their
/// type. Expected values are PyTorch's unless the documentation's table of conventions states others.
public struct SpecialCase: Sendable {
  public let name: String
  public let dtype: DType
  public let inputs: [[Double]]
  public let apply: @Sendable ([Tensor]) -> Tensor
  public let expected: [Double]
  /// The allowed difference of a result, relative to the expected value.
  public let tolerance: Double

  public init(
    _ name: String, _ dtype: DType, _ inputs: [Double]..., tolerance: Double? = nil, expected: [Double],
    _ apply: @escaping @Sendable ([Tensor]) -> Tensor
  ) {
    (self.name, self.dtype, self.inputs, self.apply, self.expected) = (name, dtype, inputs, apply, expected)
    let ofType = dtype == .float16 ? 0x1p-10 : dtype == .bfloat16 ? 0x1p-7 : dtype == .float64 ? 1e-14 : 1e-6
    self.tolerance = tolerance ?? (dtype.isFloatingPoint ? ofType : 0)
  }

  /// An absolute difference that is always allowed, because subnormal `float16` numbers have fewer digits.
  private var floor: Double { dtype == .float16 ? 0x1p-24 : 0 }

  public func isRight(_ value: Double, _ expected: Double) -> Bool {
    if value.isNaN || expected.isNaN { return value.isNaN && expected.isNaN }
    return value == expected || (value - expected).magnitude <= max(tolerance * expected.magnitude, floor)
  }

  /// The first derivative of `Σ f(x)`.
  public static func derivative(_ f: @escaping @Sendable (Tensor) -> Tensor) -> @Sendable ([Tensor]) -> Tensor {
    { gradients(of: f($0[0]), withRespectTo: [$0[0]])[0] }
  }

  /// The second derivative of `Σ f(x)` for an elementwise `f`.
  public static func secondDerivative(_ f: @escaping @Sendable (Tensor) -> Tensor) -> @Sendable ([Tensor]) -> Tensor {
    { x in
      let first = gradients(of: f(x[0]), withRespectTo: [x[0]])[0]
      return gradients(of: first, withRespectTo: [x[0]])[0]
    }
  }

  /// The gradients of `Σ f(x, y)` with respect to both inputs, concatenated.
  public static func derivatives(
    _ f: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> @Sendable ([Tensor]) -> Tensor {
    { .concatenated(gradients(of: f($0[0], $0[1]), withRespectTo: [$0[0], $0[1]])) }
  }
}
