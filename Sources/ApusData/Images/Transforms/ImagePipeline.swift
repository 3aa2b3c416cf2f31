import ApusSystem

/// The transforms of each image, in order, and the mixing of each batch: the text `flip, crop pad 4, mixup` has two
/// transforms and one method of mixing.
public struct ImagePipeline: Sendable {
  /// The transforms of each image, in order.
  public var transforms: [any ImageTransform]
  /// The methods that mix a batch; if there are several, one is chosen at random for each batch.
  public var mixing: [BatchMixing]

  public init(_ transforms: [any ImageTransform] = [], mixing: [BatchMixing] = []) {
    self.transforms = transforms
    self.mixing = mixing
  }

  /// All image transforms, in listing order.
  public static let transformTypes: [any ImageTransform.Type] = [
    Resize.self, ResizeShorter.self, MultiScale.self, PadToSize.self, CenterCrop.self, RandomCrop.self,
    RandomResizedCrop.self, HorizontalFlip.self, VerticalFlip.self, RandomShift.self, RandomRotation.self,
    RandomAffine.self, ColorJitter.self, RandomGrayscale.self, RandomErasing.self,
  ]

  /// The largest number of steps in a text.
  private static let mostSteps = 64

  /// Whether the pipeline has no steps.
  public var isEmpty: Bool { transforms.isEmpty && mixing.isEmpty }

  /// Applies the transforms to an image.
  public func apply(to image: inout Image, random: inout ImageRandom) {
    for transform in transforms { transform.apply(to: &image, random: &random) }
  }

  /// The size of the transformed images; `nil` if it varies.
  /// - Parameter input: the size of the images before the transforms; `nil` if they have several sizes
  public func outputSize(_ input: ImageSize? = nil) -> ImageSize? {
    transforms.reduce(input) { $1.outputSize($0) }
  }
}

// MARK: - As text

extension ImagePipeline: CustomStringConvertible {
  /// The text that `init(parsing:)` reads.
  public var description: String {
    (transforms.map(\.description) + mixing.map(\.description)).joined(separator: ", ")
  }

  /// Parses a comma-separated list of steps, each a name and its arguments; an empty text is an empty list.
  ///
  /// - Throws: an error if the list has more than 64 steps, or if a step is invalid. For an invalid step, the error
  ///   names the invalid word and, if there is one, a similar valid word.
  public init(parsing text: String) throws(DataError) {
    self.init()
    guard text.contains(where: { !$0.isWhitespace }) else { return }
    let count = text.utf8.count { $0 == UInt8(ascii: ",") } + 1
    guard count <= ImagePipeline.mostSteps else {
      throw .tooLarge(
        source: text, reason: "\(count) steps, more than the limit of \(ImagePipeline.mostSteps)",
        remedy: "use fewer steps")
    }
    for step in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = step.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let name = words.first else {
        throw .specification(text: text, word: "", reason: "a transform is missing between two commas or at an end")
      }
      var rest = TransformWords(words.joined(separator: " "), Array(words.dropFirst()))
      if let type = ImagePipeline.transformTypes.first(where: { $0.name == name }) {
        transforms.append(try type.init(&rest))
      } else if let kind = BatchMixing.Kind(rawValue: name) {
        mixing.append(try BatchMixing(kind, &rest))
      } else {
        let names = ImagePipeline.transformTypes.map { $0.name } + BatchMixing.Kind.allCases.map(\.rawValue)
        throw .specification(
          text: text, word: name,
          reason: "unknown transform \(name.quoted())" + suggestion(for: name, in: names)
            + (names.count > 12 ? "; choose from " + names.joined(separator: ", ") : ""))
      }
      try rest.finish()
    }
  }
}

extension ImagePipeline: Hashable {
  public static func == (one: ImagePipeline, other: ImagePipeline) -> Bool {
    one.transforms.map { AnyHashable($0) } == other.transforms.map { AnyHashable($0) } && one.mixing == other.mixing
  }

  public func hash(into hasher: inout Hasher) {
    for transform in transforms { hasher.combine(AnyHashable(transform)) }
    hasher.combine(mixing)
  }
}
