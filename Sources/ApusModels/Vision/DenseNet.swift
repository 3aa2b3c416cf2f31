import ApusNN
import ApusTensor

/// A densely connected network (Huang, Liu, van der Maaten, Weinberger: "Densely connected convolutional
/// networks", 2017), with torchvision's names: `x: [batch, channels, height, width]` to logits `[batch, classes]`. Each
/// layer reads the input of its block and the outputs of all preceding layers of the block, concatenated.
///
/// Weights of convolutions are initialized from a normal distribution with the variance `2 / fanIn`, norms as the
/// identity. The final dense layer has PyTorch's default initialization, but a bias of zeros.
public struct DenseNet: Layer {
  let features: DenseFeatures
  let classifier: Linear

  /// - Parameters:
  ///   - layers: the number of layers in each block, `[6, 12, 24, 16]` for DenseNet-121.
  ///   - growth: the number of channels that each layer adds.
  ///   - width: the number of channels before the first block.
  ///   - bottleneck: the input channels of a layer's 3 × 3 convolution, as a multiple of `growth`.
  ///   - channels: the number of channels of the images.
  ///   - stem: `smallImage` begins with a 3 × 3 convolution of stride 1, without pooling. The paper's networks for
  ///     small images have three blocks and `2 · growth` channels before them: `[6, 6, 6]` with a growth of 12 and a
  ///     width of 24 is the paper's DenseNet-BC with 40 layers.
  public init(
    layers: [Int] = [6, 12, 24, 16], growth: Int = 32, width: Int = 64, bottleneck: Int = 4, channels: Int = 3,
    classes: Int = 1000, stem: ImageStem = .imageNet
  ) {
    guard !layers.isEmpty, layers.allSatisfy({ $0 > 0 }) else {
      fatalError("DenseNet: the numbers of layers \(layers) must be one for each block, 1 or more")
    }
    features = DenseFeatures(
      layers: layers, growth: growth, width: width, bottleneck: bottleneck, channels: channels, stem: stem)
    classifier = Linear(features.channels, classes, biasInitializer: .zeros)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("features", features, x)
    return LayerTrace.run("classifier", classifier, y.relu().mean(axes: [2, 3]))
  }
}

/// The stem of a `DenseNet`, its blocks and the final norm: `[batch, inputs, height, width]` to `[batch, channels, …]`.
/// Transitions between the blocks halve the number of channels, the height and the width.
struct DenseFeatures: Layer {
  private let conv0: Conv2d
  private let norm0: BatchNorm
  private let blocks: [DenseBlock]
  private let transitions: [DenseTransition]
  private let last: BatchNorm
  private let stem: ImageStem
  /// The number of output channels.
  let channels: Int

  init(layers: [Int], growth: Int, width: Int, bottleneck: Int, channels: Int, stem: ImageStem) {
    self.stem = stem
    conv0 = stem.convolution(channels, width, fan: .input)
    norm0 = BatchNorm(width)
    var count = width
    var (blocks, transitions): ([DenseBlock], [DenseTransition]) = ([], [])
    for (number, layerCount) in layers.enumerated() {
      blocks.append(DenseBlock(count, layers: layerCount, growth: growth, bottleneck: bottleneck))
      count += layerCount * growth
      guard number + 1 < layers.count else { break }
      transitions.append(DenseTransition(count, count / 2))
      count /= 2
    }
    (self.blocks, self.transitions) = (blocks, transitions)
    last = BatchNorm(count)
    self.channels = count
  }

  /// The blocks and transitions in order, with their keys.
  private var stages: [(key: String, layer: any Layer)] {
    blocks.indices.flatMap { index -> [(key: String, layer: any Layer)] in
      let block: (String, any Layer) = ("denseblock\(index + 1)", blocks[index])
      return index < transitions.count ? [block, ("transition\(index + 1)", transitions[index])] : [block]
    }
  }

  var members: [ModuleMember] {
    [.module("conv0", conv0), .module("norm0", norm0)] + stages.map { .module($0.key, $0.layer) }
      + [.module("norm\(blocks.count + 1)", last)]
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("conv0", conv0, x)
    y = LayerTrace.run("norm0", norm0, y).relu()
    y = stem.pooled(y)
    for stage in stages { y = LayerTrace.run(stage.key, stage.layer, y) }
    return LayerTrace.run("norm\(blocks.count + 1)", last, y)
  }
}

/// Layers that each concatenate `growth` channels to their input.
struct DenseBlock: Layer {
  private let layers: [DenseLayer]

  init(_ inputs: Int, layers count: Int, growth: Int, bottleneck: Int) {
    layers = (0..<count).map { DenseLayer(inputs + $0 * growth, growth: growth, bottleneck: bottleneck) }
  }

  var members: [ModuleMember] {
    layers.enumerated().map { .module("denselayer\($0.offset + 1)", $0.element) }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = x
    for (index, layer) in layers.enumerated() {
      let added = LayerTrace.run("denselayer\(index + 1)", layer, y)
      y = Tensor.concatenated([y, added], axis: 1)
    }
    return y
  }
}

/// A 1 × 1 and a 3 × 3 convolution, each after normalization and ReLU: `[batch, inputs, …]` to `growth` channels.
struct DenseLayer: Layer {
  private let norm1: BatchNorm
  private let conv1: Conv2d
  private let norm2: BatchNorm
  private let conv2: Conv2d

  init(_ inputs: Int, growth: Int, bottleneck: Int) {
    norm1 = BatchNorm(inputs)
    conv1 = .ahead(inputs, bottleneck * growth, kernel: 1, fan: .input)
    norm2 = BatchNorm(bottleneck * growth)
    conv2 = .ahead(bottleneck * growth, growth, kernel: 3, padding: 1, fan: .input)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("norm1", norm1, x).relu()
    y = LayerTrace.run("conv1", conv1, y)
    y = LayerTrace.run("norm2", norm2, y).relu()
    return LayerTrace.run("conv2", conv2, y)
  }
}

/// Normalization, ReLU, a 1 × 1 convolution and 2 × 2 average pooling.
struct DenseTransition: Layer {
  private let norm: BatchNorm
  private let conv: Conv2d

  init(_ inputs: Int, _ outputs: Int) {
    norm = BatchNorm(inputs)
    conv = .ahead(inputs, outputs, kernel: 1, fan: .input)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("norm", norm, x).relu()
    return LayerTrace.run("conv", conv, y).averagePooled([2, 2])
  }
}
