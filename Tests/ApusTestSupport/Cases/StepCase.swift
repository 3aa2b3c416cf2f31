import ApusDevice
import Foundation

/// A test case for a fused step of a plan that has a forward and a backward pass, such as attention. The results are
/// float32.
protocol StepCase {
  associatedtype Pass: RawRepresentable<String>
  var passes: [Pass] { get }

  /// The allowed difference of results: relative for expected values with a magnitude above 1, else absolute.
  var tolerance: Float { get }
  static var scalars: [Scalar] { get }

  /// A plan of one step and one output.
  func plan(_ pass: Pass) -> Plan

  /// The bytes of the plan's inputs.
  /// - Parameter forward: the result of the forward pass, or `nil` before that pass.
  func inputs(_ forward: [Float]?) -> [[UInt8]]
}

extension StepCase {
  static var scalars: [Scalar] { [] }

  private func run(_ pass: Pass, _ forward: [Float]?, on device: any Device) throws -> [Float] {
    try plan(pass).run(on: device, inputs: inputs(forward), scalars: Self.scalars)[0].withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
  }

  /// Describes, for each pass, the first element that differs between `device` and the reference device. The backward
  /// pass uses the forward result of the reference device.
  func firstProblems(on device: any Device) throws -> [String] {
    let reference = ReferenceDevice()
    var forward: [Float]?
    return try passes.compactMap { pass in
      let expected = try run(pass, forward, on: reference)
      let found = try run(pass, forward, on: device)
      forward = forward ?? expected
      return zip(expected, found).enumerated().first { _, pair in
        pair.0 != pair.1 && !(abs(pair.0 - pair.1) <= tolerance * max(1, abs(pair.0)))
      }.map { place, pair in "\(pass.rawValue) \(place): \(pair.1), not \(pair.0)" }
    }
  }

  /// The bits of the results of all passes; the backward pass uses the forward result of `device`.
  func resultBits(on device: any Device) throws -> [[UInt32]] {
    var forward: [Float]?
    return try passes.map { pass in
      let found = try run(pass, forward, on: device)
      forward = forward ?? found
      return found.map(\.bitPattern)
    }
  }

  /// Numbers that vary with the index and the input.
  static func numbers(_ count: Int, _ input: Int) -> [Float] {
    (0..<count).map { Float(sin(Double($0 * (input + 2)) * 0.61)) }
  }

  static func bytes<T>(_ numbers: [T]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }
}
