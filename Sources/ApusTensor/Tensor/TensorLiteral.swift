import ApusDevice

/// A number, a truth value or a list of such, as written in the source: `[[1, 2], [3, 4.5]]`.
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
  /// The extents, where lists of one depth have one length.
  fileprivate func shape() throws(ShapeError) -> Shape {
    guard case .list(let elements) = self else { return [] }
    var inner = Shape()
    for (place, element) in elements.enumerated() {
      let shape = try element.shape()
      guard place == 0 || shape == inner else {
        throw ShapeError("tensor", "the lists of a literal differ in length: \(inner) and \(shape)")
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
  /// A tensor on the current device: `bool` where all leaves are truth values, `int64` where all are written
  /// as integers, else `float32`.
  public init(arrayLiteral elements: TensorLiteral...) {
    let literal = TensorLiteral.list(elements)
    // Integers are kept as such: a Double does not hold all of them.
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
    do throws(ShapeError) {
      let shape = try literal.shape()
      if !floats.isEmpty, truths.count == floats.count {
        self.init(truths, shape: shape)
      } else if !floats.isEmpty, integers.count == floats.count {
        self.init(integers, shape: shape)
      } else {
        self.init(floats, shape: shape)
      }
    } catch {
      error.report()
      self.init(repeating: 0, shape: [elements.count])
    }
  }
}
