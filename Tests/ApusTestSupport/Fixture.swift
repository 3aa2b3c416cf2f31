import Apus
import Foundation

/// Results of PyTorch in float64, from `Tests/Conformance`; `fixture.py` there explains the keys.
public struct Fixture: Sendable {
  /// The names of the cases, in the order in which they were generated.
  public let cases: [String]
  private let file: Safetensors.File

  /// Opens the fixture `Tests/Conformance/NAME.safetensors`.
  public init(_ name: String) throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Conformance/\(name).safetensors").path
    try self.init(path: path)
  }

  /// Opens a fixture file at any path.
  public init(path: String) throws {
    file = try Safetensors.File(path: path)
    let list = try JSON(parsing: Array((file.header.metadata["cases"] ?? "").utf8))
    cases = (list.array ?? []).compactMap(\.string)
  }

  /// The keys of a case that begin with `prefix`, without the prefix.
  public func keys(of name: String, _ prefix: String) -> [String] {
    file.header.entries.map(\.name).filter { $0.hasPrefix("\(name)/\(prefix)") }
      .map { String($0.dropFirst("\(name)/\(prefix)".count)) }.sorted()
  }

  public func contains(_ name: String, _ key: String) -> Bool { file.header["\(name)/\(key)"] != nil }

  /// A tensor of a case, on the current device.
  public func tensor(_ name: String, _ key: String) throws -> Tensor { try file.tensor("\(name)/\(key)") }

  /// The tensors `input.0`, `input.1`, …
  public func inputs(of name: String) throws -> [Tensor] {
    try keys(of: name, "input.").map { try tensor(name, "input.\($0)") }
  }

  /// The elements of a tensor of a case.
  public func numbers(_ name: String, _ key: String) throws -> [Double] {
    let device = ComputeDevice.host
    return try withDevice(device) { () throws in try tensor(name, key).array(of: Double.self) }
  }

  /// The largest difference between `found` and a tensor of a case, in units of `4·√K·2⁻²⁴·M`. `K` is the element count
  /// of the largest tensor of the case, and `M` the largest finite magnitude in the expected tensor.
  /// `ConformanceReport` allows 1 unit for results and 10 units for gradients. Integers and `bool` must be equal: the
  /// difference is 0 or infinite.
  ///
  /// - Throws: `FixtureError` if the case has no such tensor or the shapes differ.
  public func error(of found: Tensor, _ name: String, _ key: String) throws -> Double {
    guard let entry = file.header["\(name)/\(key)"] else { throw FixtureError("\(name) has no \(key)") }
    guard Array(found.shape) == entry.shape else {
      throw FixtureError("\(name): \(key) has shape \(found.shape), expected \(entry.shape)")
    }
    let expected = try numbers(name, key)
    let numbers = try found.array(of: Double.self)
    if entry.type == .int64 || entry.type == .bool { return numbers == expected ? 0 : .infinity }
    let terms = file.header.entries.filter { $0.name.hasPrefix("\(name)/") }.map { $0.shape.reduce(1, *) }.max() ?? 1
    let largest = expected.reduce(1e-30) { $1.isFinite ? max($0, abs($1)) : $0 }
    let unit = 4 * Double(terms).squareRoot() * 0x1p-24 * largest
    return zip(numbers, expected).reduce(0) { worst, pair in
      let difference = abs(pair.0 - pair.1) / unit
      // NaN counts as an infinite difference, except where it is expected.
      if pair.0 == pair.1 || pair.0.isNaN && pair.1.isNaN { return worst }
      return difference.isNaN ? .infinity : max(worst, difference)
    }
  }
}

extension ComputeDevice {
  /// The device on which the numbers of fixtures are read.
  fileprivate static let host = ComputeDevice(backend: ReferenceDevice())
}

public struct FixtureError: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// The largest errors of a family of cases on a device. Tests print them.
public struct ConformanceReport {
  private let family: String
  private let device: String
  private var caseCount = 0
  private var worst = (result: (0.0, ""), gradient: (0.0, ""))

  public init(_ family: String, on device: TestDevice) {
    self.family = family
    self.device = device.name
  }

  public mutating func beginCase() { caseCount += 1 }

  /// Records an error. Returns a description if the error exceeds the bound, 1 unit for results and 10 units for
  /// gradients.
  public mutating func add(_ error: Double, of place: String, isGradient: Bool = false) -> String? {
    if isGradient {
      if error >= worst.gradient.0 { worst.gradient = (error, place) }
    } else if error >= worst.result.0 {
      worst.result = (error, place)
    }
    let bound: Double = isGradient ? 10 : 1
    return error <= bound ? nil : "\(place) on \(device): the error is \(error) units, at most \(bound) allowed"
  }

  public func print() {
    func text(_ worst: (Double, String)) -> String { String(format: "%.2f (%@)", worst.0, worst.1) }
    Swift.print(
      "conformance: \(family) on \(device): \(caseCount) cases, worst result \(text(worst.result)) of 1, "
        + "worst gradient \(text(worst.gradient)) of 10")
  }
}

extension TestDevice {
  /// The devices on which modules are compared with PyTorch: all devices except OpenCL devices with kernels for GPUs
  /// (the kernel class `gpu`).
  public static var conformance: [TestDevice] { all.filter { !$0.name.contains("gpu") } }
}

/// The sum of `cos(i)·xᵢ` over all elements `xᵢ` of the floating-point tensors, where `i` is the row-major index in the
/// tensor. Fixtures contain the gradients of this loss.
public func patternLoss(_ outputs: [Tensor]) -> Tensor {
  outputs.filter { $0.dtype.isFloatingPoint }.map { output in
    let pattern = (0..<output.elementCount).map { cos(Double($0)) }
    // The product of a 16-bit tensor and `float32` factors is `float32`.
    let factors =
      output.dtype == .float64
      ? Tensor(pattern, shape: output.shape) : Tensor(pattern.map { Float($0) }, shape: output.shape)
    return (output * factors).sum()
  }.reduce(Tensor.zeros([])) { $0 + $1 }
}
