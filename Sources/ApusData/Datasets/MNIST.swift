import ApusSystem

/// Reads digits or other images from the four files of MNIST (LeCun, Cortes, Burges, 1998), plain or `.gz`.
enum MNIST {
  /// Reads `{train,t10k}-{images-idx3,labels-idx1}-ubyte` from a folder.
  /// - Parameter remedy: how to get the files, for the error message when they are missing
  static func load(
    name: String, folder: String, classNames: [String], remedy: String
  ) throws(DataError) -> ImageDataset {
    let train = try images(name: name, folder, prefix: "train", classNames.count, remedy)
    let test = try images(name: name, folder, prefix: "t10k", classNames.count, remedy)
    guard (train.height, train.width) == (test.height, test.width) else {
      throw .malformed(
        path: folder, format: "MNIST", location: .file,
        reason:
          "training images are \(train.height)x\(train.width), test images \(test.height)x\(test.width)",
        remedy: "use files of the same data set")
    }
    return ImageDataset(name: name, classNames: classNames, train: train, test: test)
  }

  private static func images(
    name: String, _ folder: String, prefix: String, _ classCount: Int, _ remedy: String
  ) throws(DataError) -> ImageSet {
    let imagePath = try find("\(prefix)-images-idx3-ubyte", in: folder, name, remedy)
    let labelPath = try find("\(prefix)-labels-idx1-ubyte", in: folder, name, remedy)
    // Both headers and the labels are checked before the images are read: decompressed images may be a thousand times
    // as large as their file.
    let imageReader = try ByteReader(path: imagePath)
    let header = try header(imageReader, rank: 3)
    let labelReader = try ByteReader(path: labelPath)
    let labelHeader = try self.header(labelReader, rank: 1)
    guard header.extents[0] == labelHeader.extents[0], !header.extents.contains(0) else {
      throw .malformed(
        path: labelPath, format: "MNIST", location: .file,
        reason: "\(labelHeader.extents[0]) labels for images of sizes \(header.extents)",
        remedy: "use images and labels of the same data set")
    }
    let labels = try IDXArray(labelReader, labelHeader)
    if let record = labels.bytes.firstIndex(where: { Int($0) >= classCount }) {
      throw .malformed(
        path: labelPath, format: "MNIST", location: .record(record),
        reason: "label \(labels.bytes[record]), but there are \(classCount) classes", remedy: remedy)
    }
    let images = try IDXArray(imageReader, header)
    return ImageSet(
      channels: 1, height: images.extents[1], width: images.extents[2], pixels: images.bytes,
      labels: labels.bytes.map(Int32.init))
  }

  private static func find(
    _ file: String, in folder: String, _ name: String, _ remedy: String
  ) throws(DataError) -> String {
    // Some archives write a dot where others have a hyphen: train-images.idx3-ubyte.
    let dotted = file.replacing("s-idx", with: "s.idx")
    for candidate in [file + ".gz", file, dotted + ".gz", dotted]
    where FileSystem.exists("\(folder)/\(candidate)") {
      return "\(folder)/\(candidate)"
    }
    throw .missing(dataset: name, path: "\(folder)/\(file)[.gz]", remedy: remedy)
  }

  private static func header(_ reader: ByteReader, rank: Int) throws(DataError) -> IDXHeader {
    let header = try IDXHeader(reader)
    guard header.type == .uint8, header.extents.count == rank else {
      throw .malformed(
        path: reader.path, format: "MNIST", location: .offset(2),
        reason: "\(header.type) of rank \(header.extents.count), expected uint8 of rank \(rank)",
        remedy: "check that the files of images and labels are not swapped")
    }
    return header
  }
}

extension DatasetDescription {
  static let mnist = DatasetDescription(
    name: "mnist", argument: "DIR", summary: "images in the four MNIST files of a folder",
    content: .images(size: [1, 28, 28], classNames: digits) { folder, _ throws(DataError) in
      try MNIST.load(
        name: "mnist", folder: folder, classNames: digits,
        remedy: "use a folder that contains train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
          + "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz")
    })

  private static let digits = (0..<10).map(String.init)
}
