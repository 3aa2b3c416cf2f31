import ApusNN
import ApusTensor

/// A residual network (He, Zhang, Ren, Sun: "Deep residual learning for image recognition", 2015), with
/// torchvision's names: `x: [batch, channels, height, width]` to logits `[batch, classes]`.
///
/// Convolutions start normal with the variance `2 / fanOut`, norms as the identity, the dense layer as PyTorch's.
public struct ResNet: Layer {
  /// What its stages are made of.
  public enum Block: Hashable, Sendable {
    /// `ResidualBlock`, of ResNet-18 and 34.
    case basic
    /// `BottleneckBlock`, of ResNet-50 and deeper ones.
    case bottleneck

    /// How many times the channels of its 3 × 3 convolutions a block gives.
    var expansion: Int { self == .basic ? 1 : BottleneckBlock.expansion }

    /// A block from some channels to `expansion` times others.
    func layer(_ inputs: Int, _ channels: Int, stride: Int, attention: Attention) -> any Layer {
      switch self {
      case .basic: ResidualBlock(inputs, channels, stride: stride, attention: attention)
      case .bottleneck: BottleneckBlock(inputs, channels, stride: stride, attention: attention)
      }
    }
  }

  /// What weighs a block's result before its input is added to it.
  public enum Attention: Hashable, Sendable {
    /// Nothing.
    case none
    /// `SqueezeExcitation` with a `reduction`-th of the channels between its layers, under the key `se`: SE-ResNet.
    case squeezeExcite(reduction: Int = 16)
    /// `CBAM` with a `reduction`-th of the channels between its layers, under the key `cbam`.
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
  ///   - blocks: the number of blocks of each of the four stages: `[2, 2, 2, 2]` for ResNet-18, `[3, 4, 6, 3]` for
  ///     ResNet-34 and, with bottlenecks, ResNet-50.
  ///   - block: what they are.
  ///   - attention: what weighs the result of each block.
  ///   - channels: those of the images.
  ///   - stem: small images see a 3 × 3 convolution of stride 1 and no pooling.
  public init(
    blocks: [Int] = [2, 2, 2, 2], of block: Block = .basic, attention: Attention = .none, channels: Int = 3,
    classes: Int = 1000, stem: ImageStem = .imageNet
  ) {
    guard blocks.count == 4, blocks.allSatisfy({ $0 > 0 }) else {
      fatalError("ResNet: four stages of blocks, not \(blocks)")
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
    conv1 =
      stem == .imageNet
      ? .ahead(channels, 64, kernel: 7, stride: 2, padding: 3) : .ahead(channels, 64, kernel: 3, padding: 1)
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
    if stem == .imageNet { y = y.maxPooled([3, 3], stride: [2, 2], padding: [(1, 1), (1, 1)]) }
    for (name, stage) in [("layer1", layer1), ("layer2", layer2), ("layer3", layer3), ("layer4", layer4)] {
      y = LayerTrace.run(name, stage, y)
    }
    return LayerTrace.run("fc", fc, y.mean(axes: [2, 3]))
  }
}
