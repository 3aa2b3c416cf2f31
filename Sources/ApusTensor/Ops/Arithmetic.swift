import ApusDevice

// MARK: - Sums, products and quotients

extension Op {
  static let add = binary(.add, method: "+", gradient: .rule { c in [c.gradient, c.gradient] })
  static let subtract = binary(
    .subtract, method: "-", gradient: .rule { c in [c.gradient, c.isNeeded(1) ? -c.gradient : nil] })

  static let multiply = binary(
    .multiply, method: "*",
    gradient: .rule { c in
      [
        c.isNeeded(0) ? c.gradient * c.input(1) : nil,
        c.isNeeded(1) ? c.gradient * c.input(0) : nil,
      ]
    })

  static let divide = binary(
    .divide, method: "/",
    gradient: .composed { c in
      [
        c.isNeeded(0) ? c.gradient / c.input(1) : nil,
        c.isNeeded(1) ? -(c.gradient * c.output / c.input(1)) : nil,
      ]
    })
}

extension Tensor {
  /// Adds element by element, in the broadcast shape and promoted type of both tensors; two `bool` tensors count as
  /// `int32`.
  public static func + (left: Tensor, right: Tensor) -> Tensor { arithmetic(.add, left, right) }
  /// Subtracts element by element, in the broadcast shape and promoted type of both tensors; two `bool` tensors count
  /// as `int32`.
  public static func - (left: Tensor, right: Tensor) -> Tensor { arithmetic(.subtract, left, right) }
  /// Multiplies element by element, in the broadcast shape and promoted type of both tensors; two `bool` tensors count
  /// as `int32`.
  public static func * (left: Tensor, right: Tensor) -> Tensor { arithmetic(.multiply, left, right) }
  /// Divides element by element, in the broadcast shape of both tensors; integers and `bool` are divided as `float32`
  /// numbers.
  public static func / (left: Tensor, right: Tensor) -> Tensor { floatingBinary(.divide, left, right) }
  /// Replaces the left side, whose shape and type may change, with the sum.
  public static func += (left: inout Tensor, right: Tensor) { left = left + right }
  /// Replaces the left side, whose shape and type may change, with the difference.
  public static func -= (left: inout Tensor, right: Tensor) { left = left - right }
  /// Replaces the left side, whose shape and type may change, with the product.
  public static func *= (left: inout Tensor, right: Tensor) { left = left * right }
  /// Replaces the left side, whose shape and type may change, with the quotient.
  public static func /= (left: inout Tensor, right: Tensor) { left = left / right }
}

// MARK: - Powers and angles

extension Op {
  static let power = binary(
    .power,
    gradient: .composed { c in
      let (x, p) = (c.input(0), c.input(1))
      return [
        // p · x^(p−1). Where p is 0, the gradient is 0, even at x = 0.
        c.isNeeded(0)
          ? (p .== 0).select(Tensor.number(0, dtype: x.dtype, device: x.device), c.gradient * p * x.power(p - 1))
          : nil,
        // y · log x. Where x is not positive, the gradient is 0.
        c.isNeeded(1)
          ? (x .> 0).select(
            c.gradient * c.output * x.log(), Tensor.number(0, dtype: x.dtype, device: x.device))
          : nil,
      ]
    })
}

extension Tensor {
  /// `xᵖ` for each element `x` and its exponent `p`, in the broadcast shape and promoted type of both. A negative base
  /// with a fractional exponent gives NaN; negative powers of integers are 0, except for the bases 1 and −1. For the
  /// exponent 2, `squared()` needs only one multiplication.
  public func power(_ exponent: Tensor) -> Tensor {
    Tensor.arithmetic(.power, widened, exponent.widened)
  }
  /// `xᵖ` for each element `x` and the exponent `p`, in the same shape.
  public func power<Number: TensorElement>(_ exponent: Number) -> Tensor { power(literal(exponent)) }
  /// `xᵖ` for each element `x` and the exponent `p`, in the same shape.
  public func power(_ exponent: Double) -> Tensor { power(literal(exponent)) }
}

