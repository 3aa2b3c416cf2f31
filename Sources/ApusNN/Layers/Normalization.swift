import ApusTensor

/// Computations shared by the normalization layers.
extension Tensor {
  /// `(x − mean) / √(variance + ε)` with the mean and the (biased) variance over `axes`.
  func standardized(_ axes: [Int], epsilon: Double) -> Tensor {
    let (centered, _, variance) = centered(axes)
    return centered * variance.inverseRoot(epsilon)
  }

  /// `1 / √(x + ε)`. For a variance `x` this is the inverse of the standard deviation.
  func inverseRoot(_ epsilon: Double) -> Tensor { (self + epsilon).rsqrt() }

  /// `x / √(variance + ε) · γ + β` for a centered `x: [batch, channels, …]` and a variance in a shape that broadcasts
  /// to the shape of `x`. `γ` (`weight`) and `β` (`bias`) have the shape `[channels]`. `1 / √(variance + ε)` is
  /// multiplied by `γ` first, because both have fewer elements than `x`.
  func scaled(by variance: Tensor, epsilon: Double, _ weight: Tensor?, _ bias: Tensor?) -> Tensor {
    var scale = variance.inverseRoot(epsilon)
    if let weight { scale = scale * weight.reshaped(to: perChannelShape(weight.elementCount)) }
    return (self * scale).scaled(perChannel: nil, plus: bias)
  }

  /// `x · γ + β` with one value for each channel of `x: [batch, channels, …]`.
  func scaled(perChannel weight: Tensor?, plus bias: Tensor?) -> Tensor {
    var result = self
    if let weight { result = result * weight.reshaped(to: perChannelShape(weight.elementCount)) }
    if let bias { result = result + bias.reshaped(to: perChannelShape(bias.elementCount)) }
    return result
  }

  /// Reports an error and returns `false` if statistics over all axes except `kept` cover only one value.
  func hasSeveralValues(apartFrom kept: [Int], _ layer: String) -> Bool {
    let count = shape.indices.reduce(1) { kept.contains($1) ? $0 : $0 * shape[$1] }
    guard count == 1 else { return true }
    ShapeError(
      layer,
      "\(shape) has only one value for each mean and variance, so all results would be 0; training needs more than one "
        + "(a batch of 1 without spatial axes, or with 1x1 pixels, is too small)"
    ).report()
    return false
  }

  /// The shape in which `channels` values broadcast along axis 1 of this tensor.
  func perChannelShape(_ channels: Int) -> Shape {
    Shape([channels] + Array(repeating: 1, count: Swift.max(rank - 2, 0)))
  }

  /// Whether this is `[batch, channels, …]` with the given number of channels and an allowed number of spatial axes.
  /// Reports an error if it is not.
  func hasChannels(_ channels: Int, spatialAxes: ClosedRange<Int>, _ layer: String) -> Bool {
    guard rank >= 2, spatialAxes.contains(rank - 2), shape[1] == channels else {
      let rest = spatialAxes.upperBound == 0 ? "" : ", \(spatialAxes.lowerBound) to \(spatialAxes.upperBound) axes"
      ShapeError(layer, "\(shape) is not [batch, \(channels) channels\(rest)]").report()
      return false
    }
    return true
  }
}

extension Statistic {
  /// The weight of a batch in a running statistic: a constant or a tensor.
  enum Share {
    case number(Double)
    case tensor(Tensor)
  }

  /// Updates the running statistic with the statistic of a batch, without a gradient:
  /// `running = (1 − share) · running + share · batch`. The form `running + share · (batch − running)` would lose
  /// digits if `running` and `batch` are far apart.
  func follow(_ batch: Tensor, share: Share) {
    let old = value
    let new = batch.stopGradient().cast(to: old.dtype).reshaped(to: shape)
    let number = { (x: Double) in Tensor.number(x, dtype: old.dtype, device: old.device) }
    let (keep, share) =
      switch share {
      case .number(let share): (number(1 - share), number(share))
      case .tensor(let share): (1 - share, share)
      }
    value = old.averaged(with: new, keep: keep, share: share)
  }
}

/// `n / (n − 1)`, the factor from a biased variance of `n` values to the unbiased one (Bessel's correction).
func besselCorrection(_ n: Int) -> Double { Double(n) / Double(max(n - 1, 1)) }
