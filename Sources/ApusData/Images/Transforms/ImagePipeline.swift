import ApusFiles

/// What is done to each picture, in order, and to each batch: a list of transforms as in `flip, crop pad 4, color 0.2`.
public struct ImagePipeline: Sendable {
  /// What is done to each picture.
  public var transforms: [any ImageTransform]
  /// How the pictures of a batch are mixed; of several ways one is drawn for each batch.
  public var mixing: [BatchMixing]

  public init(_ transforms: [any ImageTransform] = [], mixing: [BatchMixing] = []) {
    self.transforms = transforms
    self.mixing = mixing
  }

  /// Every transform of pictures, in the order in which they are listed.
  public static let transformTypes: [any ImageTransform.Type] = [
    Resize.self, ResizeShorter.self, MultiScale.self, PadToSize.self, CenterCrop.self, RandomCrop.self,
    RandomResizedCrop.self, HorizontalFlip.self, VerticalFlip.self, RandomShift.self, RandomRotation.self,
    RandomAffine.self, ColorJitter.self, RandomGrayscale.self, RandomErasing.self,
  ]

  /// The most steps that a text may have.
  private static let mostSteps = 64

  /// Whether nothing is done.
  public var isEmpty: Bool { transforms.isEmpty && mixing.isEmpty }

  /// Changes a picture.
  public func apply(to image: inout Image, random: inout ImageRandom) {
    for transform in transforms { transform.apply(to: &image, random: &random) }
  }

  /// The size of what comes out, of pictures of a size or (`nil`) of any size; `nil` where it is not always the same.
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

  /// Reads a list of steps with commas between, each a name and what follows it; an empty text is an empty list.
  ///
  /// - Throws: an error that names the word that cannot be understood, and the nearest one that can.
  public init(parsing text: String) throws(DataError) {
    self.init()
    guard text.contains(where: { !$0.isWhitespace }) else { return }
    let count = text.utf8.count { $0 == UInt8(ascii: ",") } + 1
    guard count <= ImagePipeline.mostSteps else {
      throw .tooLarge(
        source: text, reason: "\(count) transforms, more than the limit of \(ImagePipeline.mostSteps)",
        remedy: "name fewer")
    }
    for step in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = step.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let name = words.first else {
        throw .specification(text: text, word: "", reason: "nothing stands between two commas or at an end")
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
            + (names.count > 12 ? "; known are " + names.joined(separator: ", ") : ""))
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
