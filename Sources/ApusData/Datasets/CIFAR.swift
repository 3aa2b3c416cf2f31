import ApusSystem

/// The images of CIFAR-10 and CIFAR-100 (Krizhevsky: "Learning multiple layers of features from tiny images", 2009).
///
/// The files of the binary version are read from a folder, or streamed from the published archive. The image files
/// consist of records:
///
/// ```text
/// record: 1 byte for each label, 32 · 32 bytes of red, 32 · 32 bytes of green, 32 · 32 bytes of blue
/// ```
struct CIFAR: Sendable {
  let name: String
  let trainFiles: [String]
  let testFile: String
  /// The name of the file with the class names, one per line.
  let nameFile: String
  /// The number of classes for each label of a record. A record of CIFAR-100 has two labels: coarse and fine.
  let classCounts: [Int]
  /// Which label of a record is the class of the image, counted from 0.
  let label: Int
  /// The file name of the archive, for the error message when files are missing.
  let archiveName: String

  static let ten = CIFAR(
    name: "cifar10", trainFiles: (1...5).map { "data_batch_\($0).bin" }, testFile: "test_batch.bin",
    nameFile: "batches.meta.txt", classCounts: [10], label: 0, archiveName: "cifar-10-binary.tar.gz")
  static let hundred = CIFAR(
    name: "cifar100", trainFiles: ["train.bin"], testFile: "test.bin", nameFile: "fine_label_names.txt",
    classCounts: [20, 100], label: 1, archiveName: "cifar-100-binary.tar.gz")
  static let hundredCoarse = CIFAR(
    name: "cifar100-coarse", trainFiles: ["train.bin"], testFile: "test.bin", nameFile: "coarse_label_names.txt",
    classCounts: [20, 100], label: 0, archiveName: "cifar-100-binary.tar.gz")

  private static let side = 32
  private static let channels = 3
  private static let pixelCount = channels * side * side
  /// The maximum number of bytes to read from one file: seven times the size of the largest file, `train.bin` of
  /// CIFAR-100.
  private static let byteLimit = 1 << 30
  private static let nameLimit = 1 << 16

  private var dataFiles: [String] { trainFiles + [testFile] }
  private var remedy: String {
    "use the binary version, \(archiveName) from https://www.cs.toronto.edu/~kriz/cifar.html, packed or unpacked"
  }

  /// Reads all images into memory.
  /// - Parameter path: a folder that contains the files, a folder with a subfolder that contains them, or a tar archive
  func load(_ path: String) throws(DataError) -> ImageDataset {
    var files = FileSystem.isDirectory(path) ? try readFolder(path) : try readArchive(path)
    guard let names = files.names else { throw missing("\(path)/\(nameFile)") }
    var train = Records()
    for file in trainFiles {
      guard let records = files.records.removeValue(forKey: file) else { throw missing("\(path)/\(file)") }
      train.append(records)
    }
    guard let test = files.records.removeValue(forKey: testFile) else { throw missing("\(path)/\(testFile)") }
    return ImageDataset(name: name, classNames: names, train: train.images, test: test.images)
  }

  /// The records and class names read so far.
  private struct Files {
    var records: [String: Records] = [:]
    var names: [String]?
  }

  private struct Records {
    var labels: [Int32] = []
    var pixels: [UInt8] = []

    mutating func append(_ other: Records) {
      labels += other.labels
      pixels += other.pixels
    }

    var images: ImageSet {
      // The file stores one channel after another, as `ImageSet` does.
      ImageSet(channels: channels, height: side, width: side, pixels: pixels, labels: labels)
    }
  }
}

extension CIFAR {
  private func readFolder(_ path: String) throws(DataError) -> Files {
    let inner = try reportingFiles { () throws(FileError) in try FileSystem.entries(of: path) }
      .filter { !$0.hasPrefix(".") }.map { "\(path)/\($0)" }.filter(FileSystem.isDirectory)
    let folder = ([path] + inner).first { folder in dataFiles.contains { FileSystem.exists("\(folder)/\($0)") } }
    guard let folder else { throw missing("\(path)/\(dataFiles[0])") }
    var files = Files()
    for file in dataFiles + [nameFile] {
      let path = "\(folder)/\(file)"
      guard FileSystem.exists(path) else { throw missing(path) }
      let reader = try ByteReader(path: path)
      try read(file, path, into: &files) { count throws(DataError) in try reader.read(count) }
    }
    return files
  }

