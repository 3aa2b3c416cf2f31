import ApusNN
import ApusTensor

/// A network of the literature, which is made for images of any size and number of classes.
public struct PublishedNetwork: Sendable {
  /// The name in the catalog.
  public let name: String
  /// The size of one input as it is published, `[channels, height, width]`.
  public let inputSize: [Int]
  /// The number of classes as it is published.
  public let classes: Int
  private let make: @Sendable (_ input: [Int], _ classes: Int, _ stem: ImageStem) throws(ModelError) -> any Layer

  /// - Parameter make: the network for inputs `[channels, height, width]`; what it throws says why there is none.
  public init(
    _ name: String, inputSize: [Int] = [3, 224, 224], classes: Int = 1000,
    make: @escaping @Sendable (_ input: [Int], _ classes: Int, _ stem: ImageStem) throws(ModelError) -> any Layer
  ) {
    self.name = name
    self.inputSize = inputSize
    self.classes = classes
    self.make = make
  }

  /// The network for other inputs or classes than those that it is published for.
  ///
  /// - Parameter stem: `nil` for what fits the size of the input.
  /// - Throws: `ModelError.misfit` when the input is too small for it.
  public func model(input: [Int]? = nil, classes: Int? = nil, stem: ImageStem? = nil) throws -> any Layer {
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
