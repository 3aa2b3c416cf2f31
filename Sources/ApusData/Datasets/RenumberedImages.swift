/// The images of a source with renumbered classes.
public struct RenumberedImages: ImageSource {
  /// The images with their original class numbers.
  public let source: any ImageSource
  /// The new class number of each image.
  public let labels: [Int32]

  /// - Parameter numbers: the new number of each class, by its original number.
  /// - Precondition: every label of the source is an index of `numbers`.
  public init(_ source: any ImageSource, _ numbers: [Int32]) {
    self.source = source
    labels = source.labels.map { numbers[Int($0)] }
  }

  /// The image at this index of the source.
  public func image(_ number: Int) throws(DataError) -> Image { try source.image(number) }

  /// The name of the image in the source.
  public func name(of number: Int) -> String { source.name(of: number) }
}
