import ApusTensor

// Layers without a layer, for weights that come from elsewhere: `linear(weight:bias:)`, `convolved(with:bias:…)`,
// `maxPooled(_:)`, `gathering(_:)` for embeddings, activations, and these.

extension Tensor {
  /// `(x − mean) / √(variance + ε) · γ + β`, mean and (biased) variance over the last axes of each example: what
  /// `LayerNorm` computes.
  ///
  /// - Parameters:
  ///   - axes: those that are normalized together; the last when left out.
  ///   - weight: `γ`, broadcast to the shape.
  ///   - bias: `β`, broadcast to the shape.
  public func layerNormalized(
    axes: [Int] = [-1], weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    inWideLane { x in
      var y = x.standardized(axes, epsilon: epsilon)
      if let weight { y = y * weight }
      return bias.map { y + $0 } ?? y
    }
  }

  /// `(x − mean) / √(variance + ε) · γ + β` for each channel of `x: [batch, channels, …]`: what `BatchNorm` computes.
  ///
  /// - Parameters:
  ///   - mean: `[channels]`; that of the batch when left out.
  ///   - variance: `[channels]`; the biased one of the batch when left out.
  ///   - weight: `γ`, `[channels]`.
  ///   - bias: `β`, `[channels]`.
  public func batchNormalized(
    mean: Tensor? = nil, variance: Tensor? = nil, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    guard rank >= 2 else {
      ShapeError("batchNormalized", "\(shape) is not [batch, channels, …]").report()
      return self
    }
    let (channels, axes) = (perChannelShape(shape[1]), [0] + Array(2..<rank))
    return inWideLane { x in
      let batch = mean == nil || variance == nil ? x.centered(axes) : nil
      let centered = mean.map { x - $0.reshaped(to: channels) } ?? batch!.0
      let variance = variance?.reshaped(to: channels) ?? batch!.variance
      var y = centered * (variance + epsilon).rsqrt()
      if let weight { y = y * weight.reshaped(to: channels) }
      return bias.map { y + $0.reshaped(to: channels) } ?? y
    }
  }

  /// `(x − mean) / √(variance + ε) · γ + β`, mean and (biased) variance over the places of each channel of each example of
  /// `x: [batch, channels, spatial…]`: what `InstanceNorm` computes without running values.
  ///
  /// - Parameters:
  ///   - weight: `γ`, `[channels]`.
  ///   - bias: `β`, `[channels]`.
  public func instanceNormalized(weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5) -> Tensor {
    guard rank >= 3 else {
      ShapeError("instanceNormalized", "\(shape) is not [batch, channels, spatial…]").report()
      return self
    }
    guard hasSeveralValues(apartFrom: [0, 1], "instanceNormalized") else { return self }
    return inWideLane { x in
      x.standardized(Array(2..<x.rank), epsilon: epsilon).scaled(perChannel: weight, plus: bias)
    }
  }

  /// `(x − mean) / √(variance + ε) · γ + β`, mean and (biased) variance over the channels of a group and all places of
  /// each example of `x: [batch, channels, …]`: what `GroupNorm` computes.
  ///
  /// - Parameters:
  ///   - groups: how many; a divisor of the channels.
  ///   - weight: `γ`, `[channels]`.
  ///   - bias: `β`, `[channels]`.
  public func groupNormalized(
    _ groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    guard rank >= 2, groups > 0, shape[1] % groups == 0 else {
      ShapeError("groupNormalized", "\(shape) is not [batch, channels, …] with channels for \(groups) equal groups")
        .report()
      return self
    }
    let places = shape.dropFirst(2).reduce(1, *)
    return inWideLane { x in
      x.reshaped(to: [x.shape[0], groups, x.shape[1] / groups * places])
        .standardized([2], epsilon: epsilon).reshaped(to: x.shape)
        .scaled(perChannel: weight, plus: bias)
    }
  }

  /// `x / √(mean(x²) + ε) · γ`, the mean over the last axes of each example: what `RMSNorm` computes.
  ///
  /// - Parameters:
  ///   - axes: those that are normalized together; the last when left out.
  ///   - weight: `γ`, broadcast to the shape.
  ///   - epsilon: when left out, the distance from 1 to the next number of the type.
  public func rmsNormalized(axes: [Int] = [-1], weight: Tensor? = nil, epsilon: Double? = nil) -> Tensor {
    let epsilon = epsilon ?? RMSNorm.unit(dtype)
    return inWideLane { x in
      let y = x * (x.squared().mean(axes: axes, keepingAxes: true) + epsilon).rsqrt()
      return weight.map { y * $0 } ?? y
    }
  }

  /// Zero with probability `rate`, else `x / (1 − rate)`, in every mode; the layer `Dropout` does this in training only.
  ///
  /// - Parameter key: what is drawn with; it counts on.
  /// - Precondition: `0 ≤ rate < 1`.
  public func dropout(_ rate: Double = 0.5, key: inout RandomKey) -> Tensor {
    let dropping = Dropping(rate, isAlwaysOn: true, "dropout")
    return dropping.apply(dropping.kept(shape, device, key.one()), to: self)
  }
}
