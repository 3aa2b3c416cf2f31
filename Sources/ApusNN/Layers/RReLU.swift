import ApusTensor

/// `x` where it is positive, else `a · x`, in the same shape. In training `a` is sampled from `lower ..< upper` for
/// each element; in inference `a` is `(lower + upper) / 2` (Xu et al., 2015).
public struct RReLU: Layer {
  /// The smallest factor of negative elements.
  public let lower: Double
  /// The largest factor of negative elements.
  public let upper: Double
  private let identity = LayerIdentity()

  /// - Precondition: `lower ≤ upper`.
  public init(lower: Double = 1.0 / 8, upper: Double = 1.0 / 3) {
    guard lower <= upper else { fatalError("RReLU: the lower bound \(lower) is above \(upper)") }
    self.lower = lower
    self.upper = upper
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard ModeScope.mode(for: "RReLU", identity) == .training else {
      return x.leakyRelu(slope: (lower + upper) / 2)
    }
    let slope = RandomSource.current.draw { key in
      let dtype = x.dtype.isFloatingPoint ? x.dtype : .float32
      return Tensor.uniform(x.shape, lower: lower, upper: upper, key: &key, dtype: dtype, device: x.device)
    }
    return x.prelu(slope: slope)
  }
}
