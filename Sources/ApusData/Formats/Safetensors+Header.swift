import ApusSystem

extension Safetensors {
  /// The header of a file. If it was read from a file, it is validated: every byte after the header belongs to exactly
  /// one tensor.
  public struct Header: Hashable, Sendable {
    /// The tensors in file order.
    public let entries: [Entry]
    /// The text metadata of the file.
    public let metadata: [String: String]
    private let indices: [String: Int]

    /// Creates a header. The entries must not overlap, which is not checked.
    public init(entries: [Entry], metadata: [String: String] = [:]) {
      self.entries = entries
      self.metadata = metadata
      indices = Dictionary(
        entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The entry of a tensor; `nil` if no tensor has this name.
    public subscript(name: String) -> Entry? { indices[name].map { entries[$0] } }
  }
}

// MARK: - Parsing

extension Safetensors.Header {
  /// Reads the JSON of a header.
  /// - Parameters:
  ///   - bytes: the header without its length
  ///   - dataByteCount: the number of bytes after the header
  ///   - path: the name of the source in errors
  public init(parsing bytes: [UInt8], dataByteCount: Int, path: String) throws(DataError) {
    guard bytes.first == UInt8(ascii: "{") else {
      throw .safetensors(path, .offset(8), "the header must start with {")
    }
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes)
    } catch {
      throw .safetensors(path, .offset(8 + error.offset), error.reason)
    }
    var metadata: [String: String] = [:]
    var entries: [Safetensors.Entry] = []
    for (name, value) in json.object ?? [:] {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, path: path)
      } else {
        entries.append(try Self.entry(name, value, path: path))
      }
    }
    try Self.checkCoverage(&entries, dataByteCount: dataByteCount, path: path)
    self.init(entries: entries, metadata: metadata)
  }

  private static let mostAxes = 64

  private static func metadata(_ value: JSON, path: String) throws(DataError) -> [String: String] {
    guard let members = value.object else {
      throw .safetensors(path, .name("__metadata__"), "must be an object of strings")
    }
    var result: [String: String] = [:]
    for (key, value) in members {
      guard let text = value.string else {
        throw .safetensors(path, .name("__metadata__"), "the value of \(key.quoted()) must be a string")
      }
      result[key] = text
    }
    return result
  }

  private static func entry(
    _ name: String, _ value: JSON, path: String
  ) throws(DataError) -> Safetensors.Entry {
    guard let typeName = value["dtype"]?.string else {
      throw .safetensors(path, .name(name), "\"dtype\" is missing or is not a string")
    }
    guard let type = Safetensors.ElementType(rawValue: typeName) else {
      throw .safetensors(path, .name(name), "unknown dtype \(typeName.quoted())")
    }
    guard let shape = sizes(value["shape"]) else {
      throw .safetensors(path, .name(name), "\"shape\" must be an array of integers that are not negative")
    }
    guard shape.count <= Self.mostAxes else {
      throw .safetensors(path, .name(name), "\(shape.count) axes, more than the limit of \(Self.mostAxes)")
    }
    guard let offsets = sizes(value["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1] else {
      throw .safetensors(path, .name(name), "\"data_offsets\" must be [begin, end] with begin <= end")
    }
    guard let count = Safetensors.byteCount(shape, type) else {
      throw .safetensors(path, .name(name), "shape \(shape) of \(typeName) is too large or not a whole number of bytes")
    }
    guard count == offsets[1] - offsets[0] else {
      throw .safetensors(
        path, .name(name),
        "shape \(shape) of \(typeName) needs \(count) bytes, but data_offsets \(offsets) give another number")
    }
    return Safetensors.Entry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  private static func sizes(_ value: JSON?) -> [Int]? {
    guard let values = value?.array else { return nil }
    let sizes = values.compactMap(\.integer)
    return sizes.count == values.count && sizes.allSatisfy { $0 >= 0 } ? sizes : nil
  }

  /// Sorts the entries by offset and checks that they cover the data without gaps and overlaps.
  private static func checkCoverage(
    _ entries: inout [Safetensors.Entry], dataByteCount: Int, path: String
  ) throws(DataError) {
    entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var end = 0
    for entry in entries {
      guard entry.range.lowerBound == end else {
        let kind = entry.range.lowerBound > end ? "leaves a gap after" : "overlaps"
        throw .safetensors(
          path, .name(entry.name),
          "starts at byte \(entry.range.lowerBound) of the data and \(kind) the tensor that ends at \(end)")
      }
      end = entry.range.upperBound
    }
    guard end == dataByteCount else {
      throw .safetensors(
        path, .file, "the tensors need \(end) bytes, but the file has \(dataByteCount) after its header")
    }
  }
}

extension DataError {
  package static func safetensors(_ path: String, _ location: Location, _ reason: String) -> DataError {
    .malformed(
      path: path, format: "safetensors", location: location, reason: reason,
      remedy: "write the file again or use another copy")
  }
}
