import ApusData
import ApusNN
import ApusTensor

/// The network of airbench94 (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024):
/// `x: [batch, channels, height, width]` to logits `[batch, classes]`.
///
/// ```text
/// conv 2x2 to 2 · 4 · channels filters, without padding, with bias; gelu
/// 3 groups: conv 3x3, max pool 2, batchnorm, gelu, conv 3x3, batchnorm, gelu
/// max pool 3; flatten; dense without bias; times 1/9
/// ```
/// The first convolution has `2 · 4 · channels` filters for `Whitening`: two, with opposite signs, for each eigenvector
/// of its 2 × 2 patches. The 3 × 3 convolutions have no bias and keep the size of the images. Their filters for the
/// first output channels start as the identity, and all others with PyTorch's default, so that a convolution initially
/// passes its input through. Batch norms have a shift but no scale, `ε = 10⁻¹²`, and running statistics with a momentum
/// of 0.4. The keys are those of the published model, such as `2.conv1.weight`.
public struct Airbench: Layer {
  private let layers: Sequential

  /// - Parameters:
  ///   - imageSize: the size of the images, one number or height and width.
  ///   - channels: the number of channels of the images.
  ///   - widths: the numbers of channels of the three groups.
  ///   - classes: the number of logits.
  /// - Precondition: `mistake` returns `nil` for the size, and there are three widths.
  public init(imageSize: Extents = 32, channels: Int = 3, widths: [Int] = [64, 256, 256], classes: Int = 10) {
    if let mistake = Airbench.mistake(imageSize: imageSize) { fatalError("Airbench: \(mistake)") }
    guard widths.count == 3, widths.allSatisfy({ $0 > 0 }) else {
      fatalError("Airbench: the widths \(widths) must be three, each 1 or more")
    }
    let (first, last) = (2 * 4 * channels, widths[2])
    let (height, width) = (imageSize.values[0], imageSize.values[imageSize.values.count - 1])
    let pixels = Airbench.pooled(height) * Airbench.pooled(width)
    layers = Sequential {
      Conv2d(channels, first, kernel: 2, initializer: .dirac(rest: .pytorch), biasInitializer: .zeros)
      GELU()
      AirbenchGroup(first, widths[0])
      AirbenchGroup(widths[0], widths[1])
      AirbenchGroup(widths[1], last)
      MaxPool2d(3)
      Flatten()
      Linear(last * pixels, classes, hasBias: false)
      Function { x in x * (1.0 / 9) }
    }
  }

  /// Explains why a size of images is not valid: it is not one or two numbers, or too small for the first convolution
  /// and the four poolings. `nil` if the size is valid.
  public static func mistake(imageSize: Extents) -> String? {
    guard (1...2).contains(imageSize.values.count) else { return "\(imageSize.values) is not a height and a width" }
    for extent in imageSize.values where pooled(extent) < 1 { return "images of \(extent) pixels are smaller than 25" }
    return nil
  }

  /// The number of pixels along an axis after all convolutions and poolings: four for an axis of 97 to 120 pixels, one
  /// for 25 to 48.
  private static func pooled(_ extent: Int) -> Int { (extent - 1) / 8 / 3 }

  public var members: [ModuleMember] { layers.members }

  public func callAsFunction(_ x: Tensor) -> Tensor { layers(x) }
}

/// A group of layers of `Airbench`: `[batch, inputs, height, width]` to `[batch, outputs, ⌊height / 2⌋, ⌊width / 2⌋]`.
struct AirbenchGroup: Layer {
  let conv1: Conv2d
  let pool = MaxPool2d(2)
  let norm1: BatchNorm
  let conv2: Conv2d
  let norm2: BatchNorm

  init(_ inputs: Int, _ outputs: Int) {
    func convolution(_ inputs: Int) -> Conv2d {
      Conv2d(inputs, outputs, kernel: 3, padding: 1, hasBias: false, initializer: .dirac(rest: .pytorch))
    }
    func norm() -> BatchNorm { BatchNorm(outputs, epsilon: 1e-12, momentum: 0.4, hasScale: false) }
    conv1 = convolution(inputs)
    norm1 = norm()
    conv2 = convolution(outputs)
    norm2 = norm()
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = LayerTrace.run("conv1", conv1, x)
    y = LayerTrace.run("pool", pool, y)
    y = LayerTrace.run("norm1", norm1, y).gelu()
    y = LayerTrace.run("conv2", conv2, y)
    return LayerTrace.run("norm2", norm2, y).gelu()
  }
}

extension ModelDescription {
  /// airbench94 for images of 32 × 32 pixels, with the published settings as its recipe. On CIFAR-10, the published
  /// program reaches a test accuracy of 94.01 % (the mean of 1,000 runs).
  public static let airbench94 = ModelDescription(
    name: "airbench94", summary: "airbench94: six convolutions after a whitening convolution, for fast training",
    kind: .images(
      ImageNetwork(
        PublishedNetwork("airbench94", inputSize: [3, 32, 32], classes: 10, hasStems: false) {
          input, classes, _ throws(ModelError) in
          let size: Extents = [input[1], input[2]]
          if let mistake = Airbench.mistake(imageSize: size) { throw .misfit("airbench94: \(mistake)") }
          return Airbench(imageSize: size, channels: input[0], classes: classes)
        })),
    recipe: .airbench94)
}

extension ModelDescription.Recipe {
  /// The published settings of airbench94.
  ///
  /// The published program minimizes the sum of the losses of a batch of `B = 1024` examples, and states the learning
  /// rate and the weight decay for 1,024 examples and for steps without momentum. It divides both by `s`, which
  /// includes its estimate `1 + 1 / (1 − m)` of how much Nesterov momentum `m = 0.85` enlarges a step:
  /// ```text
  /// s = 1024 · (1 + 1 / (1 − m))
  /// rate = 11.5 / s       rate · weightDecay = 0.0153 · B / s
  /// ```
  /// Here, the loss is the mean over the batch, whose gradient is smaller by the factor `B`. The same steps result from
  /// `B` times the rate, `11.5 / (1 + 1 / (1 − m)) = 1.5`, and from the weight decay `0.0153 / 11.5`, which keeps the
  /// product `rate · weightDecay`. The shifts of batch norms have 64 times the rate and 1/64 of the weight decay. In
  /// the first 23 % of the run, the learning rate rises from 0.2 of this rate to the full rate; then it falls to 0.07
  /// of it (`TriangleSchedule`).
  public static let airbench94 = ModelDescription.Recipe(
    optimizer: "nesterov", learningRate: 1.5, schedule: TriangleSchedule.name, batchSize: 1024, epochs: 9.9,
    options: [
      "momentum": 0.85, "weight_decay": .number(0.0153 / 11.5), "norm_bias_rate": 64, "lookahead": 5,
      "initialize": "whitening", "freeze": "0.weight, 0.bias after 3", "label_smoothing": 0.2, "drop_last": true,
      "augment": "flip alternate, crop pad 2 reflect", "test_time_augmentation": "flip-shift",
    ])
}
