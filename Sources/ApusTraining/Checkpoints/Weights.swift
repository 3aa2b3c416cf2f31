import ApusData
import ApusNN
import ApusSystem
import ApusTensor

extension ModelState {
  /// Parameters and statistics (such as the running means of batch normalization) in the form that a file stores.
  func stored() throws(DeviceError) -> [Safetensors.StoredTensor] {
    try eval(entries.map(\.value))
    var result: [Safetensors.StoredTensor] = []
    for entry in entries { result.append(try .init(name: entry.key, entry.value)) }
    return result
  }

  /// The SHA-256 digest of the little-endian elements of all parameters and statistics, in ascending order of their
  /// keys.
  public func sha256() throws(DeviceError) -> String { ModelState.sha256(of: try stored()) }

  static func sha256(of tensors: [Safetensors.StoredTensor]) -> String {
    var hash = SHA256()
    for tensor in tensors.sortedArray(by: { $0.name < $1.name }) { hash.update(tensor.bytes) }
    return hash.hexadecimal()
  }

  /// Writes parameters and statistics to a safetensors file.
  public func save(to path: String) throws(TrainingError) {
    try reportingTraining { _ = try Safetensors.write(try stored(), to: path) }
  }

  /// Loads all parameters and statistics from a safetensors file. An error leaves the model as it is.
  ///
  /// - Parameter isKept: returns whether the parameter or statistic with this key keeps its value in the model, instead
  ///   of getting the value in the file.
  /// - Throws: `mismatch` when a tensor is missing, has another shape or type, or is not part of the model, and the
  ///   errors of reading the file.
  public func load(
    from path: String, device: ComputeDevice = .current, keeping isKept: (_ key: String) -> Bool = { _ in false }
  ) throws(TrainingError) {
    let file = try reportingTraining { try Safetensors.File(path: path) }
    try load(from: file, device: device, keeping: isKept)
  }

  func load(
    from file: Safetensors.File, device: ComputeDevice, keeping isKept: (String) -> Bool = { _ in false }
  ) throws(TrainingError) {
    let wanted = entries.filter { !isKept($0.key) }
    let names = wanted.map { name(of: $0.key, in: file) }
    let problems = problems(wanted, names, file, isKept)
    guard problems.isEmpty else { throw .mismatch(path: file.path, reason: problems.joined(separator: "; ")) }
    var values: [Tensor] = []
    for (entry, name) in zip(wanted, names) {
      values.append(try file.tensor(name, shape: entry.shape, dtype: entry.dtype, device: device))
    }
    for (entry, value) in zip(wanted, values) { entry.assign(value) }
  }

  /// The name under which a file contains a parameter: its key or one of its aliases.
  private func name(of key: String, in file: Safetensors.File) -> String {
    let names = [key] + aliases.filter { $0.value == key }.keys.sorted()
    return names.first { file.header[$0] != nil } ?? key
  }

  /// All mismatches: missing tensors, tensors that the model does not have, and tensors of another shape or type.
  private func problems(
    _ wanted: [Entry], _ names: [String], _ file: Safetensors.File, _ isKept: (String) -> Bool
  ) -> [String] {
    let known = Set(entries.map(\.key)).union(aliases.keys)
    let missing = names.filter { file.header[$0] == nil }
    let extra = file.header.entries.map(\.name).filter { !known.contains($0) && !isKept($0) }
    func list(_ keys: [String]) -> String {
      let rest = keys.count > 8 ? " and \(keys.count - 8) more" : ""
      return keys.prefix(8).map { "\($0.quoted())" }.joined(separator: ", ") + rest
    }
    var problems: [String] = []
    if !missing.isEmpty { problems.append("\(list(missing)) \(missing.count == 1 ? "is" : "are") missing") }
    if !extra.isEmpty { problems.append("the model has no \(list(extra))") }
    let unlike = zip(wanted, names).compactMap { file.problem($1, $0.shape, $0.dtype) }
    problems += unlike.prefix(4)
    if unlike.count > 4 { problems.append("\(unlike.count - 4) more have other shapes or types") }
    return problems
  }
}

extension Safetensors.File {
  /// The mismatch of a tensor's shape or type; `nil` if there is none or the tensor is missing.
  fileprivate func problem(_ name: String, _ shape: Shape, _ dtype: DType) -> String? {
    guard let entry = header[name], entry.shape != Array(shape) || entry.type.dtype != dtype else { return nil }
    return "\(name.quoted()) is \(entry.type.rawValue) of shape \(entry.shape), but the model has \(dtype) of \(shape)"
  }

  /// Reads a tensor that must have the given shape and type.
  func tensor(
    _ name: String, shape: Shape, dtype: DType, device: ComputeDevice
  ) throws(TrainingError) -> Tensor {
    guard header[name] != nil else { throw .mismatch(path: path, reason: "\(name.quoted()) is missing") }
    if let problem = problem(name, shape, dtype) { throw .mismatch(path: path, reason: problem) }
    return try reportingTraining { try tensor(name, device: device) }
  }
}

extension Safetensors.StoredTensor {
  /// Whether all elements are finite: no element has an exponent with all bits set.
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
