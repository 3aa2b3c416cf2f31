import ApusNN

extension ModelDescription {
  /// Convolutional and attention networks of the literature. Images of up to 64 pixels get a small stem.
  static let vision: [ModelDescription] = [
    published("alexnet", "AlexNet, five convolutions and three dense layers") { input, classes, _ in
      AlexNet(channels: input[0], classes: classes)
    },
    published("alexnet-2012", "AlexNet of two columns: groups, response normalization") { input, classes, _ in
      AlexNet(columns: 2, channels: input[0], classes: classes)
    },
    vgg("vgg11", [1, 1, 2, 2, 2]), vgg("vgg11-bn", [1, 1, 2, 2, 2], isNormalized: true),
    vgg("vgg13", [2, 2, 2, 2, 2]), vgg("vgg13-bn", [2, 2, 2, 2, 2], isNormalized: true),
    vgg("vgg16", [2, 2, 3, 3, 3]), vgg("vgg16-bn", [2, 2, 3, 3, 3], isNormalized: true),
    vgg("vgg19", [2, 2, 4, 4, 4]), vgg("vgg19-bn", [2, 2, 4, 4, 4], isNormalized: true),
    published("resnet18", "residual network of 8 blocks of two convolutions") {
      ResNet(channels: $0[0], classes: $1, stem: $2)
    },
    published("resnet34", "residual network of 16 blocks of two convolutions") {
      ResNet(blocks: [3, 4, 6, 3], channels: $0[0], classes: $1, stem: $2)
    },
    published("resnet50", "residual network of 16 bottleneck blocks") {
      ResNet(blocks: [3, 4, 6, 3], of: .bottleneck, channels: $0[0], classes: $1, stem: $2)
    },
    published("densenet121", "densely connected network of 58 layers in 4 blocks") {
      DenseNet(channels: $0[0], classes: $1, stem: $2)
    },
  ]

  private static func vgg(_ name: String, _ convolutions: [Int], isNormalized: Bool = false) -> ModelDescription {
    let count = convolutions.reduce(0, +)
    return published(
      name, "VGG, \(count) convolutions of 3x3 \(isNormalized ? "with batch normalization " : "")and three dense layers"
    ) {
      VGG(convolutions: convolutions, isNormalized: isNormalized, channels: $0[0], classes: $1, stem: $2)
    }
  }

  private static func published(
    _ name: String, _ summary: String, recipe: Recipe = Recipe(schedule: "one-cycle"),
    make: @escaping @Sendable ([Int], Int, ImageStem) -> any Layer
  ) -> ModelDescription {
    ModelDescription(
      name: name, summary: summary, kind: .images(ImageNetwork(PublishedNetwork(name, make: make))), recipe: recipe)
  }
}
