import ApusNN
import ApusTensor

/// A vision Transformer (Dosovitskiy et al.: "An image is worth 16x16 words", 2021). It maps images
/// `[batch, channels, height, width]` of the size `imageSize` to logits `[batch, classes]`. The parameters have
/// torchvision's names.
///
/// A convolution maps each patch to a token. A class token is prepended to these tokens; its final state is the input
/// of the classification layer.
///
/// Initialization follows torchvision. The convolution's weights are normal with the variance `1 / fanIn`, truncated at
/// ±2 (not at two deviations). Position embeddings are normal with a deviation of 0.02. The dense layers of the blocks
/// are Xavier uniform (Glorot, Bengio, 2010), their biases normal with a deviation of 1e-6. The input projections of
/// attention are Xavier uniform with biases of zeros. The output projection is initialized as PyTorch's `Linear`, but
/// with a bias of zeros. The class token and the last layer are zeros.
public struct VisionTransformer: Layer {
  /// The size of the images, `[height, width]`.
  public let imageSize: [Int]
  /// The height and width of a patch.
  public let patchSize: Int
  private let convProj: Conv2d
  private let classToken: ClassToken
  private let encoder: VisionEncoder
  private let head: Linear

  /// - Parameters:
  ///   - imageSize: the size of the images, one number or height and width.
  ///   - patch: the height and width of a patch.
  ///   - width: the size of a token.
  ///   - depth: the number of layers.
  ///   - heads: the number of heads, a divisor of `width`.
  ///   - hidden: the size between the two dense layers of a Transformer layer; by default `4 · width`.
  ///   - dropout: the dropout rate after positions, attention and dense layers.
  ///   - attentionDropout: the dropout rate of attention weights.
  ///   - channels: the number of channels of the images.
  ///   - classes: the number of logits.
  /// - Precondition: `mistake` returns `nil` for the sizes.
  public init(
    imageSize: Extents = 224, patch: Int = 16, width: Int = 768, depth: Int = 12, heads: Int = 12, hidden: Int? = nil,
    dropout: Double = 0, attentionDropout: Double = 0, channels: Int = 3, classes: Int = 1000
  ) {
    if let mistake = VisionTransformer.mistake(imageSize: imageSize, patch: patch, width: width, heads: heads) {
      fatalError("VisionTransformer: \(mistake)")
    }
    self.imageSize = imageSize.values.count == 1 ? [imageSize.values[0], imageSize.values[0]] : imageSize.values
    patchSize = patch
    let deviation = 1 / Double(channels * patch * patch).squareRoot()
    convProj = Conv2d(
      channels, width, kernel: Extents(patch), stride: Extents(patch),
      initializer: .truncatedNormal(deviation: deviation, lower: -2 / deviation, upper: 2 / deviation),
      biasInitializer: .zeros)
    classToken = ClassToken(width)
    let tokens = self.imageSize.reduce(1) { $0 * ($1 / patch) } + 1
    encoder = VisionEncoder(
      tokens: tokens, depth: depth, dropout: dropout,
      layer: {
        VisionEncoderBlock(
          width, heads: heads, hidden: hidden ?? 4 * width, dropout: dropout, attentionDropout: attentionDropout)
      }, norm: LayerNorm(width, epsilon: 1e-6))
    head = Linear(width, classes, initializer: .zeros, biasInitializer: .zeros)
  }

  /// ViT-B/16: 86,567,656 parameters for 1,000 classes and images of 224 × 224 pixels.
  public static func base16(imageSize: Extents = 224, channels: Int = 3, classes: Int = 1000) -> VisionTransformer {
    VisionTransformer(imageSize: imageSize, channels: channels, classes: classes)
  }

  /// Describes invalid sizes; `nil` if the sizes are valid.
  public static func mistake(imageSize: Extents, patch: Int, width: Int, heads: Int) -> String? {
    guard (1...2).contains(imageSize.values.count) else {
      return "the image size \(imageSize.values) must have one or two numbers"
    }
    guard patch > 0, width > 0, heads > 0 else {
      return "patches of \(patch), a width of \(width) and \(heads) heads must be above 0"
    }
    for extent in imageSize.values where extent < patch || extent % patch != 0 {
      return "patches of \(patch) pixels do not divide images of \(extent)"
    }
    return width % heads == 0 ? nil : "\(heads) heads do not divide the width \(width)"
  }

  public var members: [ModuleMember] {
    [
      .parameter("class_token", classToken.token), .module("conv_proj", convProj), .module("encoder", encoder),
      .module("heads.head", head),
    ]
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank == 4, Array(x.shape.suffix(2)) == imageSize else {
      let layout = "[batch, channels, \(imageSize[0]), \(imageSize[1])]"
      ShapeError("VisionTransformer", "\(x.shape) is not \(layout)").report()
      return x
    }
    let patches = LayerTrace.run("conv_proj", convProj, x).flattened(from: 2).transposed()
    let tokens = LayerTrace.run("class_token", classToken, patches)
    let states = LayerTrace.run("encoder", encoder, tokens)
    return LayerTrace.run("heads.head", head, states.slice(axis: 1, from: 0, count: 1).flattened(from: 1))
  }
}

/// Prepends the class token to `[batch, patches, width]`.
private struct ClassToken: Layer {
  let token: Parameter

  init(_ width: Int) { token = Parameter(.zeros([1, 1, width])) }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let shape: Shape = [x.shape[0], 1, x.shape[2]]
    return .concatenated([token.value.cast(to: x.dtype).broadcast(to: shape), x], axis: 1)
  }
}
