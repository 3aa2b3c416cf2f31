import Apus

/// The options of models of images. Each is also a key of configurations, like the options of `RunOptions`.
enum ImageOptions {
  static let stem = Option(
    "stem", .choice("KIND", of: ImageStem.allCases.map(\.rawValue)),
    help: "the first layers: small for images of about 32 pixels, imagenet for about 224 (default: small up to 64)")
  static let imageSize = Option(
    "image-size", .count(upTo: 4_096),
    help: "the height and width that images are resized to (default: their own; for folders that of the network)")
  static let channels = Option(
    "channels", .choice("N", of: ["1", "3"]), help: "1 for grayscale, 3 for color (default: the images' own)")
  static let transform = Option(
    "transform", .transforms, help: "transforms of every image, for example \"shorter 256, center-crop 224\"")
  static let augment = Option(
    "augment", .transforms, help: "further transforms of training images, for example \"flip, crop pad 4\"")
  static let workers = Option(
    "workers", .nonNegativeCount(upTo: 256),
    help: "threads that read and transform images; results do not depend on it")
  static let skipBad = Flag(
    "skip-bad",
    help:
      "skip and count images that cannot be read; other images replace them in training, but not in evaluation"
  )

  /// The options that change the size of the images and the stem of a model.
  static let shape = [stem.declaration, imageSize.declaration, channels.declaration]
  /// All options, in the order in which they are listed and stored.
  static let declarations =
    shape + [transform.declaration, augment.declaration, workers.declaration, skipBad.declaration]

  /// The transforms for `--transform` and `--augment`, two lines for each.
  static let transforms: String = {
    let lines =
      ImagePipeline.transformTypes.map { ($0.usage, $0.summary) } + BatchMixing.usage.map { ($0.usage, $0.summary) }
    return lines.map { "  \($0)\n      \($1)" }.joined(separator: "\n")
  }()
}

extension ValueKind<String> {
  /// A list of transforms. It is parsed later, with an error that is more precise.
  static let transforms = ValueKind("SPEC", expectation: "transforms separated by commas", completion: .none) { $0 }
}

/// How images are read and transformed, and which stem the model has.
struct ImageSettings: Hashable, Sendable {
  /// The stem; `nil` for the one that suits the size of the images.
  var stem: ImageStem?
  /// The height and width to which images are resized; `nil` for their own.
  var size: Int?
  /// The number of channels; `nil` for the images' own.
  var channels: Int?
  /// The transform of every image; `nil` for the one that the size requires.
  var transform: ImagePipeline?
  /// Additional transforms of images in training.
  var augmentation = ImagePipeline()
  /// The number of threads that read images.
  var workers: Int?
  /// Whether images that cannot be read are left out.
  var skipsBad = false

  /// - Throws: when an option is given for a model that takes no images, and for transforms that cannot be parsed.
  init(_ arguments: Arguments, for model: ModelDescription, command: String) throws {
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
    channels = arguments[ImageOptions.channels].flatMap { Int($0) }
    transform = try arguments[ImageOptions.transform].map { try ImagePipeline(parsing: $0) }
    augmentation = try arguments[ImageOptions.augment].map { try ImagePipeline(parsing: $0) } ?? ImagePipeline()
    guard transform?.mixing.isEmpty != false else {
      throw UsageError(command: command, message: "--transform: mixing is for training alone; write it in --augment")
    }
    workers = arguments[ImageOptions.workers]
    skipsBad = arguments[ImageOptions.skipBad]
  }
}

extension JSONObject {
  /// Adds the members for the settings of images.
  mutating func set(_ image: ImageSettings) {
    self["stem"] = image.stem.map { .string($0.rawValue) }
    self["image_size"] = image.size.map { .integer($0) }
    self["channels"] = image.channels.map { .integer($0) }
    self["transform"] = image.transform.map { .string($0.description) }
    if !image.augmentation.isEmpty { self["augment"] = .string(image.augmentation.description) }
    self["workers"] = image.workers.map { .integer($0) }
    if image.skipsBad { self["skip_bad"] = true }
  }
}
