import ApusTensor

/// `y = (x − mean) / √(variance + ε) · γ + β`, mean and (biased) variance over the channels of a group and all
/// places of each example (Wu, He, 2018), for `x: [batch, channels, …]`, `γ, β: [channels]`.
///
/// With one group it normalizes examples, with as many as channels it is `InstanceNorm`.
public struct GroupNorm: Layer {
  /// The factors `γ`, `[channels]`, if there are any.
  public let weight: Parameter?
  /// The summands `β`, `[channels]`, if there are any.
  public let bias: Parameter?
  /// `ε`, which keeps the root from 0.
  public let epsilon: Double
  private let groups: Int
  private let channels: Int

  /// - Parameter isAffine: whether there are `γ` and `β`.
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

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.hasChannels(channels, spatialAxes: 0...3, "GroupNorm") else { return x }
    return x.groupNormalized(groups, weight: weight?.value, bias: bias?.value, epsilon: epsilon)
  }
}
