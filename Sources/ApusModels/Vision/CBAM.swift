import ApusNN
import ApusTensor

/// The convolutional block attention module (Woo, Park, Lee, Kweon: "CBAM: convolutional block attention module",
/// 2018), which scales channels and then pixels:
/// ```text
/// y = c · x,  z = s · y
/// c = sigmoid(mlp(mean(x)) + mlp(max(x)))                                     over the pixels
/// s = sigmoid(norm(conv₇ₓ₇(max(y), mean(y))))                                 over the channels
/// ```
/// `x` is `[batch, channels, height, width]`, `c` is `[batch, channels]`, `s` is `[batch, 1, height, width]`, and `z`,
/// the result, has the shape of `x`. The gradient of a maximum is divided equally among all positions that attain it.
///
/// Names and initialization follow the authors' PyTorch code (Jongchan/attention-module): `ChannelGate.mlp.1` and `.3`,
/// `SpatialGate.spatial.conv` and `.bn`. Biases and the scale of the norm are initialized with zeros, so that `s` is
/// initially one half.
public struct CBAM: AttendingLayer {
  private let channelGate: ChannelGate
  private let spatialGate: SpatialGate

  /// - Parameters:
  ///   - channels: the number of channels of the input.
  ///   - reduction: the hidden layer has `channels / reduction` units, at least one.
  /// - Precondition: `channels` and `reduction` are 1 or more.
  public init(_ channels: Int, reduction: Int = 16) {
    guard channels > 0, reduction > 0 else {
      fatalError("CBAM: \(channels) channels and the reduction \(reduction) must be 1 or more")
    }
    channelGate = ChannelGate(channels, hidden: max(channels / reduction, 1))
    spatialGate = SpatialGate()
  }

  public var members: [ModuleMember] { [.module("ChannelGate", channelGate), .module("SpatialGate", spatialGate)] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.hasImageAxes(for: "CBAM") else { return x }
    let y = LayerTrace.run("ChannelGate", channelGate, x)
    return LayerTrace.run("SpatialGate", spatialGate, y)
  }

  public func attention(to x: Tensor) -> [AttentionMap] {
    let channels = channelGate.factors(x)
    return [
      AttentionMap("ChannelGate", .channels, channels.flattened(from: 1)),
      AttentionMap("SpatialGate", .pixels, spatialGate.factors(x * channels)),
    ]
  }
}

/// Scales each channel of `x`.
private struct ChannelGate: Layer {
  let mlp: Sequential

  init(_ channels: Int, hidden: Int) {
    mlp = Sequential {
      Flatten()
      Linear(channels, hidden, biasInitializer: .zeros)
      ReLU()
      Linear(hidden, channels, biasInitializer: .zeros)
    }
  }

  /// The factors `c`, `[batch, channels, 1, 1]`. Means and maxima pass through the dense layers as one batch.
  func factors(_ x: Tensor) -> Tensor {
    let (batch, channels) = (x.shape[0], x.shape[1])
    let pooled = Tensor.concatenated([x.mean(axes: [2, 3]), x.max(axes: [2, 3])])
    let both = LayerTrace.run("mlp", mlp, pooled).reshaped(to: [2, batch, channels, 1, 1])
    return both.sum(axis: 0).sigmoid()
  }

  func callAsFunction(_ x: Tensor) -> Tensor { x * factors(x) }
}

/// Scales each pixel of `x`.
private struct SpatialGate: Layer {
  let spatial = Compressed()

  /// A convolution of two channels to one, and normalization.
  struct Compressed: Layer {
    let conv = Conv2d(2, 1, kernel: 7, padding: 3, hasBias: false, initializer: .heNormal(fan: .output))
    let bn = BatchNorm(1, momentum: 0.01)

    init() { bn.weight?.value = .zeros([1]) }

    func callAsFunction(_ x: Tensor) -> Tensor {
      let y = LayerTrace.run("conv", conv, x)
      return LayerTrace.run("bn", bn, y)
    }
  }

  /// The factors `s`, `[batch, 1, height, width]`.
  func factors(_ x: Tensor) -> Tensor {
    let pooled = Tensor.concatenated([x.max(axis: 1, keepingAxes: true), x.mean(axis: 1, keepingAxes: true)], axis: 1)
    return LayerTrace.run("spatial", spatial, pooled).sigmoid()
  }

  func callAsFunction(_ x: Tensor) -> Tensor { x * factors(x) }
}

extension Tensor {
  /// Whether the tensor has four axes, `[batch, channels, height, width]`. Otherwise reports a `ShapeError` that names
  /// `layer`.
  func hasImageAxes(for layer: String) -> Bool {
    guard rank == 4 else {
      ShapeError(layer, "\(shape) is not [batch, channels, height, width]").report()
      return false
    }
    return true
  }
}