  private func readArchive(_ path: String) throws(DataError) -> Files {
    guard FileSystem.exists(path) else { throw missing(path) }
    let tar = TarReader(try ByteReader(path: path))
    var files = Files()
    while let entry = try tar.next() {
      let file = String(entry.name.split(separator: "/").last ?? "")
      guard (dataFiles + [nameFile]).contains(file) else { continue }
      let entryPath = "\(path)/\(entry.name)"
      guard files.records[file] == nil, file != nameFile || files.names == nil else {
        throw malformed(entryPath, .file, "the archive has two files named \(file)")
      }
      try read(file, entryPath, into: &files) { count throws(DataError) in try tar.read(count) }
    }
    return files
  }

  private func read(
    _ file: String, _ path: String, into files: inout Files, _ read: (Int) throws(DataError) -> [UInt8]
  ) throws(DataError) {
    if file == nameFile {
      files.names = try names(path, read(CIFAR.nameLimit + 1))
    } else {
      files.records[file] = try records(path, read)
    }
  }

  private func records(
    _ path: String, _ read: (Int) throws(DataError) -> [UInt8]
  ) throws(DataError) -> Records {
    let recordSize = classCounts.count + CIFAR.pixelCount
    var records = Records()
    while true {
      let bytes = try read(256 * recordSize)
      for start in stride(from: 0, to: bytes.count, by: recordSize) {
        let record = records.labels.count
        guard bytes.count - start >= recordSize else {
          throw malformed(
            path, .offset(record * recordSize), "record \(record) has \(bytes.count - start) of \(recordSize) bytes")
        }
        for (index, count) in classCounts.enumerated() where Int(bytes[start + index]) >= count {
          throw malformed(
            path, .record(record),
            "label \(bytes[start + index]) at byte \(record * recordSize + index), but there are \(count) classes")
        }
        records.labels.append(Int32(bytes[start + label]))
        records.pixels += bytes[start + classCounts.count..<start + recordSize]
      }
      if bytes.count < 256 * recordSize { break }
      guard records.pixels.count < CIFAR.byteLimit else {
        throw malformed(path, .file, "it has more than the limit of \(CIFAR.byteLimit) bytes")
      }
    }
    guard !records.labels.isEmpty else { throw malformed(path, .file, "it is empty") }
    return records
  }

  private func names(_ path: String, _ bytes: [UInt8]) throws(DataError) -> [String] {
    guard bytes.count <= CIFAR.nameLimit else {
      throw malformed(path, .file, "it has more than the limit of \(CIFAR.nameLimit) bytes of names")
    }
    let names = try TextCorpus.text(bytes, path: path).split(separator: "\n").map(String.init)
    guard names.count == classCounts[label], Set(names).count == names.count else {
      throw malformed(
        path, .file, "\(Set(names).count) names in \(names.count) lines, but there are \(classCounts[label]) classes")
    }
    return names
  }

  private func missing(_ path: String) -> DataError { .missing(dataset: name, path: path, remedy: remedy) }

  private func malformed(_ path: String, _ location: DataError.Location, _ reason: String) -> DataError {
    .malformed(path: path, format: "CIFAR", location: location, reason: reason, remedy: remedy)
  }
}

extension DatasetDescription {
  static let cifar10 = DatasetDescription(.ten, "50,000 + 10,000 color images in 10 classes")
  static let cifar100 = DatasetDescription(.hundred, "50,000 + 10,000 color images in 100 classes")
  static let cifar100Coarse = DatasetDescription(.hundredCoarse, "the same images in 20 coarse classes")

  private init(_ data: CIFAR, _ summary: String) {
    self.init(
      name: data.name, argument: "PATH", summary: "\(summary): the binary version, as a folder or as the .tar.gz",
      content: .images(size: [3, 32, 32], classNames: nil) { path, _ throws(DataError) in try data.load(path) })
  }
}
