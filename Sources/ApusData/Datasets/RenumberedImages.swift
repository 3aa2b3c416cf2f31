/// The images of a source under other numbers of classes.
public struct RenumberedImages: ImageSource {
  /// Where the images come from.
  public let source: any ImageSource
  /// The class of each image.
  public let labels: [Int32]

  /// - Parameter numbers: the new number of each class.
  /// - Precondition: there is one for each label of the source.
  public init(_ source: any ImageSource, _ numbers: [Int32]) {
    self.source = source
    labels = source.labels.map { numbers[Int($0)] }
  }

  /// An image by its number in the source.
  public func image(_ number: Int) throws(DataError) -> Image { try source.image(number) }

  /// What the source calls the image.
  public func name(of number: Int) -> String { source.name(of: number) }
}
