import ApusSystem

/// An array in the IDX format of the MNIST files (http://yann.lecun.com/exdb/mnist).
///
/// ```text
/// 0, 0, type, rank, one extent for each axis (big-endian uint32), elements (row-major, big-endian)
/// ```
public struct IDXArray: Hashable, Sendable {
  /// The element types and their codes in a file.
  public enum ElementType: UInt8, Sendable {
    case uint8 = 0x08
    case int8 = 0x09
    case int16 = 0x0b
    case int32 = 0x0c
    case float32 = 0x0d
    case float64 = 0x0e

    /// The size of an element.
    public var byteCount: Int {
      switch self {
      case .uint8, .int8: 1
      case .int16: 2
      case .int32, .float32: 4
      case .float64: 8
      }
    }
  }

  /// The type of the elements, which the third byte of a file gives.
  public var type: ElementType
  /// The extents of the axes, the outermost first.
  public var extents: [Int]
  /// The elements in row-major order, in the byte order of this machine.
  public var bytes: [UInt8]

  public init(type: ElementType, extents: [Int], bytes: [UInt8]) {
    self.type = type
    self.extents = extents
    self.bytes = bytes
  }

  /// Reads a file, plain or compressed by gzip.
  ///
  /// The file must contain exactly the elements that the header declares. At most one byte after the elements is
  /// decompressed: it shows that the file is too long.
  public init(path: String) throws(DataError) {
    try self.init(ByteReader(path: path))
  }

  /// Reads an array from memory. `path` names the source in errors.
  public init(parsing bytes: [UInt8], path: String = "memory") throws(DataError) {
    try self.init(ByteReader(bytes, path: path))
  }
}

/// The header of a file, read before the elements.
struct IDXHeader {
  var type: IDXArray.ElementType
  var extents: [Int]

  /// Reads the header of a file.
  init(_ reader: ByteReader) throws(DataError) {
    let magic = try reader.read(4)
    guard magic.count == 4, magic[0] == 0, magic[1] == 0 else {
      let found = magic.map { String($0, radix: 16) }.joined(separator: " ")
      throw IDXArray.failure(reader, 0, "the file must start with 0 0 TYPE RANK, not with \(found)")
    }
    guard let type = IDXArray.ElementType(rawValue: magic[2]) else {
      throw IDXArray.failure(reader, 2, "unknown element type \(magic[2])")
    }
    let rank = Int(magic[3])
    guard (1...8).contains(rank) else { throw IDXArray.failure(reader, 3, "rank \(rank) is not in 1...8") }
    let sizes = try reader.read(4 * rank)
    guard sizes.count == 4 * rank else {
      throw IDXArray.failure(reader, reader.position, "the file ends inside the header")
    }
    self.type = type
    extents = (0..<rank).map { sizes.bigEndianWord(at: 4 * $0) }
  }

  /// The number of bytes of the elements; `nil` when it is `Int.max / 2` or more.
  var byteCount: Int? {
    var bytes = type.byteCount
    for extent in extents {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow, product < Int.max / 2 else { return nil }
      bytes = product
    }
    return bytes
  }
}

extension IDXArray {
  private init(_ reader: ByteReader) throws(DataError) { try self.init(reader, IDXHeader(reader)) }

  /// Reads the elements that follow a header.
  init(_ reader: ByteReader, _ header: IDXHeader) throws(DataError) {
    let bytes = try IDXArray.elements(reader, header)
    self.init(
      type: header.type, extents: header.extents, bytes: IDXArray.hostOrder(bytes, width: header.type.byteCount))
  }

  private static func elements(_ reader: ByteReader, _ header: IDXHeader) throws(DataError) -> [UInt8] {
    let extents = header.extents
    guard let needed = header.byteCount else { throw failure(reader, 4, "the sizes \(extents) are too large") }
    // If a plain file is too short, its size shows this before any element is read.
    if let rest = try reader.plainByteCount(), rest < needed {
      throw failure(
        reader, reader.position + rest,
        "the header declares \(needed) bytes of elements (\(extents)), but there are \(rest)")
    }
    try DataBudget.check(
      needed, of: "elements of sizes \(extents)", source: reader.path,
      remedy: "use a smaller data set")
    let bytes = try reader.read(needed + 1)
    guard bytes.count >= needed else {
      throw failure(
        reader, reader.position,
        "the header declares \(needed) bytes of elements (\(extents)), but there are \(bytes.count)")
    }
    guard bytes.count == needed else {
      throw failure(
        reader, reader.position - 1,
        "the header declares \(needed) bytes of elements (\(extents)), but there are more")
    }
    return bytes
  }

  private static func hostOrder(_ bytes: [UInt8], width: Int) -> [UInt8] {
    guard width > 1, UInt16(1).littleEndian == 1 else { return bytes }
    var result = bytes
    for start in stride(from: 0, to: bytes.count, by: width) {
      result[start..<start + width].reverse()
    }
    return result
  }

  fileprivate static func failure(_ reader: ByteReader, _ offset: Int, _ reason: String) -> DataError {
    .malformed(
      path: reader.path, format: "IDX", location: .offset(offset), reason: reason,
      remedy: "copy or download the file again")
  }
}
