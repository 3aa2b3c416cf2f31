/// Selected images of a source, in any order and possibly repeated.
public struct ImageSubset: ImageSource {
  /// The images from which `numbers` selects.
  public let source: any ImageSource
  /// The indices, in the source, of the selected images.
  public let numbers: [Int32]
  /// The class of each image of the subset.
  public let labels: [Int32]

  /// - Precondition: all numbers are in `0 ..< source.labels.count`.
  public init(_ source: any ImageSource, numbers: [Int32]) {
    self.source = source
    self.numbers = numbers
    let labels = source.labels
    self.labels = numbers.map { labels[Int($0)] }
  }

  /// The image at this index of the subset.
  public func image(_ number: Int) throws(DataError) -> Image { try source.image(Int(numbers[number])) }

  /// The name, in the source, of the image at this index of the subset.
  public func name(of number: Int) -> String { source.name(of: Int(numbers[number])) }
}

/// The concatenated images of several sources.
private struct JoinedImages: ImageSource {
  let parts: [any ImageSource]
  let labels: [Int32]
  /// For each source in `parts`, the index of its first image in the concatenation.
  let starts: [Int]

  init(_ parts: [any ImageSource]) {
    self.parts = parts
    labels = parts.flatMap(\.labels)
    starts = parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.labels.count) }.dropLast()
  }

  private func position(_ number: Int) -> (part: any ImageSource, number: Int) {
    let index = (starts.firstIndex { $0 > number } ?? starts.count) - 1
    return (parts[index], number - starts[index])
  }

  func image(_ number: Int) throws(DataError) -> Image {
    let (part, number) = position(number)
    return try part.image(number)
  }

  func name(of number: Int) -> String {
    let (part, number) = position(number)
    return part.name(of: number)
  }
}

extension ImageDataset {
  /// All images: the training, then the validation, then the test images.
  public var all: any ImageSource {
    let parts = [train, validation, test].compactMap(\.self).filter { !$0.labels.isEmpty }
    if parts.count == 1 { return parts[0] }
    let sets = parts.compactMap { $0 as? ImageSet }
    guard sets.count == parts.count, let first = sets.first, sets.allSatisfy({ $0.imageSize == first.imageSize })
    else { return JoinedImages(parts) }
    return ImageSet(
      channels: first.channels, height: first.height, width: first.width, pixels: sets.flatMap(\.pixels),
      labels: sets.flatMap(\.labels))
  }
}

extension ImageSource {
  /// The images with these indices, in this order; an `ImageSet` if the source is one.
  /// - Precondition: all numbers are in `0 ..< labels.count`.
  func part(_ numbers: [Int32]) -> any ImageSource {
    (self as? ImageSet)?.selecting(numbers) ?? ImageSubset(self, numbers: numbers)
  }
}
