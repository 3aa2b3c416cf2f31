import ApusDevice

// Comparisons, element by element after broadcasting. Swift's `==` and `<` compare whole values and return a `Bool`;
// the operators with a dot have the names that Swift's SIMD vectors use.

extension Tensor {
  /// Where the elements are equal, `bool` in the broadcast shape of both; NaN is equal to nothing.
  public static func .== (left: Tensor, right: Tensor) -> Tensor { binary(.equal, left, right) }
  /// Where the elements differ, `bool` in the broadcast shape of both; NaN differs from everything.
  public static func .!= (left: Tensor, right: Tensor) -> Tensor { binary(.notEqual, left, right) }
  /// Where the left element is below the right one, `bool` in the broadcast shape of both; never for NaN.
  public static func .< (left: Tensor, right: Tensor) -> Tensor { binary(.less, left, right) }
  /// Where the left element is not above the right one, `bool` in the broadcast shape of both; never for NaN.
  public static func .<= (left: Tensor, right: Tensor) -> Tensor { binary(.lessOrEqual, left, right) }
  /// Where the left element is above the right one, `bool` in the broadcast shape of both; never for NaN.
  public static func .> (left: Tensor, right: Tensor) -> Tensor { binary(.greater, left, right) }
  /// Where the left element is not below the right one, `bool` in the broadcast shape of both; never for NaN.
  public static func .>= (left: Tensor, right: Tensor) -> Tensor { binary(.greaterOrEqual, left, right) }
  /// Where an element equals the number, `bool` in the tensor's shape.
  public static func .== <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.equal, with: right)
  }
  /// Where the number equals an element, `bool` in the tensor's shape.
  public static func .== <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.equal, with: left)
  }
  /// Where an element differs from the number, `bool` in the tensor's shape.
  public static func .!= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.notEqual, with: right)
  }
  /// Where the number differs from an element, `bool` in the tensor's shape.
  public static func .!= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.notEqual, with: left)
  }
  /// Where an element is below the number, `bool` in the tensor's shape.
  public static func .< <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.less, with: right)
  }
  /// Where the number is below an element, `bool` in the tensor's shape.
  public static func .< <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.greater, with: left)
  }
  /// Where an element is not above the number, `bool` in the tensor's shape.
  public static func .<= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.lessOrEqual, with: right)
  }
  /// Where the number is not above an element, `bool` in the tensor's shape.
  public static func .<= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.greaterOrEqual, with: left)
  }
  /// Where an element is above the number, `bool` in the tensor's shape.
  public static func .> <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.greater, with: right)
  }
  /// Where the number is above an element, `bool` in the tensor's shape.
  public static func .> <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.less, with: left)
  }
  /// Where an element is not below the number, `bool` in the tensor's shape.
  public static func .>= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.greaterOrEqual, with: right)
  }
  /// Where the number is not below an element, `bool` in the tensor's shape.
  public static func .>= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.lessOrEqual, with: left)
  }
}
