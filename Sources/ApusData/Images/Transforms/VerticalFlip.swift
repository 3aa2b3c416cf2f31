/// Flips images vertically at random.
public struct VerticalFlip: ImageTransform {
  public static let name = "flip-vertical"
  public static let usage = "flip-vertical [P]"
  public static let summary = "flip vertically with probability P (default 0.5)"

  /// The probability of flipping an image.
  public var probability: Double

  public init(probability: Double = 0.5) { self.probability = probability }

  /// Parses the arguments after the name.
  public init(_ words: inout TransformWords) throws(DataError) {
    self.init(probability: try words.number(in: 0...1) ?? 0.5)
  }

  public var description: String { VerticalFlip.name + (probability == 0.5 ? "" : " \(probability.short)") }

  public func apply(to image: inout Image, random: inout ImageRandom) {
    if random.chance(probability) { image.flipVertically() }
  }
}

extension Image {
  /// Reverses the order of the rows, in place.
  public mutating func flipVertically() {
    let (height, row) = (height, width * channels)
    pixels.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: row) { room in
        for y in 0..<height / 2 {
          let (upper, lower) = (start + y * row, start + (height - 1 - y) * row)
          room.baseAddress?.update(from: upper, count: row)
          upper.update(from: lower, count: row)
          if let kept = room.baseAddress { lower.update(from: kept, count: row) }
        }
      }
    }
  }
}
