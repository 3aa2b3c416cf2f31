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
    var values: [Double] = []
    var (isBool, isInteger) = (true, true)
    literal.forEach { leaf in
      switch leaf {
      case .float(let value):
        values.append(value)
        (isBool, isInteger) = (false, false)
      case .integer(let value):
        values.append(Double(value))
        isBool = false
      case .bool(let value):
        values.append(value ? 1 : 0)
        isInteger = false
      case .list: break
      }
    }
    do throws(ShapeError) {
      let shape = try literal.shape()
      if values.isEmpty || !isBool && !isInteger {
        self.init(values.map(Float.init), shape: shape)
      } else if isBool {
        self.init(values.map { $0 != 0 }, shape: shape)
      } else {
        self.init(values.map { Int64($0) }, shape: shape)
      }
    } catch {
      error.report()
      self.init(repeating: 0, shape: [elements.count])
    }
  }
}
