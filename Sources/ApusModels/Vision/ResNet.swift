import ApusNN
import ApusTensor

/// A residual network (He, Zhang, Ren, Sun: "Deep residual learning for image recognition", 2015), with
/// torchvision's names: `x: [batch, channels, height, width]` to logits `[batch, classes]`.
///
/// Weights of convolutions are initialized from a normal distribution with the variance `2 / fanOut`, batch norms
/// as the identity, and the dense layer by PyTorch's default.
public struct ResNet: Layer {
  /// The kind of the residual blocks.
  public enum Block: Hashable, Sendable {
    /// `ResidualBlock`, used in ResNet-18 and 34.
    case basic
    /// `BottleneckBlock`, used in ResNet-50 and deeper networks.
    case bottleneck

    /// The output channels of a block, as a multiple of the channels of its 3 × 3 convolutions.
    var expansion: Int { self == .basic ? 1 : BottleneckBlock.expansion }

    /// A block with `inputs` input channels and `expansion · channels` output channels.
    func layer(_ inputs: Int, _ channels: Int, stride: Int, attention: Attention) -> any Layer {
      switch self {
      case .basic: ResidualBlock(inputs, channels, stride: stride, attention: attention)
      case .bottleneck: BottleneckBlock(inputs, channels, stride: stride, attention: attention)
      }
    }
  }

  /// The attention applied to a block's result before the residual addition.
  public enum Attention: Hashable, Sendable {
    /// No attention.
    case none
    /// `SqueezeExcitation` under the key `se`, as in SE-ResNet. `reduction` is the number of the block's output
    /// channels divided by the number of hidden channels.
    case squeezeExcite(reduction: Int = 16)
    /// `CBAM` under the key `cbam`. `reduction` is the number of the block's output channels divided by the number of
    /// hidden units.
    case cbam(reduction: Int = 16)
  }

  let conv1: Conv2d
  let bn1: BatchNorm
  let layer1: Sequential
  let layer2: Sequential
  let layer3: Sequential
  let layer4: Sequential
  let fc: Linear
  private let stem: ImageStem

  /// - Parameters:
  ///   - blocks: the number of blocks in each of the four stages: `[2, 2, 2, 2]` for ResNet-18, `[3, 4, 6, 3]` for
  ///     ResNet-34 and, with bottlenecks, ResNet-50.
  ///   - block: the kind of blocks.
  ///   - attention: the attention applied to the result of each block.
  ///   - channels: the number of channels of the images.
  ///   - stem: the first layers: a 7 × 7 convolution of stride 2 and max pooling or, with `smallImage`, a 3 × 3
  ///     convolution of stride 1 alone.
  public init(
    blocks: [Int] = [2, 2, 2, 2], of block: Block = .basic, attention: Attention = .none, channels: Int = 3,
    classes: Int = 1000, stem: ImageStem = .imageNet
  ) {
    guard blocks.count == 4, blocks.allSatisfy({ $0 > 0 }) else {
      fatalError("ResNet: the numbers of blocks \(blocks) must be four, each 1 or more")
    }
    func stage(_ number: Int, from inputs: Int) -> Sequential {
      let channels = 64 << number
      return Sequential(
        (0..<blocks[number]).map { index in
          let isFirst = index == 0
          return block.layer(
            isFirst ? inputs : channels * block.expansion, channels, stride: isFirst && number > 0 ? 2 : 1,
            attention: attention)
        })
    }
    conv1 = stem.convolution(channels, 64)
    bn1 = BatchNorm(64)
    layer1 = stage(0, from: 64)
    layer2 = stage(1, from: 64 * block.expansion)
    layer3 = stage(2, from: 128 * block.expansion)
    layer4 = stage(3, from: 256 * block.expansion)
    fc = Linear(512 * block.expansion, classes)
    self.stem = stem
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("conv1", conv1, x)
    y = LayerTrace.run("bn1", bn1, y).relu()
    y = stem.pooled(y)
    for (name, stage) in [("layer1", layer1), ("layer2", layer2), ("layer3", layer3), ("layer4", layer4)] {
      y = LayerTrace.run(name, stage, y)
    }
    return LayerTrace.run("fc", fc, y.mean(axes: [2, 3]))
  }
}