extension Op {
  static let atan2 = binary(
    .atan2,
    gradient: .composed { c in
      let (y, x) = (c.input(0), c.input(1))
      let square = x * x + y * y
      // At the origin the square is replaced by 1: both gradients are then 0.
      let scale = c.gradient / (square .== 0).select(square.constant(1), square)
      return [scale * x, -(scale * y)]
    })
}

extension Tensor {
  /// The angle of the point `(x, self)` in radians, in `−π … π`, element by element in the broadcast shape of both;
  /// integers and `bool` count as `float32`. The gradients at the origin are 0.
  public func atan2(_ x: Tensor) -> Tensor { Tensor.floatingBinary(.atan2, self, x) }
  /// The angle of the point `(x, self)` in radians, in `−π … π`, for each element, in the same shape.
  public func atan2<Number: TensorElement>(_ x: Number) -> Tensor { atan2(literal(x)) }
}

// MARK: - Remainders

extension Op {
  static let remainder = binary(
    .remainder,
    gradient: .composed { c in
      [c.gradient, c.isNeeded(1) ? -(c.gradient * c.input(0).floorDivided(by: c.input(1))) : nil]
    })
}

extension Tensor {
  /// The remainder of floored division, with the sign of the divisor (NumPy's `%`), in the broadcast shape and promoted
  /// type of both; for an integer divisor of 0 it is 0.
  public func remainder(_ divisor: Tensor) -> Tensor { Tensor.arithmetic(.remainder, self, divisor) }
  /// The remainder of floored division of each element, with the sign of the divisor, in the same shape.
  public func remainder<Number: TensorElement>(_ divisor: Number) -> Tensor { remainder(literal(divisor)) }
}

extension Op {
  static let fmod = binary(
    .fmod,
    gradient: .composed { c in
      [c.gradient, c.isNeeded(1) ? -(c.gradient * (c.input(0) / c.input(1)).truncated()) : nil]
    })
}

extension Tensor {
  /// The remainder of truncated division, with the sign of the dividend (C's `fmod`), in the broadcast shape and
  /// promoted type of both; for an integer divisor of 0 it is 0.
  public func fmod(_ divisor: Tensor) -> Tensor { Tensor.arithmetic(.fmod, self, divisor) }
  /// The remainder of truncated division of each element, with the sign of the dividend, in the same shape.
  public func fmod<Number: TensorElement>(_ divisor: Number) -> Tensor { fmod(literal(divisor)) }
}

extension Op {
  static let floorDivide = binary(
    .floorDivide, method: "floorDivided", gradient: .rule { _ in [nil, nil] })
}

extension Tensor {
  /// The quotient rounded down, in the broadcast shape and promoted type of both; for an integer divisor of 0 it is 0.
  /// The gradient is 0.
  public func floorDivided(by divisor: Tensor) -> Tensor {
    Tensor.arithmetic(.floorDivide, self, divisor)
  }
  /// Each element divided by the number, rounded down, in the same shape. The gradient is 0.
  public func floorDivided<Number: TensorElement>(by divisor: Number) -> Tensor { floorDivided(by: literal(divisor)) }
}

// MARK: - Minimum and maximum

extension Op {
  static let minimum = binary(.minimum, gradient: extremumRule { x, y in x .< y })
  static let maximum = binary(.maximum, gradient: extremumRule { x, y in x .> y })

