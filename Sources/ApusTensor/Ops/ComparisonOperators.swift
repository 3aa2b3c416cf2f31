import ApusDevice

// Comparisons, element by element after broadcasting. Swift's `==` and `<` compare whole values and return a `Bool`;
// the operators with a dot have the names that Swift's SIMD vectors use.

extension Tensor {
  /// Where the values are equal. The results of comparisons are `bool`; NaN is equal to nothing.
  public static func .== (left: Tensor, right: Tensor) -> Tensor { binary(.equal, left, right) }
  /// Where the values differ; NaN differs from everything.
  public static func .!= (left: Tensor, right: Tensor) -> Tensor { binary(.notEqual, left, right) }
  /// Where the left value is below the right one; never for NaN.
  public static func .< (left: Tensor, right: Tensor) -> Tensor { binary(.less, left, right) }
  /// Where the left value is not above the right one; never for NaN.
  public static func .<= (left: Tensor, right: Tensor) -> Tensor { binary(.lessOrEqual, left, right) }
  /// Where the left value is above the right one; never for NaN.
  public static func .> (left: Tensor, right: Tensor) -> Tensor { binary(.greater, left, right) }
  /// Where the left value is not below the right one; never for NaN.
  public static func .>= (left: Tensor, right: Tensor) -> Tensor { binary(.greaterOrEqual, left, right) }
  /// Where the value equals the number.
  public static func .== <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.equal, with: right)
  }
  /// Where the number equals the value.
  public static func .== <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.equal, with: left)
  }
  /// Where the value differs from the number.
  public static func .!= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.notEqual, with: right)
  }
  /// Where the number differs from the value.
  public static func .!= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.notEqual, with: left)
  }
  /// Where the value is below the number.
  public static func .< <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.less, with: right)
  }
  /// Where the number is below the value.
  public static func .< <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.greater, with: left)
  }
  /// Where the value is not above the number.
  public static func .<= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.lessOrEqual, with: right)
  }
  /// Where the number is not above the value.
  public static func .<= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.greaterOrEqual, with: left)
  }
  /// Where the value is above the number.
  public static func .> <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.greater, with: right)
  }
  /// Where the number is above the value.
  public static func .> <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.less, with: left)
  }
  /// Where the value is not below the number.
  public static func .>= <Number: TensorElement>(left: Tensor, right: Number) -> Tensor {
    left.compared(.greaterOrEqual, with: right)
  }
  /// Where the number is not below the value.
  public static func .>= <Number: TensorElement>(left: Number, right: Tensor) -> Tensor {
    right.compared(.lessOrEqual, with: left)
  }
}
