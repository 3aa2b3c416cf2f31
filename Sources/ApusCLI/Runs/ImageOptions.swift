import Apus

/// The options of models of images. Each is also a key of configurations, as those of `RunOptions` are.
enum ImageOptions {
  static let stem = Option(
    "stem", .choice("KIND", of: ImageStem.allCases.map(\.rawValue)),
    help: "small for images of some 32 pixels, imagenet for some 224 (default: small up to 64)")
  static let imageSize = Option(
    "image-size", .count(upTo: 4_096), help: "the height and width that images are brought to (default: their own)")

  /// In the order in which they are listed and stored.
  static let declarations = [stem.declaration, imageSize.declaration]
}

/// How images are read, and what the model makes of them.
struct ImageSettings: Hashable, Sendable {
  /// `nil` for what fits the size of the images.
  var stem: ImageStem?
  /// The height and width that images are brought to; `nil` for their own.
  var size: Int?

  /// - Throws: when a model that takes no images is given some of it.
  init(_ arguments: Arguments, for model: ModelDescription, command: String) throws(UsageError) {
    guard case .images(let network) = model.kind else {
      let given = ImageOptions.declarations.first { arguments.contains($0) }
      guard let given else { return }
      throw UsageError(command: command, message: "--\(given.name) is for models of images, \(model.name) takes text")
    }
    stem = arguments[ImageOptions.stem].flatMap(ImageStem.init)
    guard stem == nil || network.layers == nil else {
      throw UsageError(
        command: command, message: "--stem is for published networks, \(model.name) is a chain of layers")
    }
    size = arguments[ImageOptions.imageSize]
  }
}

extension JSONObject {
  /// Adds the members that stand for the settings of images.
  mutating func set(_ image: ImageSettings) {
    self["stem"] = image.stem.map { .string($0.rawValue) }
    self["image_size"] = image.size.map { .integer($0) }
  }
}
