import Apus
import Foundation

/// Results of other libraries, from `Tests/Conformance`.
public struct Conformance: Sendable {
  public let root: JSON

  public init(_ name: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Conformance/\(name)")
    root = try JSON(parsing: Array(Data(contentsOf: file)))
  }
}

/// A tensor of such a file: `{"shape": […], "values": […]}`.
public struct ExpectedTensor: Sendable {
  public let shape: Shape
  public let values: [Double]
  private let areIntegers: Bool

  public init(_ json: JSON?) throws {
    guard let json, let shape = json["shape"]?.array, let values = json["values"]?.array else {
      throw ConformanceError(description: "not a tensor: \(json?.text().prefix(100) ?? "nothing")")
    }
    self.shape = Shape(shape.compactMap(\.integer))
    self.values = values.compactMap(\.number)
    areIntegers = !values.isEmpty && values.allSatisfy { $0.integer != nil }
  }

  /// On the current device: int64 where all values are written as integers, else float32.
  public var tensor: Tensor {
    areIntegers ? Tensor(values.map { Int64($0) }, shape: shape) : Tensor(values.map { Float($0) }, shape: shape)
  }

  /// The largest difference, in units of `tolerance · (1 + |expected|)`, or why the two cannot be compared.
  public func misfit(_ tensor: Tensor, tolerance: Double) throws -> String? {
    guard tensor.shape == shape else { return "shape \(tensor.shape), expected \(shape)" }
    let found = try tensor.array(of: Double.self)
    for (index, (value, expected)) in zip(found, values).enumerated() {
      let difference = abs(value - expected)
      if !(difference <= tolerance * (1 + abs(expected))) {
        return "element \(index) is \(value), expected \(expected)"
      }
    }
    return nil
  }
}

struct ConformanceError: Error, CustomStringConvertible { let description: String }
