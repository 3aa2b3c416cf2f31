/// The extents of an image.
public struct ImageSize: Hashable, Sendable {
  /// The extent of the vertical axis.
  public var height: Int
  /// The extent of the horizontal axis.
  public var width: Int

  public init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// The top left corner of a central region, `(size − region) / 2`, rounded down.
  func corner(ofCentral region: ImageSize) -> (top: Int, left: Int) {
    ((height - region.height) / 2, (width - region.width) / 2)
  }
}

extension ImageSize: CustomStringConvertible {
  /// `224` for a square, else height and width: `224x320`.
  public var description: String { height == width ? "\(height)" : "\(height)x\(width)" }

  /// Parses a description; `nil` if the text is malformed or an extent is not in 1...16,384.
  init?(_ text: String) {
    let numbers = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard (1...2).contains(numbers.count), numbers.allSatisfy((1...16_384).contains) else { return nil }
    self.init(height: numbers[0], width: numbers[numbers.count - 1])
  }
}

extension Image {
  /// The height and the width.
  public var size: ImageSize { ImageSize(height: height, width: width) }

  /// Creates an image; `body` must write all values.
  init(_ size: ImageSize, channels: Int, _ body: (_ pixels: UnsafeMutablePointer<UInt8>) -> Void) {
    let count = size.height * size.width * channels
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let start = buffer.baseAddress { body(start) }
      initialized = count
    }
    self.init(height: size.height, width: size.width, channels: channels, pixels: pixels)
  }
}
