import ApusNN
import ApusTensor

/// A residual network (He, Zhang, Ren, Sun: "Deep residual learning for image recognition", 2015), with
/// torchvision's names: `x: [batch, channels, height, width]` to logits `[batch, classes]`.
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
    func layer(_ inputs: Int, _ channels: Int, stride: Int) -> any Layer {
      switch self {
      case .basic: ResidualBlock(inputs, channels, stride: stride)
      case .bottleneck: BottleneckBlock(inputs, channels, stride: stride)
      }
    }
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
  ///   - channels: those of the images.
  public init(
    blocks: [Int] = [2, 2, 2, 2], of block: Block = .basic, channels: Int = 3, classes: Int = 1000,
    stem: ImageStem = .imageNet
  ) {
    precondition(blocks.count == 4 && blocks.allSatisfy { $0 > 0 }, "ResNet: four stages of blocks, not \(blocks)")
    func stage(_ number: Int, from inputs: Int) -> Sequential {
      let channels = 64 << number
      return Sequential(
        (0..<blocks[number]).map { index in
          let isFirst = index == 0
          return block.layer(
            isFirst ? inputs : channels * block.expansion, channels, stride: isFirst && number > 0 ? 2 : 1)
        })
    }
    conv1 =
      stem == .imageNet
      ? Conv2d(channels, 64, kernel: 7, stride: 2, padding: 3, hasBias: false)
      : Conv2d(channels, 64, kernel: 3, padding: 1, hasBias: false)
    bn1 = BatchNorm(64)
    layer1 = stage(0, from: 64)
    layer2 = stage(1, from: 64 * block.expansion)
    layer3 = stage(2, from: 128 * block.expansion)
    layer4 = stage(3, from: 256 * block.expansion)
    fc = Linear(512 * block.expansion, classes)
    self.stem = stem
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("conv1", conv1, x) { conv1($0) }
    y = LayerTrace.run("bn1", bn1, y) { bn1($0) }.relu()
    if stem == .imageNet { y = y.maxPooled([3, 3], stride: [2, 2], padding: [(1, 1), (1, 1)]) }
    for (name, stage) in [("layer1", layer1), ("layer2", layer2), ("layer3", layer3), ("layer4", layer4)] {
      y = LayerTrace.run(name, stage, y) { stage($0) }
    }
    return LayerTrace.run("fc", fc, y.mean([2, 3])) { fc($0) }
  }
}

/// Two 3 × 3 convolutions with normalization, `y = relu(f(x) + x)`; where the sizes differ `x` goes through a 1 × 1
/// convolution with normalization.
public struct ResidualBlock: Layer {
  let conv1: Conv2d
  let bn1: BatchNorm
  let conv2: Conv2d
  let bn2: BatchNorm
  let downsample: Sequential?

  /// A block from some channels to others, whose first convolution has the stride.
  public init(_ inputs: Int, _ outputs: Int, stride: Int = 1) {
    conv1 = Conv2d(inputs, outputs, kernel: 3, stride: [stride, stride], padding: 1, hasBias: false)
    bn1 = BatchNorm(outputs)
    conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, hasBias: false)
    bn2 = BatchNorm(outputs)
    downsample = projection(inputs, outputs, stride: stride)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = bn2(conv2(bn1(conv1(x)).relu()))
    return (y + (downsample?(x) ?? x)).relu()
  }
}

/// A 1 × 1, a 3 × 3 and a 1 × 1 convolution with normalization, `y = relu(f(x) + x)`, the last with four times the
/// channels; where the sizes differ `x` goes through a 1 × 1 convolution with normalization. The stride is that of the
/// 3 × 3 convolution, as in torchvision; the paper has it in the first.
public struct BottleneckBlock: Layer {
  /// How many times the channels of the inner convolutions it gives.
  public static let expansion = 4

  let conv1: Conv2d
  let bn1: BatchNorm
  let conv2: Conv2d
  let bn2: BatchNorm
  let conv3: Conv2d
  let bn3: BatchNorm
  let downsample: Sequential?

  /// A block from some channels to four times others.
  public init(_ inputs: Int, _ channels: Int, stride: Int = 1) {
    let outputs = BottleneckBlock.expansion * channels
    conv1 = Conv2d(inputs, channels, kernel: 1, hasBias: false)
    bn1 = BatchNorm(channels)
    conv2 = Conv2d(channels, channels, kernel: 3, stride: [stride, stride], padding: 1, hasBias: false)
    bn2 = BatchNorm(channels)
    conv3 = Conv2d(channels, outputs, kernel: 1, hasBias: false)
    bn3 = BatchNorm(outputs)
    downsample = projection(inputs, outputs, stride: stride)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = bn3(conv3(bn2(conv2(bn1(conv1(x)).relu())).relu()))
    return (y + (downsample?(x) ?? x)).relu()
  }
}

/// What brings the input of a block to the size of its output, where they differ.
private func projection(_ inputs: Int, _ outputs: Int, stride: Int) -> Sequential? {
  guard stride != 1 || inputs != outputs else { return nil }
  return Sequential {
    Conv2d(inputs, outputs, kernel: 1, stride: [stride, stride], hasBias: false)
    BatchNorm(outputs)
  }
}
