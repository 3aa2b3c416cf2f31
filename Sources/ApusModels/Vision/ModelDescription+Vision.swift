import ApusNN

extension ModelDescription {
  /// Published convolutional and attention networks. By default they have the stem (the first layers) that fits the
  /// size of the images.
  static let vision: [ModelDescription] = [
    published("alexnet", "AlexNet: five convolutions and three dense layers") {
      AlexNet(channels: $0[0], classes: $1, stem: $2)
    },
    published("alexnet-2012", "AlexNet with two columns: grouped convolutions, local response normalization") {
      AlexNet(columns: 2, channels: $0[0], classes: $1, stem: $2)
    },
    vgg("vgg11", [1, 1, 2, 2, 2]), vgg("vgg11-bn", [1, 1, 2, 2, 2], isNormalized: true),
    vgg("vgg13", [2, 2, 2, 2, 2]), vgg("vgg13-bn", [2, 2, 2, 2, 2], isNormalized: true),
    vgg("vgg16", [2, 2, 3, 3, 3]), vgg("vgg16-bn", [2, 2, 3, 3, 3], isNormalized: true),
    vgg("vgg19", [2, 2, 4, 4, 4]), vgg("vgg19-bn", [2, 2, 4, 4, 4], isNormalized: true),
    published("resnet18", "residual network with 8 blocks of two convolutions") {
      ResNet(channels: $0[0], classes: $1, stem: $2)
    },
    published("resnet34", "residual network with 16 blocks of two convolutions") {
      ResNet(blocks: [3, 4, 6, 3], channels: $0[0], classes: $1, stem: $2)
    },
    published("resnet50", "residual network with 16 bottleneck blocks") {
      ResNet(blocks: [3, 4, 6, 3], of: .bottleneck, channels: $0[0], classes: $1, stem: $2)
    },
    published("se-resnet18", "ResNet-18 with channel attention (squeeze and excitation)") {
      ResNet(attention: .squeezeExcite(), channels: $0[0], classes: $1, stem: $2)
    },
    published("se-resnet50", "ResNet-50 with channel attention (squeeze and excitation)") {
      ResNet(
        blocks: [3, 4, 6, 3], of: .bottleneck, attention: .squeezeExcite(), channels: $0[0], classes: $1, stem: $2)
    },
    published("cbam-resnet18", "ResNet-18 with channel and spatial attention (CBAM)") {
      ResNet(attention: .cbam(), channels: $0[0], classes: $1, stem: $2)
    },
    published("densenet121", "densely connected network with 58 layers in 4 blocks") {
      DenseNet(channels: $0[0], classes: $1, stem: $2)
    },
    published("vit-small", "vision Transformer with 12 blocks of width 384, or 6 of width 192 for small images") {
      input, classes, stem throws(ModelError) in
      stem == .imageNet
        ? try visionTransformer(input, classes, patch: 16, width: 384, depth: 12, heads: 6)
        : try visionTransformer(input, classes, patch: 4, width: 192, depth: 6, heads: 3)
    },
    published("vit-b-16", "vision Transformer with patches of 16x16 and 12 blocks of width 768", hasStems: false) {
      input, classes, _ throws(ModelError) in
      try visionTransformer(input, classes, patch: 16, width: 768, depth: 12, heads: 12)
    },
    airbench94,
  ]

  private static func visionTransformer(
    _ input: [Int], _ classes: Int, patch: Int, width: Int, depth: Int, heads: Int
  ) throws(ModelError) -> VisionTransformer {
    let size: Extents = [input[1], input[2]]
    if let mistake = VisionTransformer.mistake(imageSize: size, patch: patch, width: width, heads: heads) {
      throw .misfit("vision Transformer: \(mistake)")
    }
    return VisionTransformer(
      imageSize: size, patch: patch, width: width, depth: depth, heads: heads, channels: input[0], classes: classes)
  }

  private static func vgg(_ name: String, _ convolutions: [Int], isNormalized: Bool = false) -> ModelDescription {
    let count = convolutions.reduce(0, +)
    return published(
      name, "VGG: \(count) convolutions of 3x3 \(isNormalized ? "with batch normalization " : "")and three dense layers"
    ) {
      VGG(convolutions: convolutions, isNormalized: isNormalized, channels: $0[0], classes: $1, stem: $2)
    }
  }

  private static func published(
    _ name: String, _ summary: String, recipe: Recipe = Recipe(schedule: "one-cycle"), hasStems: Bool = true,
    make: @escaping @Sendable ([Int], Int, ImageStem) throws(ModelError) -> any Layer
  ) -> ModelDescription {
    ModelDescription(
      name: name, summary: summary, kind: .images(ImageNetwork(PublishedNetwork(name, hasStems: hasStems, make: make))),
      recipe: recipe)
  }
}