  /// The gradient goes to the selected operand. If both operands are equal, each gets half of the gradient.
  private static func extremumRule(
    _ isFirst: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> GradientRule {
    .rule { c in
      let (x, y, g) = (c.input(0), c.input(1), c.gradient)
      let zero = Tensor.number(0, dtype: g.dtype, device: g.device)
      let tie = (x .== y).select(g * 0.5, zero)
      return [
        c.isNeeded(0) ? isFirst(x, y).select(g, tie) : nil,
        c.isNeeded(1) ? isFirst(y, x).select(g, tie) : nil,
      ]
    }
  }
}

extension Tensor {
  /// The smaller of the two elements, in the broadcast shape and promoted type; NaN where one is NaN. Where both are
  /// equal, each gets half of the gradient.
  public func minimum(_ other: Tensor) -> Tensor { Tensor.binary(.minimum, self, other) }
  /// The smaller of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func minimum<Number: TensorElement>(_ other: Number) -> Tensor { minimum(literal(other)) }
  /// The smaller of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func minimum(_ other: Double) -> Tensor { minimum(literal(other)) }
  /// The larger of the two elements, in the broadcast shape and promoted type; NaN where one is NaN. Where both are
  /// equal, each gets half of the gradient.
  public func maximum(_ other: Tensor) -> Tensor { Tensor.binary(.maximum, self, other) }
  /// The larger of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func maximum<Number: TensorElement>(_ other: Number) -> Tensor { maximum(literal(other)) }
  /// The larger of each element and the number, in the same shape. At a tie the element gets half of the gradient.
  public func maximum(_ other: Double) -> Tensor { maximum(literal(other)) }
}

// MARK: - Clamping

extension Op {
  /// Inputs: the values, then the bounds that are present. Attributes (0 or 1 each): whether there is a lower bound,
  /// whether there is an upper bound, and whether the gradient passes where a value equals a bound.
  static let clamp: Op = Op(
    name: "clamp", method: "clamped",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, try DType.common("clamped", inputs)) },
    gradient: .rule { c in
      let (x, zero) = (c.input(0), Tensor.number(0, dtype: c.gradient.dtype, device: c.gradient.device))
      var (inside, next): (Tensor?, Int) = (nil, 1)
      let passes = c.attributes.integers[2] == 1
      for isUpper in [false, true] where c.attributes.integers[isUpper ? 1 : 0] == 1 {
        let (low, high) = isUpper ? (x, c.input(next)) : (c.input(next), x)
        let isWithin = passes ? (low .<= high) : low .< high
        inside = inside.map { $0.logicalAnd(isWithin) } ?? isWithin
        next += 1
      }
      return [inside.map { $0.select(c.gradient, zero) } ?? c.gradient] + Array(repeating: nil, count: next - 1)
    },
    lower: .elementwise { builder, node, registers in
      var (result, next) = (registers[0], 1)
      for (index, row) in [ElementwiseRow.maximum, .minimum].enumerated() where node.attributes.integers[index] == 1 {
        result = builder.narrow(
          builder.emit(row, lane: node.dtype.lane, [result, registers[next]]), to: node.dtype)
        next += 1
      }
      return result
    })
}

extension Tensor {
  /// Each element clamped to `lower … upper`, in the same shape; NaN stays NaN. The gradient is 1 inside and at the
  /// bounds, and 0 outside.
  ///
  /// Integer tensors keep their type if the bounds are whole numbers, even if the type cannot hold the bounds; a
  /// fractional bound gives `float32`.
  public func clamped(lower: Double? = nil, upper: Double? = nil) -> Tensor {
    clamped(lower, upper, passesAtBounds: true)
  }

  /// - Parameter passesAtBounds: whether the gradient passes where a value equals a bound.
  func clamped(_ lower: Double?, _ upper: Double?, passesAtBounds: Bool) -> Tensor {
    let limits = [lower, upper]
    if lower == nil && upper == nil { return self }
    // Promotes the type as if each bound were a literal operand.
    let dtype = limits.reduce(dtype) { dtype, limit in
      limit.map { DType.promoted(dtype, literal(Scalar(bound: $0)).dtype) } ?? dtype
    }
    let bounds = limits.compactMap { limit in
      limit.map { Tensor.number(Scalar(saturating: $0, as: dtype), dtype: dtype, device: device).node }
    }
    let present = limits.map { $0 == nil ? 0 : 1 }
    return Tensor(
      .clamp, OpInputs(list: [cast(to: dtype).node] + bounds), .integers(present + [passesAtBounds ? 1 : 0]))
  }
}
