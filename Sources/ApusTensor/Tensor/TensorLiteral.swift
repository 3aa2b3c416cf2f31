import ApusDevice

/// A number, a truth value or a nested list of these, as written in source code: `[[1, 2], [3, 4.5]]`.
public enum TensorLiteral: Sendable {
  case float(Double)
  case integer(Int)
  case bool(Bool)
  case list([TensorLiteral])
}

extension TensorLiteral: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral
{
  public init(floatLiteral value: Double) { self = .float(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: TensorLiteral...) { self = .list(elements) }
}

extension TensorLiteral {
  /// The extents; throws if lists of the same depth differ in length.
  fileprivate func shape() throws(ShapeError) -> Shape {
    guard case .list(let elements) = self else { return [] }
    var inner = Shape()
    for (index, element) in elements.enumerated() {
      let shape = try element.shape()
      guard index == 0 || shape == inner else {
        throw ShapeError("Tensor", "nested arrays differ in length: \(inner) and \(shape)")
      }
      inner = shape
    }
    return Shape([elements.count] + inner)
  }

  /// Calls `body` with the leaves in row-major order.
  fileprivate func forEach(_ body: (TensorLiteral) -> Void) {
    guard case .list(let elements) = self else { return body(self) }
    for element in elements { element.forEach(body) }
  }
}

extension Tensor: ExpressibleByArrayLiteral {
  /// A tensor on the current device: `bool` if all leaves are truth values, `int64` if all are written as integers,
  /// else `float32`. Each level of nested lists is an axis: `[[1, 2, 3], [4, 5, 6]]` has the shape `[2, 3]`.
  public init(arrayLiteral elements: TensorLiteral...) { self.init(TensorLiteral.list(elements)) }

  /// A tensor from a literal of any depth: `Tensor([[1, 2], [3, 4]])` has the shape `[2, 2]`, `Tensor(0.5)` the shape
  /// `[]`. The element type is `bool` if all leaves are truth values, `int64` if all are written as integers, else
  /// `float32`.
  /// - Precondition: lists of the same depth have the same length.
  public init(_ literal: TensorLiteral, device: ComputeDevice = .current) {
    do throws(ShapeError) {
      self.init(literal, shape: try literal.shape(), device: device)
    } catch {
      error.report()
      self.init(repeating: 0, shape: [], device: device)
    }
  }

  /// A tensor of the numbers of `literal`, in row-major order; the element type is chosen as by `init(_:device:)`.
  /// - Precondition: `literal` has `shape.elementCount` numbers.
  public init(_ literal: TensorLiteral, shape: Shape, device: ComputeDevice = .current) {
    // Integers are kept as `Int`, because a `Double` cannot represent all of them.
    var (integers, truths, floats): ([Int], [Bool], [Float]) = ([], [], [])
    literal.forEach { leaf in
      switch leaf {
      case .float(let value): floats.append(Float(value))
      case .integer(let value):
        integers.append(value)
        floats.append(Float(value))
      case .bool(let value):
        truths.append(value)
        floats.append(value ? 1 : 0)
      case .list: break
      }
    }
    if !floats.isEmpty, truths.count == floats.count {
      self.init(truths, shape: shape, device: device)
    } else if !floats.isEmpty, integers.count == floats.count {
      self.init(integers, shape: shape, device: device)
    } else {
      self.init(floats, shape: shape, device: device)
    }
  }
}
