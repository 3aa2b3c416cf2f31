import ApusDevice

// Operations on a tensor and a number. Like Python numbers in PyTorch, numbers take the tensor's element type, but an
// integer tensor and a floating-point number give `float32`, and a `bool` tensor and an integer give `int64`.

extension Tensor {
  /// Every element plus the number.
  public static func + <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left + left.literal(right) }
  /// The number plus every element.
  public static func + <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) + right }
  /// Every element minus the number.
  public static func - <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left - left.literal(right) }
  /// The number minus every element.
  public static func - <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) - right }
  /// Every element times the number.
  public static func * <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left * left.literal(right) }
  /// The number times every element.
  public static func * <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) * right }
  /// Every element divided by the number; integers are divided as `float32` numbers.
  public static func / <Number: TensorElement>(left: Tensor, right: Number) -> Tensor { left / left.literal(right) }
  /// The number divided by every element; integers are divided as `float32` numbers.
  public static func / <Number: TensorElement>(left: Number, right: Tensor) -> Tensor { right.literal(left) / right }
  /// Adds the number to the left side, whose element type may change.
  public static func += <Number: TensorElement>(left: inout Tensor, right: Number) { left = left + right }
  /// Subtracts the number from the left side.
  public static func -= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left - right }
  /// Multiplies the left side by the number.
  public static func *= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left * right }
  /// Divides the left side by the number.
  public static func /= <Number: TensorElement>(left: inout Tensor, right: Number) { left = left / right }

  /// `xᵖ`.
  public func power<Number: TensorElement>(_ exponent: Number) -> Tensor { power(literal(exponent)) }
  /// The smaller of the value and the number. At a tie the value gets half of the gradient.
  public func minimum<Number: TensorElement>(_ other: Number) -> Tensor { minimum(literal(other)) }
  /// The larger of the value and the number. At a tie the value gets half of the gradient.
  public func maximum<Number: TensorElement>(_ other: Number) -> Tensor { maximum(literal(other)) }
  /// The angle of the point `(x, self)`, in `−π … π`.
  public func atan2<Number: TensorElement>(_ x: Number) -> Tensor { atan2(literal(x)) }
  /// The remainder of floored division, with the sign of the divisor.
  public func remainder<Number: TensorElement>(_ divisor: Number) -> Tensor { remainder(literal(divisor)) }
  /// The remainder of truncated division, with the sign of the dividend.
  public func fmod<Number: TensorElement>(_ divisor: Number) -> Tensor { fmod(literal(divisor)) }
  /// The quotient rounded down. The gradient is 0.
  public func floorDivided<Number: TensorElement>(by divisor: Number) -> Tensor { floorDivided(by: literal(divisor)) }
  /// `√(x² + y²)`, without overflow.
  public func hypot<Number: TensorElement>(_ other: Number) -> Tensor { hypot(literal(other)) }
  /// The magnitude of the value with the sign of the number.
  public func copySign<Number: TensorElement>(_ other: Number) -> Tensor { copySign(literal(other)) }
  /// `self + weight · (other − self)`.
  public func lerp<Number: TensorElement>(to other: Tensor, _ weight: Number) -> Tensor {
    lerp(to: other, literal(weight))
  }

  /// The bits that are set in the value and in the number.
  public func bitAnd<Number: TensorElement>(_ other: Number) -> Tensor { bitAnd(literal(other)) }
  /// The bits that are set in the value or in the number.
  public func bitOr<Number: TensorElement>(_ other: Number) -> Tensor { bitOr(literal(other)) }
  /// The bits that are set in exactly one of the value and the number.
  public func bitXor<Number: TensorElement>(_ other: Number) -> Tensor { bitXor(literal(other)) }
  /// The bits shifted left; 0 for counts of the type's width or more, and for negative counts.
  public func shiftedLeft<Number: TensorElement>(by bits: Number) -> Tensor { shiftedLeft(by: literal(bits)) }
  /// The bits shifted right and filled with zeros; 0 for counts of the type's width or more, and for negative counts.
  public func shiftedRight<Number: TensorElement>(by bits: Number) -> Tensor { shiftedRight(by: literal(bits)) }

  /// For a `bool` condition: `then` where it holds, the number elsewhere.
  public func select<Number: TensorElement>(_ then: Tensor, _ other: Number) -> Tensor {
    select(then, then.literal(other))
  }
  /// For a `bool` condition: the number where it holds, `other` elsewhere.
  public func select<Number: TensorElement>(_ then: Number, _ other: Tensor) -> Tensor {
    select(other.literal(then), other)
  }
}

// The same for `Double`: without these, `x * .nan`, `x .< .infinity` and `x / .pi` do not determine a type.

extension Tensor {
  /// Every element plus the number.
  public static func + (left: Tensor, right: Double) -> Tensor { left + left.literal(right) }
  /// The number plus every element.
  public static func + (left: Double, right: Tensor) -> Tensor { right.literal(left) + right }
  /// Every element minus the number.
  public static func - (left: Tensor, right: Double) -> Tensor { left - left.literal(right) }
  /// The number minus every element.
  public static func - (left: Double, right: Tensor) -> Tensor { right.literal(left) - right }
  /// Every element times the number.
  public static func * (left: Tensor, right: Double) -> Tensor { left * left.literal(right) }
  /// The number times every element.
  public static func * (left: Double, right: Tensor) -> Tensor { right.literal(left) * right }
  /// Every element divided by the number.
  public static func / (left: Tensor, right: Double) -> Tensor { left / left.literal(right) }
  /// The number divided by every element.
  public static func / (left: Double, right: Tensor) -> Tensor { right.literal(left) / right }
  /// Where the value equals the number.
  public static func .== (left: Tensor, right: Double) -> Tensor { left.compared(.equal, with: right) }
  /// Where the value differs from the number.
  public static func .!= (left: Tensor, right: Double) -> Tensor { left.compared(.notEqual, with: right) }
  /// Where the value is below the number.
  public static func .< (left: Tensor, right: Double) -> Tensor { left.compared(.less, with: right) }
  /// Where the value is not above the number.
  public static func .<= (left: Tensor, right: Double) -> Tensor { left.compared(.lessOrEqual, with: right) }
  /// Where the value is above the number.
  public static func .> (left: Tensor, right: Double) -> Tensor { left.compared(.greater, with: right) }
  /// Where the value is not below the number.
  public static func .>= (left: Tensor, right: Double) -> Tensor { left.compared(.greaterOrEqual, with: right) }
  /// `xᵖ`.
  public func power(_ exponent: Double) -> Tensor { power(literal(exponent)) }
  /// The smaller of the value and the number. At a tie the value gets half of the gradient.
  public func minimum(_ other: Double) -> Tensor { minimum(literal(other)) }
  /// The larger of the value and the number. At a tie the value gets half of the gradient.
  public func maximum(_ other: Double) -> Tensor { maximum(literal(other)) }
  /// For a `bool` condition: `then` where it holds, the number elsewhere.
  public func select(_ then: Tensor, _ other: Double) -> Tensor { select(then, then.literal(other)) }
  /// For a `bool` condition: the number where it holds, `other` elsewhere.
  public func select(_ then: Double, _ other: Tensor) -> Tensor { select(other.literal(then), other) }
}
