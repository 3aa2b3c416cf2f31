import ApusSystem

extension Safetensors {
  /// A file that is open for reading: its header is checked, its tensors are read on request.
  public final class File: Sendable {
    /// The path of the file when it was opened.
    public let path: String
    /// The header, which describes the tensors.
    public let header: Header
    private let file: FileDescriptor
    private let dataOffset: Int

    /// Opens a file and checks its header against its size; no tensor is read.
    public convenience init(path: String) throws(DataError) {
      try self.init(reportingFiles { () throws(FileError) in try FileDescriptor(reading: path) })
    }

    /// Takes ownership of an open file and checks its header, as `init(path:)` does.
    package init(_ file: FileDescriptor) throws(DataError) {
      path = file.path
      let size = try reportingFiles { () throws(FileError) in try file.byteCount() }
      let prefix = try reportingFiles { () throws(FileError) in try file.bytes(at: 0, count: 8) }
      let count = try Safetensors.headerByteCount(prefix, fileByteCount: size, path: path)
      let text = try reportingFiles { () throws(FileError) in try file.bytes(at: 8, count: count) }
      header = try Header(parsing: text, dataByteCount: size - 8 - count, path: path)
      dataOffset = 8 + count
      self.file = file
    }

    /// The bytes of a tensor, little-endian and in row-major order.
    public func bytes(of entry: Entry) throws(DataError) -> [UInt8] {
      let bytes = try reportingFiles { () throws(FileError) in
        try file.bytes(at: dataOffset + entry.range.lowerBound, count: entry.range.count)
      }
      guard bytes.count == entry.range.count else {
        throw .safetensors(path, .name(entry.name), "the file became shorter while it was read")
      }
      return bytes
    }
  }

  /// Decodes the first 8 bytes of a file, which give the length of the header, and checks this length.
  static func headerByteCount(
    _ prefix: [UInt8], fileByteCount: Int, path: String
  ) throws(DataError) -> Int {
    guard prefix.count == 8 else {
      throw .safetensors(path, .file, "\(fileByteCount) bytes are too few for a header")
    }
    let count = prefix.littleEndianLong(at: 0)
    // The first bytes of a zip archive or of a PyTorch pickle, read as the length of a header, exceed the limit. So no
    // safetensors file starts with these bytes.
    if prefix.starts(with: [0x50, 0x4b, 3, 4]) || prefix.starts(with: [0x80, 2, 0x8a, 0x0a, 0x6c]) {
      throw .unsupported(
        path: path, format: "PyTorch", reason: "it is a Python pickle, and loading a pickle can run arbitrary code",
        remedy: "convert it once in Python: safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW_FILE)")
    }
    guard count <= maximumHeaderByteCount else {
      throw .safetensors(
        path, .offset(0), "a header of \(count) bytes exceeds the limit of \(maximumHeaderByteCount)")
    }
    guard Int(count) <= fileByteCount - 8 else {
      throw .safetensors(
        path, .offset(0), "the header needs \(count) bytes, but the file has only \(fileByteCount)")
    }
    return Int(count)
  }

  /// Reads the header of a file in memory, and returns it with the offset of the data.
  public static func header(
    of bytes: [UInt8], path: String = "memory"
  ) throws(DataError) -> (header: Header, dataOffset: Int) {
    let count = try headerByteCount(Array(bytes.prefix(8)), fileByteCount: bytes.count, path: path)
    let text = Array(bytes[8..<8 + count])
    let header = try Header(parsing: text, dataByteCount: bytes.count - 8 - count, path: path)
    return (header, 8 + count)
  }
}
