/// One step of image preprocessing, with a text form that can be parsed.
///
/// A random transform uses only the random numbers of its `random` argument. A transform has the ranges and defaults of
/// torchvision's transform with the same effect, if there is one.
public protocol ImageTransform: Hashable, Sendable, CustomStringConvertible {
  /// The name of the transform in the text form.
  static var name: String { get }
  /// The syntax of the transform: its name and its arguments, optional ones in brackets.
  static var usage: String { get }
  /// A short description of the transform.
  static var summary: String { get }

  /// Parses the arguments after the name.
  init(_ words: inout TransformWords) throws(DataError)

  /// Transforms an image of 1 or 3 channels.
  func apply(to image: inout Image, random: inout ImageRandom)

  /// The size of the transformed images; `nil` if it varies.
  /// - Parameter input: the size of the images before the transform; `nil` if they have several sizes
  func outputSize(_ input: ImageSize?) -> ImageSize?
}

extension ImageTransform {
  /// By default, the size does not change.
  public func outputSize(_ input: ImageSize?) -> ImageSize? { input }
}
