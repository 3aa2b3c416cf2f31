/// An image with one byte per value: `[height, width, channels]`, row-major, as decoders produce it.
public struct Image: Hashable, Sendable {
  /// The extent of the vertical axis.
  public let height: Int
  /// The extent of the horizontal axis.
  public let width: Int
  /// 1 for gray, 3 for red, green and blue.
  public let channels: Int
  /// `[height, width, channels]`
  public var pixels: [UInt8]

  /// - Precondition: the extents are positive, and `pixels` has `height · width · channels` values.
  public init(height: Int, width: Int, channels: Int, pixels: [UInt8]) {
    guard height > 0, width > 0, channels > 0, pixels.count == height * width * channels else {
      fatalError("Image: \(pixels.count) values for [\(height), \(width), \(channels)]")
    }
    self.height = height
    self.width = width
    self.channels = channels
    self.pixels = pixels
  }
}

/// Labeled images that are read one at a time, from memory or from files. They may differ in size.
public protocol ImageSource: Sendable {
  /// The class of each image.
  var labels: [Int32] { get }

  /// The image whose class is `labels[number]`. May be called from any thread.
  ///
  /// - Throws: an error that names the file, when it cannot be read or is not an image.
  /// - Precondition: the number is in `0 ..< labels.count`.
  func image(_ number: Int) throws(DataError) -> Image

  /// The name of an image in lists of misclassified examples: the path of its file, or its number.
  func name(of number: Int) -> String
}
