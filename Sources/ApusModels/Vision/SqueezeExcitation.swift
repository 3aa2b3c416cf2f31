import ApusNN
import ApusTensor

/// Squeeze and excitation (Hu, Shen, Sun: "Squeeze-and-excitation networks", 2018): each channel is multiplied by a
/// factor computed from the means of all channels:
/// ```text
/// y[n, c] = s[n, c] · x[n, c],   s = sigmoid(W₂ · relu(W₁ · mean(x) + b₁) + b₂)
/// ```
/// `n` is the index of an example and `c` of a channel, `x` is `[batch, channels, height, width]`, `s` is
/// `[batch, channels]`, and `y`, the result, has the shape of `x`.
///
/// Names and initialization follow torchvision's EfficientNet: `fc1` and `fc2` are 1 × 1 convolutions. Their weights
/// are initialized from a normal distribution with the variance `2 / fanOut`, their biases with zeros.
public struct SqueezeExcitation: AttendingLayer {
  let fc1: Conv2d
  let fc2: Conv2d

  /// - Parameters:
  ///   - channels: the number of channels of the input.
  ///   - squeezed: the number of hidden channels between the two layers.
  public init(_ channels: Int, squeezed: Int) {
    guard channels > 0, squeezed > 0 else {
      fatalError("SqueezeExcitation: \(channels) channels and \(squeezed) hidden channels must be 1 or more")
    }
    fc1 = Conv2d(
      channels, squeezed, kernel: 1, initializer: .heNormal(fan: .output), biasInitializer: .zeros)
    fc2 = Conv2d(
      squeezed, channels, kernel: 1, initializer: .heNormal(fan: .output), biasInitializer: .zeros)
  }

  /// A layer with `channels / reduction` hidden channels, at least one. The paper has a reduction of 16.
  /// - Precondition: `reduction` is 1 or more.
  public init(_ channels: Int, reduction: Int = 16) {
    guard reduction > 0 else { fatalError("SqueezeExcitation: the reduction \(reduction) is below 1") }
    self.init(channels, squeezed: max(channels / reduction, 1))
  }

  /// The factors `s`, `[batch, channels, 1, 1]`.
  private func factors(_ x: Tensor) -> Tensor {
    let squeezed = LayerTrace.run("fc1", fc1, x.mean(axes: [2, 3], keepingAxes: true)).relu()
    return LayerTrace.run("fc2", fc2, squeezed).sigmoid()
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { x.hasImageAxes(for: "SqueezeExcitation") ? x * factors(x) : x }

  public func attention(to x: Tensor) -> [AttentionMap] {
    [AttentionMap("", .channels, factors(x).flattened(from: 1))]
  }
}
