import Apus
import ApusDevice
import ApusSystem
import Testing

/// The test data of one operation: its inputs, a call of the operation, and the expected result, computed element by
/// element in `Double`.
public struct OpCase: Sendable, CustomTestStringConvertible {
  /// The contents of an input.
  public enum Values: Sendable {
    /// Random numbers in a range, rounded to the element type under test. For `uint8`, the range has no negative part.
    case numbers(ClosedRange<Double>)
    /// Random whole numbers in a range, with the element type under test.
    case wholeNumbers(ClosedRange<Double>)
    /// `int64` indices in `0 ..< bound`, or in `-bound ..< bound` if `wraps`.
    case indices(bound: Int, wraps: Bool = false)
    /// `true` and `false`.
    case truth
  }

  public enum Derivatives: Sendable { case none, first, second }

  /// The method's name, or `name(variant)` if it has several cases.
  public let name: String
  public var inputs: [Values]
  /// Lists of shapes, each with one shape for each input. Gradients are checked with the first list.
  public var shapes: [[Shape]]
  public var dtypes: [DType]
  public var tolerance: Tolerance
  public var derivatives: Derivatives
  public var apply: @Sendable ([Tensor]) -> Tensor
  public var reference: @Sendable ([Grid]) -> Grid

  public init(
    _ name: String, inputs: [Values] = [.numbers(-2...2)], shapes: [[Shape]],
    dtypes: [DType] = OpCase.floats, tolerance: Tolerance = .elementwise, derivatives: Derivatives = .second,
    apply: @escaping @Sendable ([Tensor]) -> Tensor, reference: @escaping @Sendable ([Grid]) -> Grid
  ) {
    precondition(shapes.allSatisfy { $0.count == inputs.count }, name)
    (self.name, self.inputs, self.shapes, self.dtypes) = (name, inputs, shapes, dtypes)
    (self.tolerance, self.derivatives, self.apply, self.reference) = (tolerance, derivatives, apply, reference)
  }

  public var testDescription: String { name }

  /// The method that the case tests.
  public var method: String { String(name.prefix { $0 != "(" }) }

  /// Shapes of one input: a few elements, a length that is no multiple of the vector length, no elements, one element,
  /// and a scalar.
  public static let unaryShapes: [[Shape]] = [[[3, 5]], [[261]], [[2, 0]], [[1, 1]], [[]]]

  public static let floats: [DType] = [.float32, .float64, .float16, .bfloat16]
  public static let integers: [DType] = [.int64, .int32, .int8, .uint8]
  public static let numbers: [DType] = floats + integers

  /// Inputs with the shapes `shapes[index]`, filled with random numbers that `dtype` can represent. Every call returns
  /// the same numbers.
  public func grids(_ index: Int = 0, dtype: DType) -> [Grid] {
    var random = SplitMix64(state: name.utf8.reduce(UInt64(index)) { $0 &* 31 &+ UInt64($1) })
    return zip(inputs, shapes[index]).map { values, shape in
      Grid(shape) { _ in values.draw(&random, dtype) }
    }
  }

  /// The inputs as tensors of the current device.
  public func tensors(_ grids: [Grid], dtype: DType) -> [Tensor] {
    zip(inputs, grids).map { values, grid in
      let type: DType =
        switch values {
        case .numbers, .wholeNumbers: dtype
        case .indices: .int64
        case .truth: .bool
        }
      return Tensor(grid, dtype: type)
    }
  }

  /// Whether gradients flow to an input.
  public func isDifferentiable(_ input: Int) -> Bool {
    switch inputs[input] {
    case .numbers, .wholeNumbers: true
    case .indices, .truth: false
    }
  }
}

extension OpCase.Values {
  fileprivate func draw(_ random: inout SplitMix64, _ dtype: DType) -> Double {
    let fraction = Double(random.next() >> 11) * 0x1p-53
    switch self {
    case .numbers(let range):
      guard dtype.isFloatingPoint else {
        let lower = dtype == .uint8 ? max(range.lowerBound, 0) : range.lowerBound
        return (lower + fraction * (range.upperBound - lower)).rounded()
      }
      let value = range.lowerBound + fraction * (range.upperBound - range.lowerBound)
      return dtype == .float32 ? Double(Float(value)) : Tolerance.format(dtype).rounded(value)
    case .wholeNumbers(let range):
      return (range.lowerBound + fraction * (range.upperBound - range.lowerBound)).rounded()
    case .indices(let bound, let wraps):
      return (fraction * Double(wraps ? 2 * bound : bound)).rounded(.down) - (wraps ? Double(bound) : 0)
    case .truth: return fraction < 0.5 ? 0 : 1
    }
  }
}
