import ApusSystem

extension Safetensors {
  /// A tensor to write.
  public struct StoredTensor: Sendable {
    public var name: String
    /// The type of the elements, `dtype` in the header.
    public var type: ElementType
    /// The extents of the axes; none for a single number.
    public var shape: [Int]
    /// The elements, little-endian and in row-major order.
    public var bytes: [UInt8]

    /// - Precondition: `bytes` has the size that `shape` and `type` give; the name is not `__metadata__`.
    public init(name: String, type: ElementType, shape: [Int], bytes: [UInt8]) {
      guard byteCount(shape, type) == bytes.count else {
        fatalError("Safetensors: \(bytes.count) bytes for \"\(name)\", \(type.rawValue) of shape \(shape)")
      }
      guard name != "__metadata__" else { fatalError("Safetensors: a tensor must not be named \(name)") }
      self.name = name
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }
  }

  /// Atomically replaces a file by a file that contains these tensors.
  ///
  /// The safetensors library writes the same bytes for the same tensors. Tensors are sorted by element type, with the
  /// largest elements first, then by name.
  /// - Precondition: no name occurs twice.
  /// - Returns: the SHA-256 digest of the file, in hexadecimal.
  @discardableResult
  public static func write(
    _ tensors: [StoredTensor], metadata: [String: String] = [:], to path: String
  ) throws(DataError) -> String {
    try write(tensors, metadata) { needed throws(FileError) in try AtomicFile(path: path, needed: needed) }
  }

  /// Replaces a file in an untrusted folder, as `write(_:metadata:to:)` does.
  package static func write(
    _ tensors: [StoredTensor], in folder: Folder, name: String
  ) throws(DataError) -> String {
    try write(tensors, [:]) { needed throws(FileError) in try AtomicFile(in: folder, name: name, needed: needed) }
  }

  private static func write(
    _ tensors: [StoredTensor], _ metadata: [String: String], _ open: (_ needed: Int) throws(FileError) -> AtomicFile
  ) throws(DataError) -> String {
    let tensors = ordered(tensors)
    let start = headerBytes(tensors, metadata: metadata)
    let needed = tensors.reduce(start.count) { $0 + $1.bytes.count }
    return try reportingFiles { () throws(FileError) in
      let file = try open(needed)
      var hash = SHA256()
      for piece in CollectionOfOne(start) + tensors.map(\.bytes) {
        hash.update(piece)
        try file.write(piece)
      }
      try file.commit()
      return hash.hexadecimal()
    }
  }

  /// The bytes of a file that contains these tensors.
  public static func encode(_ tensors: [StoredTensor], metadata: [String: String] = [:]) -> [UInt8] {
    let tensors = ordered(tensors)
    return tensors.reduce(into: headerBytes(tensors, metadata: metadata)) { $0 += $1.bytes }
  }

  private static func ordered(_ tensors: [StoredTensor]) -> [StoredTensor] {
    let sorted = tensors.sortedArray {
      let (left, right) = ($0.type.order, $1.type.order)
      return left != right ? left > right : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
    for (one, other) in zip(sorted.map(\.name).sorted(), sorted.map(\.name).sorted().dropFirst())
    where one == other {
      fatalError("Safetensors: two tensors are named \"\(one)\"")
    }
    return sorted
  }

  /// The length of the header as 8 bytes, then the header, padded with spaces to a multiple of 8 bytes.
  private static func headerBytes(_ tensors: [StoredTensor], metadata: [String: String]) -> [UInt8] {
    var json = JSONObject()
    if !metadata.isEmpty {
      var members = JSONObject()
      for (key, value) in metadata.sortedArray(by: { $0.key < $1.key }) { members[key] = .string(value) }
      json["__metadata__"] = .object(members)
    }
    var offset = 0
    for tensor in tensors {
      let end = offset + tensor.bytes.count
      json[tensor.name] = [
        "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": [.integer(offset), .integer(end)],
      ]
      offset = end
    }
    var text = Array(JSON.object(json).text().utf8)
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
  }
}
