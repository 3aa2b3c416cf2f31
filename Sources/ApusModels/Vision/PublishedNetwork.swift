import ApusNN
import ApusTensor

/// A published network, which can also be built for other image sizes and numbers of classes.
public struct PublishedNetwork: Sendable {
  /// The name in the catalog.
  public let name: String
  /// The published size of one input, `[channels, height, width]`.
  public let inputSize: [Int]
  /// The published number of classes.
  public let classes: Int
  /// Whether the network has a different form for each `ImageStem`.
  public let hasStems: Bool
  private let make: @Sendable (_ input: [Int], _ classes: Int, _ stem: ImageStem) throws(ModelError) -> any Layer

  /// - Parameters:
  ///   - hasStems: whether `make` builds different networks for different stems.
  ///   - make: builds the network for inputs `[channels, height, width]`; throws if there is no network for that size.
  public init(
    _ name: String, inputSize: [Int] = [3, 224, 224], classes: Int = 1000, hasStems: Bool = true,
    make: @escaping @Sendable (_ input: [Int], _ classes: Int, _ stem: ImageStem) throws(ModelError) -> any Layer
  ) {
    self.name = name
    self.inputSize = inputSize
    self.classes = classes
    self.hasStems = hasStems
    self.make = make
  }

  /// The network for given inputs or classes instead of the published ones: `[batch, channels, height, width]` to
  /// logits `[batch, classes]`.
  ///
  /// - Parameters:
  ///   - input: the extents of one example, `[channels, height, width]`.
  ///   - classes: the number of logits.
  ///   - stem: the form of the network; `nil` for the form that fits the size of the input.
  /// - Throws: `ModelError.misfit` if the network cannot be built for the input, for example because the input is too
  ///   small, or if a stem is given for a network that has only one form.
  public func model(input: [Int]? = nil, classes: Int? = nil, stem: ImageStem? = nil) throws -> any Layer {
    if let stem, !hasStems {
      throw ModelError.misfit("\(name) has one form for all image sizes, so it cannot have the stem \(stem.rawValue)")
    }
    let input = input ?? inputSize
    let stem = stem ?? .fitting(input)
    let model = try make(input, classes ?? self.classes, stem)
    do {
      _ = try checkingShapes { withMode(.inference) { model(.zeros(Shape([1] + input))) } }
    } catch {
      let size = input.map(String.init).joined(separator: "x")
      throw ModelError.misfit("\(name) with the stem \(stem.rawValue) does not fit images of \(size): \(error)")
    }
    return model
  }
}

extension PublishedNetwork: Hashable {
  public static func == (one: PublishedNetwork, other: PublishedNetwork) -> Bool { one.name == other.name }

  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
