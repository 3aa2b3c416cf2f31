import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β` (Ba, Kiros, Hinton, 2016) for `x: [batch…, shape…]` and `γ, β: shape`;
/// `y` has the shape of `x`. The mean and the (biased) variance are over the axes `shape` of one example.
public struct LayerNorm: Layer {
  /// The scale `γ`, in the shape of one example, if the layer is affine.
  public let weight: Parameter?
  /// The shift `β`, in the shape of one example, if the layer has one.
  public let bias: Parameter?
  /// `ε`, which keeps the root above 0.
  public let epsilon: Double
  private let shape: Shape

  /// - Parameters:
  ///   - shape: the last axes, which are normalized together.
  ///   - isAffine: whether the layer has `γ` and, with `hasBias`, `β`.
  ///   - hasBias: whether an affine layer has `β`.
  /// - Precondition: the shape has at least one axis, and no extent below 1.
  public init(_ shape: Shape, epsilon: Double = 1e-5, isAffine: Bool = true, hasBias: Bool = true) {
    checkNormalized(shape, "LayerNorm")
    weight = isAffine ? Parameter(.ones(shape)) : nil
    bias = isAffine && hasBias ? Parameter(.zeros(shape)) : nil
    self.epsilon = epsilon
    self.shape = shape
  }

  /// A layer that normalizes the last axis.
  public init(_ features: Int, epsilon: Double = 1e-5, isAffine: Bool = true, hasBias: Bool = true) {
    self.init([features], epsilon: epsilon, isAffine: isAffine, hasBias: hasBias)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard let axes = x.lastAxes(shape, "LayerNorm") else { return x }
    return LayerTrace.leaf(self, x) {
      x.layerNormalized(axes: axes, weight: weight?.value, bias: bias?.value, epsilon: epsilon)
    }
  }
}

/// `y = x / √(mean(x²) + ε) · γ` (Zhang, Sennrich, 2019) for `x: [batch…, shape…]` and `γ: shape`; `y` has the shape of
/// `x`. The mean is over the axes `shape` of one example. Unlike `LayerNorm`, this layer does not subtract the mean.
public struct RMSNorm: Layer {
  /// The scale `γ`, in the shape of one example, if the layer is affine.
  public let weight: Parameter?
  /// `ε`; `nil` for the machine epsilon of the input's type.
  public let epsilon: Double?
  private let shape: Shape

  /// - Parameters:
  ///   - shape: the last axes, which are normalized together.
  ///   - epsilon: `nil` for the machine epsilon of the input's type (the distance from 1 to the next value).
  ///   - isAffine: whether the layer has `γ`.
  /// - Precondition: the shape has at least one axis, and no extent below 1.
  public init(_ shape: Shape, epsilon: Double? = nil, isAffine: Bool = true) {
    checkNormalized(shape, "RMSNorm")
    weight = isAffine ? Parameter(.ones(shape)) : nil
    self.epsilon = epsilon
    self.shape = shape
  }

  /// A layer that normalizes the last axis.
  public init(_ features: Int, epsilon: Double? = nil, isAffine: Bool = true) {
    self.init([features], epsilon: epsilon, isAffine: isAffine)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard let axes = x.lastAxes(shape, "RMSNorm") else { return x }
    return LayerTrace.leaf(self, x) { x.rmsNormalized(axes: axes, weight: weight?.value, epsilon: epsilon) }
  }

  /// The machine epsilon: the distance from 1 to the next value of a type.
  static func unit(_ dtype: DType) -> Double {
    switch dtype {
    case .float64: 0x1p-52
    case .float16: 0x1p-10
    case .bfloat16: 0x1p-7
    default: 0x1p-23
    }
  }
}

private func checkNormalized(_ shape: Shape, _ layer: String) {
  guard shape.rank > 0, shape.isValid, shape.allSatisfy({ $0 > 0 }) else {
    fatalError("\(layer): the normalized shape \(shape) must have axes, each with an extent of 1 or more")
  }
}

extension Tensor {
  /// The indices of the last axes, if their extents are `normalized`. Otherwise reports an error and returns `nil`.
  fileprivate func lastAxes(_ normalized: Shape, _ layer: String) -> [Int]? {
    guard rank >= normalized.rank, Shape(shape.suffix(normalized.rank)) == normalized else {
      ShapeError(layer, "the last axes of \(shape) are not \(normalized)").report()
      return nil
    }
    return Array(rank - normalized.rank..<rank)
  }
}
