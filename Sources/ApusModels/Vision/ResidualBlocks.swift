import ApusNN
import ApusTensor

/// Two 3 × 3 convolutions with normalization, together `f`, and a residual connection, `y = relu(f(x) + x)`:
/// `x: [batch, inputs, height, width]` to `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`. If the sizes of
/// input and output differ, the `x` that is added is projected by a 1 × 1 convolution with normalization.
public struct ResidualBlock: Layer {
  let conv1: Conv2d
  let bn1: BatchNorm
  let conv2: Conv2d
  let bn2: BatchNorm
  let se: SqueezeExcitation?
  let cbam: CBAM?
  let downsample: Sequential?

  /// A block with `inputs` input channels and `outputs` output channels; the first convolution has the stride.
  public init(_ inputs: Int, _ outputs: Int, stride: Int = 1, attention: ResNet.Attention = .none) {
    conv1 = .ahead(inputs, outputs, kernel: 3, stride: stride, padding: 1)
    bn1 = BatchNorm(outputs)
    conv2 = .ahead(outputs, outputs, kernel: 3, padding: 1)
    bn2 = BatchNorm(outputs)
    (se, cbam) = (attention.squeezeExcitation(outputs), attention.cbam(outputs))
    downsample = projection(inputs, outputs, stride: stride)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("conv1", conv1, x)
    y = LayerTrace.run("bn1", bn1, y).relu()
    y = LayerTrace.run("conv2", conv2, y)
    y = LayerTrace.run("bn2", bn2, y)
    return added(y, to: x)
  }
}

/// A 1 × 1, a 3 × 3 and a 1 × 1 convolution with normalization, together `f`, and a residual connection,
/// `y = relu(f(x) + x)`: `x: [batch, inputs, height, width]` to
/// `[batch, 4 · channels, ⌈height / stride⌉, ⌈width / stride⌉]`. The last convolution has `4 · channels` output
/// channels, the first two have `channels`. If the sizes of input and output differ, the `x` that is added is projected
/// by a 1 × 1 convolution with normalization. The 3 × 3 convolution has the stride, as in torchvision; in the paper the
/// first convolution has it.
public struct BottleneckBlock: Layer {
  /// The output channels, as a multiple of the channels of the inner convolutions.
  public static let expansion = 4

  let conv1: Conv2d
  let bn1: BatchNorm
  let conv2: Conv2d
  let bn2: BatchNorm
  let conv3: Conv2d
  let bn3: BatchNorm
  let se: SqueezeExcitation?
  let cbam: CBAM?
  let downsample: Sequential?

  /// A block with `inputs` input channels and `4 · channels` output channels.
  public init(_ inputs: Int, _ channels: Int, stride: Int = 1, attention: ResNet.Attention = .none) {
    let outputs = BottleneckBlock.expansion * channels
    conv1 = .ahead(inputs, channels, kernel: 1)
    bn1 = BatchNorm(channels)
    conv2 = .ahead(channels, channels, kernel: 3, stride: stride, padding: 1)
    bn2 = BatchNorm(channels)
    conv3 = .ahead(channels, outputs, kernel: 1)
    bn3 = BatchNorm(outputs)
    (se, cbam) = (attention.squeezeExcitation(outputs), attention.cbam(outputs))
    downsample = projection(inputs, outputs, stride: stride)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("conv1", conv1, x)
    y = LayerTrace.run("bn1", bn1, y).relu()
    y = LayerTrace.run("conv2", conv2, y)
    y = LayerTrace.run("bn2", bn2, y).relu()
    y = LayerTrace.run("conv3", conv3, y)
    y = LayerTrace.run("bn3", bn3, y)
    return added(y, to: x)
  }
}

/// The layers at the end of both kinds of residual blocks.
private protocol Residual: Layer {
  var se: SqueezeExcitation? { get }
  var cbam: CBAM? { get }
  var downsample: Sequential? { get }
}

extension ResidualBlock: Residual {}
extension BottleneckBlock: Residual {}

extension Residual {
  /// `relu(attention(y) + x)`, with `x` projected by `downsample` if there is one.
  fileprivate func added(_ y: Tensor, to x: Tensor) -> Tensor {
    var y = y
    if let se { y = LayerTrace.run("se", se, y) }
    if let cbam { y = LayerTrace.run("cbam", cbam, y) }
    return (y + (downsample.map { LayerTrace.run("downsample", $0, x) } ?? x)).relu()
  }
}

extension ResNet.Attention {
  fileprivate func squeezeExcitation(_ channels: Int) -> SqueezeExcitation? {
    guard case .squeezeExcite(let reduction) = self else { return nil }
    return SqueezeExcitation(channels, reduction: reduction)
  }

  fileprivate func cbam(_ channels: Int) -> CBAM? {
    guard case .cbam(let reduction) = self else { return nil }
    return CBAM(channels, reduction: reduction)
  }
}

/// Projects the input of a block to the size of its output; `nil` if the sizes are equal.
private func projection(_ inputs: Int, _ outputs: Int, stride: Int) -> Sequential? {
  guard stride != 1 || inputs != outputs else { return nil }
  return Sequential {
    Conv2d.ahead(inputs, outputs, kernel: 1, stride: stride)
    BatchNorm(outputs)
  }
}

extension Conv2d {
  /// A convolution before a batch norm, without a bias, which the normalization would cancel. Its weights are
  /// initialized from a normal distribution with the variance `2 / fan` (He et al., 2015). In torchvision, ResNet uses
  /// `fanOut` and DenseNet `fanIn`.
  static func ahead(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Int = 1, padding: Padding = 0,
    fan: Initializer.Fan = .output
  ) -> Conv2d {
    Conv2d(
      inputs, outputs, kernel: kernel, stride: Extents(stride), padding: padding, hasBias: false,
      initializer: .heNormal(fan: fan))
  }
}
