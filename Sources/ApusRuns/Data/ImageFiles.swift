import Apus
import ApusSystem

/// The images of individual files. An IDX file contains many images, any other file contains one.
struct ImageFiles {
  package let images: any ImageSource
  private let paths: [String]
  private let areSingleImages: Bool

  /// The sources for the files. Consecutive files with one image each become one source, so that the model runs on
  /// batches of their images.
  package static func grouped(_ paths: [String], for format: ImageFormat) throws(DataError) -> [ImageFiles] {
    var groups: [ImageFiles] = []
    var single: [String] = []
    func finish() {
      if !single.isEmpty { groups.append(ImageFiles(single: single)) }
      single = []
    }
    for path in paths {
      if try isSingleImage(path) {
        single.append(path)
      } else {
        finish()
        let images = try ImageSet(idx: path)
        try format.check(images.imageSize, path)
        groups.append(ImageFiles(images: images, paths: [path], areSingleImages: false))
      }
    }
    finish()
    return groups
  }

  private init(images: any ImageSource, paths: [String], areSingleImages: Bool) {
    (self.images, self.paths, self.areSingleImages) = (images, paths, areSingleImages)
  }

  private init(single paths: [String]) {
    self.init(images: SingleImageFiles(paths: paths), paths: paths, areSingleImages: true)
  }

  /// The file of an image, and the index of the image in an IDX file. For a file with one image, the index is `nil`.
  package func location(of index: Int) -> (file: String, index: Int?) {
    areSingleImages ? (paths[index], nil) : (paths[0], index)
  }

  /// IDX files begin with two zero bytes, compressed IDX files with the magic number of gzip. All other files should be
  /// images.
  private static func isSingleImage(_ path: String) throws(DataError) -> Bool {
    do throws(FileError) {
      let start = try FileDescriptor(reading: path).bytes(at: 0, count: 2)
      return start != [0, 0] && start != [0x1f, 0x8b]
    } catch {
      throw .inputOutput(path: error.path, operation: error.operation, reason: error.reason)
    }
  }
}

/// Image files without classes.
private struct SingleImageFiles: ImageSource {
  package let paths: [String]
  package let labels: [Int32]

  package init(paths: [String]) {
    self.paths = paths
    labels = [Int32](repeating: 0, count: paths.count)
  }

  package func image(_ number: Int) throws(DataError) -> Image { try Image(contentsOf: paths[number]) }

  package func name(of number: Int) -> String { paths[number] }
}

extension ImageSet {
  /// Reads an IDX file of the shape `[height, width]`, `[count, height, width]` or `[count, channels, height, width]`.
  fileprivate init(idx path: String) throws(DataError) {
    let array = try IDXArray(path: path)
    let extents = array.extents
    let sizes: [Int]? =
      switch (array.type, extents.count) {
      case (.uint8, 2): [1, 1] + extents
      case (.uint8, 3): [extents[0], 1, extents[1], extents[2]]
      case (.uint8, 4): extents
      default: nil
      }
    guard let sizes else {
      throw .unsupported(
        path: path, format: "IDX", reason: "it holds \(array.type) of rank \(extents.count), not images",
        remedy: "name a file of images: uint8 of sizes [count, height, width]")
    }
    self.init(
      channels: sizes[1], height: sizes[2], width: sizes[3], pixels: array.bytes,
      labels: [Int32](repeating: 0, count: sizes[0]))
  }
}
