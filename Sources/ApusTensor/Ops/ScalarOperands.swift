import ApusDevice

// Operations on a tensor and a number. Like Python numbers in PyTorch, numbers take the tensor's element type, with two
// exceptions. An integer or `bool` tensor and a floating-point number give `float32`. A `bool` tensor and an integer
// give `int64`.

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
  /// Adds the number to the left side, whose element type may change.
  public static func += <Number: TensorElement>(left: inout Tensor, right: Number) { left = left + right }
  /// Subtracts the number from the left side, whose element type may change.
  public static func -= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left - right }
  /// Multiplies the left side, whose element type may change, by the number.
  public static func *= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left * right }
  /// Divides the left side, whose element type may change, by the number.
  public static func /= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left / right }

  /// `xᵖ` for each element `x` and the exponent `p`, in the same shape.
  public func power<Number: TensorElement>(_ exponent: Number) -> Tensor { power(literal(exponent)) }
  /// The smaller of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func minimum<Number: TensorElement>(_ other: Number) -> Tensor { minimum(literal(other)) }
  /// The larger of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func maximum<Number: TensorElement>(_ other: Number) -> Tensor { maximum(literal(other)) }
  /// The angle of the point `(x, self)` in radians, in `−π … π`, for each element, in the same shape.
  public func atan2<Number: TensorElement>(_ x: Number) -> Tensor { atan2(literal(x)) }
  /// The remainder of floored division of each element, with the sign of the divisor, in the same shape.
  public func remainder<Number: TensorElement>(_ divisor: Number) -> Tensor { remainder(literal(divisor)) }
  /// The remainder of truncated division of each element, with the sign of the dividend, in the same shape.
  public func fmod<Number: TensorElement>(_ divisor: Number) -> Tensor { fmod(literal(divisor)) }
  /// Each element divided by the number, rounded down, in the same shape. The gradient is 0.
  public func floorDivided<Number: TensorElement>(by divisor: Number) -> Tensor { floorDivided(by: literal(divisor)) }
  /// `√(x² + y²)` of each element and the number, without overflow, in the same shape.
  public func hypot<Number: TensorElement>(_ other: Number) -> Tensor { hypot(literal(other)) }
  /// The magnitude of each element with the sign of the number, in the same shape.
  public func copySign<Number: TensorElement>(_ other: Number) -> Tensor { copySign(literal(other)) }
  /// `self + weight · (other − self)`, in the broadcast shape of both tensors.
  public func lerp<Number: TensorElement>(to other: Tensor, _ weight: Number) -> Tensor {
    lerp(to: other, literal(weight))
  }

  /// The bits that are set in an element and in the number, in the same shape.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func bitAnd<Number: TensorElement>(_ other: Number) -> Tensor { bitAnd(literal(other)) }
  /// The bits that are set in an element or in the number, in the same shape.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func bitOr<Number: TensorElement>(_ other: Number) -> Tensor { bitOr(literal(other)) }
  /// The bits that are set in exactly one of an element and the number, in the same shape.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func bitXor<Number: TensorElement>(_ other: Number) -> Tensor { bitXor(literal(other)) }
  /// The bits of each element shifted left, in the same shape; 0 for counts of the type's width or more, and for
  /// negative counts.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func shiftedLeft<Number: TensorElement>(by bits: Number) -> Tensor { shiftedLeft(by: literal(bits)) }
  /// The bits of each element shifted right and filled with zeros, in the same shape. Large counts and negative
  /// elements are treated as in `shiftedRight(by:)` for a tensor.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func shiftedRight<Number: TensorElement>(by bits: Number) -> Tensor { shiftedRight(by: literal(bits)) }

  /// `then` where this tensor, the condition, is true, and the number elsewhere, in the broadcast shape of both
  /// tensors.
  public func select<Number: TensorElement>(_ then: Tensor, _ other: Number) -> Tensor {
    select(then, then.literal(other))
  }
  /// The number where this tensor, the condition, is true, and `other` elsewhere, in the broadcast shape of both
  /// tensors.
  public func select<Number: TensorElement>(_ then: Number, _ other: Tensor) -> Tensor {
    select(other.literal(then), other)
  }
}

// The arithmetic and comparison operators, `power`, `minimum`, `maximum` and `select` have overloads for `Double`.
// Without them, the compiler cannot infer the type of the number in `x * .nan`, `x .< .infinity` and `x / .pi`.

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
  /// `xᵖ` for each element `x` and the exponent `p`, in the same shape.
  public func power(_ exponent: Double) -> Tensor { power(literal(exponent)) }
  /// The smaller of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func minimum(_ other: Double) -> Tensor { minimum(literal(other)) }
  /// The larger of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func maximum(_ other: Double) -> Tensor { maximum(literal(other)) }
  /// `then` where this tensor, the condition, is true, and the number elsewhere, in the broadcast shape of both
  /// tensors.
  public func select(_ then: Tensor, _ other: Double) -> Tensor { select(then, then.literal(other)) }
  /// The number where this tensor, the condition, is true, and `other` elsewhere, in the broadcast shape of both
  /// tensors.
  public func select(_ then: Double, _ other: Tensor) -> Tensor { select(other.literal(then), other) }
}
