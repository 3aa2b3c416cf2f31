import ApusTensor

// Functional forms of the normalization layers and of `Dropout`, with weights as arguments. Functional forms of other
// layers are `linear(weight:bias:)`, `convolved(with:bias:…)`, `maxPooled(_:)`, `weights[indices]` for embeddings, and
// the activations.

extension Tensor {
  /// `(x − mean) / √(variance + ε) · γ + β` with the mean and (biased) variance over `axes`, as computed by
  /// `LayerNorm`.
  ///
  /// - Parameters:
  ///   - axes: the axes that are normalized together; by default the last.
  ///   - weight: `γ`, broadcast to the shape of this tensor.
  ///   - bias: `β`, broadcast to the shape of this tensor.
  /// - Returns: the result, in the shape of this tensor.
  public func layerNormalized(
    axes: [Int] = [-1], weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    inWideLane { x in
      var y = x.standardized(axes, epsilon: epsilon)
      if let weight { y = y * weight }
      return bias.map { y + $0 } ?? y
    }
  }

  /// `(x − mean) / √(variance + ε) · γ + β` for each channel of `x: [batch, channels, …]`, as computed by `BatchNorm`.
  ///
  /// - Parameters:
  ///   - mean: `[channels]`; by default the mean of the batch.
  ///   - variance: `[channels]`; by default the biased variance of the batch.
  ///   - weight: `γ`, `[channels]`.
  ///   - bias: `β`, `[channels]`.
  /// - Returns: the result, in the shape of this tensor.
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
      return centered.scaled(by: variance, epsilon: epsilon, weight, bias)
    }
  }

  /// `(x − mean) / √(variance + ε) · γ + β` for `x: [batch, channels, spatial…]`, as computed by `InstanceNorm` without
  /// running statistics. The mean and the (biased) variance are over the spatial positions of one channel of one
  /// example.
  ///
  /// - Parameters:
  ///   - weight: `γ`, `[channels]`.
  ///   - bias: `β`, `[channels]`.
  /// - Returns: the result, in the shape of this tensor.
  /// - Precondition: there is more than one spatial position.
  public func instanceNormalized(weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5) -> Tensor {
    guard rank >= 3 else {
      ShapeError("instanceNormalized", "\(shape) is not [batch, channels, spatial…]").report()
      return self
    }
    guard hasSeveralValues(apartFrom: [0, 1], "instanceNormalized") else { return self }
    return inWideLane { x in
      let (centered, _, variance) = x.centered(Array(2..<x.rank))
      return centered.scaled(by: variance, epsilon: epsilon, weight, bias)
    }
  }

  /// `(x − mean) / √(variance + ε) · γ + β` for `x: [batch, channels, …]`, as computed by `GroupNorm`. The mean and the
  /// (biased) variance are over the channels of a group and all spatial positions of one example.
  ///
  /// - Parameters:
  ///   - groups: the number of groups, a divisor of the number of channels.
  ///   - weight: `γ`, `[channels]`.
  ///   - bias: `β`, `[channels]`.
  /// - Returns: the result, in the shape of this tensor.
  public func groupNormalized(
    _ groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    guard rank >= 2, groups > 0, shape[1] % groups == 0 else {
      ShapeError("groupNormalized", "\(shape) is not [batch, channels, …] with channels for \(groups) equal groups")
        .report()
      return self
    }
    let spatialCount = shape.dropFirst(2).reduce(1, *)
    return inWideLane { x in
      x.reshaped(to: [x.shape[0], groups, x.shape[1] / groups * spatialCount])
        .standardized([2], epsilon: epsilon).reshaped(to: x.shape)
        .scaled(perChannel: weight, plus: bias)
    }
  }

  /// `x / √(mean(x²) + ε) · γ` with the mean over `axes`, as computed by `RMSNorm`.
  ///
  /// - Parameters:
  ///   - axes: the axes that are normalized together; by default the last.
  ///   - weight: `γ`, broadcast to the shape of this tensor.
  ///   - epsilon: by default the machine epsilon of the type (the distance from 1 to the next value).
  /// - Returns: the result, in the shape of this tensor.
  public func rmsNormalized(axes: [Int] = [-1], weight: Tensor? = nil, epsilon: Double? = nil) -> Tensor {
    let epsilon = epsilon ?? RMSNorm.unit(dtype)
    return inWideLane { x in
      let y = x * x.squared().mean(axes: axes, keepingAxes: true).inverseRoot(epsilon)
      return weight.map { y * $0 } ?? y
    }
  }

  /// Each element is 0 with probability `rate`, else `x / (1 − rate)`, in every mode. (The layer `Dropout` depends on
  /// the mode.) The result has the shape of this tensor.
  ///
  /// - Parameter key: the random key, which advances.
  /// - Precondition: `0 ≤ rate < 1`.
  public func dropout(_ rate: Double = 0.5, key: inout RandomKey) -> Tensor {
    let dropping = Dropping(rate, isAlwaysOn: true, "dropout")
    return dropping.apply(dropping.kept(shape, device, key.one()), to: self)
  }
}
