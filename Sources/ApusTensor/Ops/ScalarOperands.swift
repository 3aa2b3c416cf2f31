import ApusDevice

// Operators for a tensor and a number; methods with a number are next to the methods with a tensor. Like Python numbers
// in PyTorch, numbers take the tensor's element type, with two exceptions. An integer or `bool` tensor and a
// floating-point number give `float32`. A `bool` tensor and an integer give `int64`.

extension Tensor {
  /// Every element plus the number, in the tensor's shape.
  public static func + <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left + left.literal(right) }
  /// The number plus every element, in the tensor's shape.
  public static func + <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) + right }
  /// Every element minus the number, in the tensor's shape.
  public static func - <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left - left.literal(right) }
  /// The number minus every element, in the tensor's shape.
  public static func - <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) - right }
  /// Every element times the number, in the tensor's shape.
  public static func * <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left * left.literal(right) }
  /// The number times every element, in the tensor's shape.
  public static func * <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) * right }
  /// Every element divided by the number, in the tensor's shape; integers are divided as `float32` numbers.
  public static func / <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left / left.literal(right) }
  /// The number divided by every element, in the tensor's shape; integers are divided as `float32` numbers.
  public static func / <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) / right }
  /// Adds the number to every element. The shape stays the same, but the element type may change.
  public static func += <Number: TensorElement>(left: inout Tensor, right: Number) { left = left + right }
  /// Subtracts the number from every element. The shape stays the same, but the element type may change.
  public static func -= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left - right }
  /// Multiplies every element by the number. The shape stays the same, but the element type may change.
  public static func *= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left * right }
  /// Divides every element by the number. The shape stays the same, but the element type may change.
  public static func /= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left / right }
}

// Without overloads for `Double`, the compiler cannot infer the type of the number in `x * .nan`, `x .< .infinity` and
// `x / .pi`.

extension Tensor {
  /// Every element plus the number, in the tensor's shape.
  public static func + (left: Tensor, right: Double) -> Tensor { left + left.literal(right) }
  /// The number plus every element, in the tensor's shape.
  public static func + (left: Double, right: Tensor) -> Tensor { right.literal(left) + right }
  /// Every element minus the number, in the tensor's shape.
  public static func - (left: Tensor, right: Double) -> Tensor { left - left.literal(right) }
  /// The number minus every element, in the tensor's shape.
  public static func - (left: Double, right: Tensor) -> Tensor { right.literal(left) - right }
  /// Every element times the number, in the tensor's shape.
  public static func * (left: Tensor, right: Double) -> Tensor { left * left.literal(right) }
  /// The number times every element, in the tensor's shape.
  public static func * (left: Double, right: Tensor) -> Tensor { right.literal(left) * right }
  /// Every element divided by the number, in the tensor's shape; integers are divided as `float32` numbers.
  public static func / (left: Tensor, right: Double) -> Tensor { left / left.literal(right) }
  /// The number divided by every element, in the tensor's shape; integers are divided as `float32` numbers.
  public static func / (left: Double, right: Tensor) -> Tensor { right.literal(left) / right }
  /// Whether each element equals the number: `bool`, in the tensor's shape.
  public static func .== (left: Tensor, right: Double) -> Tensor { left.compared(.equal, with: right) }
  /// Whether each element differs from the number: `bool`, in the tensor's shape.
  public static func .!= (left: Tensor, right: Double) -> Tensor { left.compared(.notEqual, with: right) }
  /// Whether each element is below the number: `bool`, in the tensor's shape.
  public static func .< (left: Tensor, right: Double) -> Tensor { left.compared(.less, with: right) }
  /// Whether each element is not above the number: `bool`, in the tensor's shape.
  public static func .<= (left: Tensor, right: Double) -> Tensor { left.compared(.lessOrEqual, with: right) }
  /// Whether each element is above the number: `bool`, in the tensor's shape.
  public static func .> (left: Tensor, right: Double) -> Tensor { left.compared(.greater, with: right) }
  /// Whether each element is not below the number: `bool`, in the tensor's shape.
  public static func .>= (left: Tensor, right: Double) -> Tensor { left.compared(.greaterOrEqual, with: right) }
}
