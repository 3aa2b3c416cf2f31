/// One step of what is done to a picture before a model sees it: a value that can be written as text and read again.
///
/// A random transform draws from the stream that it is given and from nothing else. Names, ranges and defaults are
/// those of torchvision's transforms where there are such.
public protocol ImageTransform: Hashable, Sendable, CustomStringConvertible {
  /// The word that it begins with in a text.
  static var name: String { get }
  /// How it is written: its name, what follows, and in brackets what may be left out.
  static var usage: String { get }
  /// What it does, in some words.
  static var summary: String { get }

  /// Reads what follows the name.
  init(_ words: inout TransformWords) throws(DataError)

  /// Changes a picture of 1 or 3 channels.
  func apply(to image: inout Image, random: inout ImageRandom)

  /// The size of what comes out, of pictures of a size or (`nil`) of any size; `nil` where it depends on more than
  /// that.
  func outputSize(_ input: ImageSize?) -> ImageSize?
}

extension ImageTransform {
  /// The size does not change.
  public func outputSize(_ input: ImageSize?) -> ImageSize? { input }
}
