import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β` (Wu, He, 2018) for `x: [batch, channels]` or
/// `[batch, channels, 1 to 3 spatial axes]` and `γ, β: [channels]`; `y` has the shape of `x`. The mean and the (biased)
/// variance are taken over the channels of a group and all spatial positions of one example.
///
/// With one group the layer normalizes whole examples; with one channel per group it equals an `InstanceNorm` without
/// running statistics.
public struct GroupNorm: Layer {
  /// The scale `γ`, `[channels]`, if the layer is affine.
  public let weight: Parameter?
  /// The shift `β`, `[channels]`, if the layer is affine.
  public let bias: Parameter?
  /// `ε`, which keeps the root above 0.
  public let epsilon: Double
  private let groups: Int
  private let channels: Int

  /// - Parameter isAffine: whether the layer has `γ` and `β`.
  /// - Precondition: `groups` divides `channels`.
  public init(_ groups: Int, channels: Int, epsilon: Double = 1e-5, isAffine: Bool = true) {
    guard groups > 0, channels > 0, channels % groups == 0 else {
      fatalError("GroupNorm: \(groups) groups do not divide \(channels) channels")
    }
    weight = isAffine ? Parameter(.ones([channels])) : nil
    bias = isAffine ? Parameter(.zeros([channels])) : nil
    self.epsilon = epsilon
    self.groups = groups
    self.channels = channels
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { normalized(x) } }

  private func normalized(_ x: Tensor) -> Tensor {
    guard x.hasChannels(channels, spatialAxes: 0...3, "GroupNorm") else { return x }
    return x.groupNormalized(groups, weight: weight?.value, bias: bias?.value, epsilon: epsilon)
  }
}
