import ApusDevice

// Comparisons, element by element after broadcasting. Swift's `==` and `<` compare whole values and return a `Bool`;
// the operators with a dot have the names that Swift's SIMD vectors use.

extension Tensor {
  /// Whether the elements are equal: `bool`, in the broadcast shape of both; NaN is equal to nothing.
  public static func .== (left: Tensor, right: Tensor) -> Tensor { binary(.equal, left, right) }
  /// Whether the elements differ: `bool`, in the broadcast shape of both; NaN differs from everything.
  public static func .!= (left: Tensor, right: Tensor) -> Tensor { binary(.notEqual, left, right) }
  /// Whether the left element is below the right one: `bool`, in the broadcast shape of both; false for NaN.
  public static func .< (left: Tensor, right: Tensor) -> Tensor { binary(.less, left, right) }
  /// Whether the left element is not above the right one: `bool`, in the broadcast shape of both; false for NaN.
  public static func .<= (left: Tensor, right: Tensor) -> Tensor { binary(.lessOrEqual, left, right) }
  /// Whether the left element is above the right one: `bool`, in the broadcast shape of both; false for NaN.
  public static func .> (left: Tensor, right: Tensor) -> Tensor { binary(.greater, left, right) }
  /// Whether the left element is not below the right one: `bool`, in the broadcast shape of both; false for NaN.
  public static func .>= (left: Tensor, right: Tensor) -> Tensor { binary(.greaterOrEqual, left, right) }
  /// Whether each element equals the number: `bool`, in the tensor's shape.
  public static func .== <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.equal, with: right)
  }
  /// Whether the number equals each element: `bool`, in the tensor's shape.
  public static func .== <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.equal, with: left)
  }
  /// Whether each element differs from the number: `bool`, in the tensor's shape.
  public static func .!= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.notEqual, with: right)
  }
  /// Whether the number differs from each element: `bool`, in the tensor's shape.
  public static func .!= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.notEqual, with: left)
  }
  /// Whether each element is below the number: `bool`, in the tensor's shape.
  public static func .< <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.less, with: right)
  }
  /// Whether the number is below each element: `bool`, in the tensor's shape.
  public static func .< <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.greater, with: left)
  }
  /// Whether each element is not above the number: `bool`, in the tensor's shape.
  public static func .<= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.lessOrEqual, with: right)
  }
  /// Whether the number is not above each element: `bool`, in the tensor's shape.
  public static func .<= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.greaterOrEqual, with: left)
  }
  /// Whether each element is above the number: `bool`, in the tensor's shape.
  public static func .> <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.greater, with: right)
  }
  /// Whether the number is above each element: `bool`, in the tensor's shape.
  public static func .> <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.less, with: left)
  }
  /// Whether each element is not below the number: `bool`, in the tensor's shape.
  public static func .>= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.greaterOrEqual, with: right)
  }
  /// Whether the number is not below each element: `bool`, in the tensor's shape.
  public static func .>= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.lessOrEqual, with: left)
  }
}
