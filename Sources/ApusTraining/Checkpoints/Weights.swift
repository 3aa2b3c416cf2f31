import ApusData
import ApusFiles
import ApusNN
import ApusTensor

extension ModelState {
  /// Parameters and statistics as they go into a file.
  func stored() throws(DeviceError) -> [Safetensors.StoredTensor] {
    try eval(entries.map(\.value))
    var result: [Safetensors.StoredTensor] = []
    for entry in entries { result.append(try .init(name: entry.key, entry.value)) }
    return result
  }

  /// The SHA-256 digest of the elements of all parameters and statistics: little-endian, by sorted key.
  public func sha256() throws(DeviceError) -> String { ModelState.sha256(of: try stored()) }

  static func sha256(of tensors: [Safetensors.StoredTensor]) -> String {
    var hash = SHA256()
    for tensor in tensors.sorted(by: { $0.name < $1.name }) { hash.update(tensor.bytes) }
    return hash.hexadecimal()
  }

  /// Writes parameters and statistics to a safetensors file.
  public func save(to path: String) throws(TrainingError) {
    try reportingTraining { _ = try Safetensors.write(try stored(), to: path) }
  }

  /// Takes over all parameters and statistics from a safetensors file, or nothing when one of them is missing or
  /// has another shape or type.
  ///
  /// - Parameter isKept: whether what is under a key keeps its value, whatever the file has there.
  public func load(
    from path: String, device: ComputeDevice = .current, keeping isKept: (_ key: String) -> Bool = { _ in false }
  ) throws(TrainingError) {
    let file = try reportingTraining { try Safetensors.File(path: path) }
    try load(from: file, device: device, keeping: isKept)
  }

  func load(
    from file: Safetensors.File, device: ComputeDevice, keeping isKept: (String) -> Bool = { _ in false }
  ) throws(TrainingError) {
    let known = Set(entries.map(\.key)).union(aliases.keys)
    let entries = entries.filter { !isKept($0.key) }
    if let extra = file.header.entries.first(where: { !known.contains($0.name) && !isKept($0.name) }) {
      throw .mismatch(path: file.path, reason: "the model has no \"\(extra.name)\"")
    }
    var values: [Tensor] = []
    for entry in entries {
      let names = [entry.key] + aliases.filter { $0.value == entry.key }.keys.sorted()
      let name = names.first { file.header[$0] != nil } ?? entry.key
      values.append(try file.tensor(name, shape: entry.shape, dtype: entry.dtype, device: device))
    }
    for (entry, value) in zip(entries, values) { entry.assign(value) }
  }
}

extension Safetensors.File {
  /// Reads a tensor of which shape and type are known.
  func tensor(
    _ name: String, shape: Shape, dtype: DType, device: ComputeDevice
  ) throws(TrainingError) -> Tensor {
    guard let entry = header[name] else { throw .mismatch(path: path, reason: "\"\(name)\" is missing") }
    guard entry.shape == Array(shape), entry.type.dtype == dtype else {
      throw .mismatch(
        path: path,
        reason: "\"\(name)\" is \(entry.type.rawValue) of shape \(entry.shape), the model has \(dtype) of \(shape)")
    }
    return try reportingTraining { try tensor(name, device: device) }
  }
}

extension Safetensors.StoredTensor {
  /// Whether there is neither NaN nor an infinity: no exponent all of whose bits are set.
  var isFinite: Bool {
    switch type {
    case .float16: !contains(UInt16.self, exponent: 0x7C00)
    case .bfloat16: !contains(UInt16.self, exponent: 0x7F80)
    case .float32: !contains(UInt32.self, exponent: 0x7F80_0000)
    case .float64: !contains(UInt64.self, exponent: 0x7FF0_0000_0000_0000)
    default: true
    }
  }

  private func contains<Bits: FixedWidthInteger>(_ type: Bits.Type, exponent: Bits) -> Bool {
    bytes.withUnsafeBytes { bytes in
      let count = bytes.count / MemoryLayout<Bits>.size
      return (0..<count).contains { index in
        let bits = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
        return bits & exponent == exponent
      }
    }
  }
}
