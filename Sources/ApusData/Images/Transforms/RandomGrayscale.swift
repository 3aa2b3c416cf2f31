/// Converts images to gray at random, and keeps the number of channels.
public struct RandomGrayscale: ImageTransform {
  public static let name = "gray"
  public static let usage = "gray [P]"
  public static let summary = "convert to gray with probability P (default 0.1)"

  /// The probability of changing an image.
  public var probability: Double

  public init(probability: Double = 0.1) { self.probability = probability }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(probability: try words.number(in: 0...1) ?? 0.1)
  }

  public var description: String { RandomGrayscale.name + (probability == 0.1 ? "" : " \(probability.short)") }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    guard random.chance(probability), image.channels == 3 else { return }
    image = image.converted(toChannels: 1).converted(toChannels: 3)
  }
}
