/// A part of the images of a source.
public struct ImageSubset: ImageSource {
  /// Where the images come from.
  public let source: any ImageSource
  /// Their numbers in the source.
  public let numbers: [Int32]
  /// The class of each image of the part.
  public let labels: [Int32]

  /// - Precondition: all numbers are in `0 ..< source.labels.count`.
  public init(_ source: any ImageSource, numbers: [Int32]) {
    self.source = source
    self.numbers = numbers
    let labels = source.labels
    self.labels = numbers.map { labels[Int($0)] }
  }

  /// An image by its number in the part.
  public func image(_ number: Int) throws(DataError) -> Image { try source.image(Int(numbers[number])) }

  /// What the source calls the image.
  public func name(of number: Int) -> String { source.name(of: Int(numbers[number])) }
}

extension ImageSource {
  /// The images with these numbers, in this order: in memory if all of them are.
  /// - Precondition: all are in `0 ..< labels.count`.
  func part(_ numbers: [Int32]) -> any ImageSource {
    (self as? ImageSet)?.selecting(numbers) ?? ImageSubset(self, numbers: numbers)
  }
}
