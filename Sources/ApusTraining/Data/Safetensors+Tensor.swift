import ApusData
import ApusSystem
import ApusTensor

extension Safetensors.ElementType {
  /// The element type that stores a tensor's `dtype`.
  public init(_ dtype: DType) {
    switch dtype {
    case .bool: self = .bool
    case .uint8: self = .uint8
    case .int8: self = .int8
    case .int32: self = .int32
    case .int64: self = .int64
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .float32: self = .float32
    case .float64: self = .float64
    }
  }

  /// The `DType` of a tensor with these elements; `nil` when none exists.
  public var dtype: DType? { DType.allCases.first { Self($0) == self } }
}

extension Safetensors.StoredTensor {
  /// Computes a tensor and copies its elements from the device. The stored tensor has the shape and type of `tensor`.
  /// - Throws: `DeviceError` when the value cannot be computed.
  public init(name: String, _ tensor: Tensor) throws(DeviceError) {
    let bytes = try tensor.withBytes { Array($0.prefix(tensor.byteCount)) }
    self.init(name: name, type: .init(tensor.dtype), shape: Array(tensor.shape), bytes: bytes)
  }
}

extension Safetensors.File {
  /// Reads the tensor with this name, in its stored shape and type.
  /// - Throws: `DataError` when the file has no such tensor, when its elements cannot be read, or when no tensor can
  ///   have its shape or element type.
  public func tensor(_ name: String, device: ComputeDevice = .current) throws(DataError) -> Tensor {
    guard let entry = header[name] else {
      let names = header.entries.map(\.name)
      let match = nearestMatch(to: name, in: names).map { "; the nearest name is \($0.quoted())" } ?? ""
      throw .safetensors(path, .name(name), "none of the \(names.count) tensors has this name\(match)")
    }
    return try tensor(entry, device: device)
  }

  /// Reads all tensors, each in its stored shape and type.
  /// - Throws: `DataError` when the elements of a tensor cannot be read, or when no tensor can have its shape or
  ///   element type.
  public func tensors(device: ComputeDevice = .current) throws(DataError) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for entry in header.entries { result[entry.name] = try tensor(entry, device: device) }
    return result
  }

  private func tensor(_ entry: Safetensors.Entry, device: ComputeDevice) throws(DataError) -> Tensor {
    guard let dtype = entry.type.dtype else {
      throw .unsupported(
        path: path, format: "safetensors", reason: "\(entry.name.quoted()) has elements of \(entry.type.rawValue)",
        remedy: "convert the tensor to F32 first")
    }
    guard let shape = Shape(validating: entry.shape, dtype: dtype) else {
      throw .unsupported(
        path: path, format: "safetensors", reason: "\(entry.name.quoted()) has shape \(entry.shape)",
        remedy: "store it with at most \(Shape.maximumRank) axes")
    }
    let bytes = try bytes(of: entry)
    if dtype == .bool, let element = bytes.firstIndex(where: { $0 > 1 }) {
      throw .safetensors(path, .name(entry.name), "element \(element) is \(bytes[element]), not 0 or 1")
    }
    return bytes.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: dtype, device: device) }
  }
}

extension Safetensors {
  /// Computes tensors and atomically replaces a file by a file that contains them, each in its shape and type.
  ///
  /// - Returns: the SHA-256 digest of the file, in hexadecimal.
  /// - Throws: `DeviceError` when a tensor cannot be computed, `DataError` when the file cannot be written.
  @discardableResult
  public static func write(
    _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String
  ) throws -> String {
    try eval(Array(tensors.values))
    return try write(tensors.map { try StoredTensor(name: $0.key, $0.value) }, metadata: metadata, to: path)
  }
}
