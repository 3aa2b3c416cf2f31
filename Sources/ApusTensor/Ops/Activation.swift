import ApusDevice

// Each operation with its gradient rule comes before its method. Inside one operation nothing is rounded to a 16-bit
// type. In gradient rules, `x` is the input, `y` the result, and `g` the gradient of `y`.

// MARK: - Rectifiers

extension Op {
  static let relu = function(.relu, gradient: .rule { c in [c.gradient.reluGradient(c.output)] })
  static let reluGradient = binary(
    .reluGradient, gradient: .rule { c in [c.gradient.reluGradient(c.input(1)), nil] })
}

extension Tensor {
  /// `max(x, 0)` of each element, in the same shape and type; NaN stays NaN. The gradient at 0 is 0.
  public func relu() -> Tensor { Tensor(.relu, OpInputs(node)) }

  /// The gradient of the argument of `relu`: `g`, the gradient of the value `y` (this tensor), where `y > 0`, else 0.
  package func reluGradient(_ y: Tensor) -> Tensor { Tensor.binary(.reluGradient, self, y) }
}

extension Op {
  /// Inputs: `x` and the slope below 0.
  static let leakyRelu = binary(
    .leakyRelu, method: "prelu",
    gradient: .composed { c in
      let (x, slope) = (c.input(0), c.input(1))
      return [
        c.isNeeded(0) ? (x .> 0).select(c.gradient, c.gradient * slope) : nil,
        c.isNeeded(1) ? (x .> 0).select(c.gradient.constant(0), c.gradient * x) : nil,
      ]
    })
}

extension Tensor {
  /// `x` above 0, `slope · x` elsewhere, in the same shape; integers and `bool` count as `float32`. The gradient at 0
  /// is `slope`.
  public func leakyRelu(slope: Double = 0.01) -> Tensor {
    // A 16-bit slope would be rounded.
    floating.inWideLane { $0.prelu(slope: $0.constant(slope)) }
  }

  /// `x` above 0, `slope · x` elsewhere, with a learned `slope` (He et al., 2015), in the broadcast shape and promoted
  /// type of `self` and `slope`. The gradient at 0 is `slope`.
  public func prelu(slope: Tensor) -> Tensor { Tensor.arithmetic(.leakyRelu, self, slope) }

  /// Each element clamped to `0 … 6`, in the same shape; integers keep their type. The gradient at both bounds is 0.
  public func relu6() -> Tensor { hardTanh(lower: 0, upper: 6) }

  /// Each element clamped to `lower … upper`, in the same shape; integers keep their type if the bounds are whole
  /// numbers. The gradient at both bounds is 0, as in PyTorch; `clamped` has a gradient of 1 there.
  public func hardTanh(lower: Double = -1, upper: Double = 1) -> Tensor {
    clamped(lower, upper, passesAtBounds: false)
  }

  /// `relu6(x + 3) / 6` of each element, in the same shape; integers and `bool` count as `float32`. The gradient at −3
  /// and 3 is 0.
  public func hardSigmoid() -> Tensor { floating.inWideLane { ($0 + 3).relu6() * (1.0 / 6) } }

  /// `x · hardSigmoid(x)` of each element (Howard et al., 2019), in the same shape; integers and `bool` count as
  /// `float32`. The gradient is 0 at −3 and 1 at 3.
  public func hardSwish() -> Tensor { floating.inWideLane { $0 * $0.hardSigmoid() } }
}

// MARK: - Exponential units

extension Op {
  /// Attributes: α. The result tends to −α for x → −∞.
  static let elu = activation(
    "elu",
    gradient: .composed { c in
      // Below 0 the slope is α·eˣ. It is not computed as y + α: for very negative x, y is near −α, and the sum loses
      // digits.
      let (x, alpha) = (c.input(0), c.gradient.constant(c.attributes.number.double))
      // Above 0 the exponential would overflow to ∞, and second derivatives would multiply ∞ by 0.
      return [(x .> 0).select(c.gradient, c.gradient * (x.clamped(upper: 0).exp() * alpha))]
    }
  ) { code, x in
    let below = code.emit(.multiply, code.emit(.expm1, x), code.number(code.attribute))
    return code.select(code.test(.greater, x, code.number(0)), x, below)
  }
}

/// The constants of SELU. With them and suitably scaled weights, a layer maps inputs of mean 0 and variance 1 to
/// outputs of the same mean and variance (Klambauer et al., 2017).
package enum Selu {
  package static let alpha = 1.6732632423543772
  package static let scale = 1.0507009873554805
}

extension Tensor {
  /// `x` above 0, `alpha · (eˣ − 1)` elsewhere, in the same shape; integers and `bool` count as `float32`.
  public func elu(alpha: Double = 1) -> Tensor {
    Tensor(.elu, OpInputs(floating.node), .number(.float(alpha)))
  }

  /// `x` above 0, `alpha · (e^(x / alpha) − 1)` elsewhere, in the same shape: ELU whose slope has no jump at 0 (Barron,
  /// 2017). Integers and `bool` count as `float32`.
  public func celu(alpha: Double = 1) -> Tensor {
    floating.inWideLane { ($0 * (1 / alpha)).elu() * alpha }
  }

  /// Self-normalizing ELU (Klambauer et al., 2017): `s · x` above 0, `s · 1.6733 · (eˣ − 1)` elsewhere, with
  /// `s = 1.0507`, in the same shape. Integers and `bool` count as `float32`.
  public func selu() -> Tensor { floating.inWideLane { $0.elu(alpha: Selu.alpha) * Selu.scale } }
}

extension Op {
  static let softplus = activation("softplus", gradient: .unary { g, x, _ in g * x.sigmoid() }) { code, x in
    // log(1 + eˣ) = max(x, 0) + log1p(e^−|x|) does not overflow.
    let decay = code.emit(.exp, code.emit(.negate, code.emit(.absolute, x)))
    return code.emit(.add, code.emit(.maximum, x, code.number(0)), code.emit(.log1p, decay))
  }
}

extension Tensor {
  /// `log(1 + eˣ)` of each element, without overflow, in the same shape; integers and `bool` count as `float32`.
  public func softplus() -> Tensor { widened.apply(.softplus) }

  /// `log(1 / (1 + e⁻ˣ))` of each element, without underflow, in the same shape; integers and `bool` give `float32`.
  public func logSigmoid() -> Tensor { -(-floating).softplus() }

  /// `x · tanh(softplus(x))` of each element (Misra, 2019), in the same shape; integers and `bool` count as `float32`.
  public func mish() -> Tensor { floating.inWideLane { $0 * $0.softplus().tanh() } }
}

// MARK: - Gated units

extension Op {
  static let silu = activation(
    "silu",
    gradient: .unary { g, x, y in
      // (x·s)′ = s + y·(1 − s)
      let s = x.sigmoid()
      return g * (s + y * (1 - s))
    }
  ) { code, x in code.emit(.multiply, x, code.emit(.sigmoid, x)) }
}

extension Tensor {
  /// `x · sigmoid(x)` of each element, also called Swish, in the same shape; integers and `bool` count as `float32`.
  public func silu() -> Tensor { apply(.silu) }
}

/// The constants of GELU, of its tanh approximation and of their derivatives.
private enum Gelu {
  /// `1/√(2π)`, the normal density at 0.
  static let densityAtZero = 0.3989422804014327
  /// `√(2/π)`. The argument of tanh is this factor times `x + 0.044715·x³`.
  static let tanhScale = 0.7978845608028654
  /// The coefficient of `x³` in the argument of tanh, before the factor `tanhScale`.
  static let tanhCubic = 0.044715
}

extension Op {
  static let gelu = function(.gelu, gradient: .unary { g, x, _ in g * x.apply(.geluDerivative) })

  /// `Φ(x) + x·φ(x)`, where the normal distribution function `Φ` and its density `φ` are computed from one exponential.
  static let geluDerivative = activation(
    "geluDerivative",
    // φ·(2 − x²), where φ is 0 for large |x|. The clamp keeps 2 − x² finite, so that the product is 0, not NaN.
    gradient: .unary { g, x, _ in
      let square = x.squared().minimum(x.constant(1e4))
      return g * x.gaussian() * (2 - square) * Gelu.densityAtZero
    }
  ) { code, x in
    let gaussian = code.emit(.gaussian, x)
    let density = code.emit(.multiply, gaussian, code.number(Gelu.densityAtZero))
    return code.emit(.add, code.emit(.normal, x, gaussian), code.emit(.multiply, x, density))
  }

  static let geluTanh = activation(
    "geluTanh",
    gradient: .unary { g, x, _ in
      // The value is x·h, where h = σ(2u) = (1 + tanh u) / 2 and u is the argument of tanh. From x² = 256 on, h is 0 or
      // 1 to within 10⁻¹³⁷. The clamp keeps u′ finite, so that its product with h·(1 − h) does not become NaN.
      let scale = 2 * Gelu.tanhScale
      let square = x.squared().minimum(x.constant(256))
      let h = (x * (square * (scale * Gelu.tanhCubic) + scale)).sigmoid()
      let derivative = square * (scale * (3 * Gelu.tanhCubic)) + scale
      return g * (h + x * derivative.sigmoidGradient(h))
    }
  ) { code, x in
    let cubic = code.emit(
      .add, code.emit(.multiply, code.emit(.multiply, x, x), code.number(Gelu.tanhCubic)), code.number(1))
    let inner = code.emit(.multiply, code.emit(.multiply, x, cubic), code.number(Gelu.tanhScale))
    let factor = code.emit(.add, code.emit(.tanh, inner), code.number(1))
    return code.emit(.multiply, code.emit(.multiply, x, code.number(0.5)), factor)
  }
}

extension Tensor {
  /// `x · Φ(x)` of each element, where `Φ` is the cumulative distribution function of the standard normal distribution
  /// (Hendrycks and Gimpel, 2016), in the same shape; integers and `bool` count as `float32`.
  ///
  /// - Parameter isApproximate: whether to use `x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))`.
  public func gelu(isApproximate: Bool = false) -> Tensor { apply(isApproximate ? .geluTanh : .gelu) }
}

extension Tensor {
  /// `a · sigmoid(b)` of the two halves `a` and `b` along `axis`: a gated linear unit (Dauphin et al., 2017). The
  /// result has half of the extent of `axis`; integers and `bool` count as `float32`.
  ///
  /// - Precondition: the extent of `axis` is even.
  public func glu(axis: Int = -1) -> Tensor {
    guard let axis = checkedAxis(axis, "glu") else { return floating }
    guard shape[axis] % 2 == 0 else {
      ShapeError("glu", "the extent of axis \(axis) of \(shape) is not even").report()
      return floating
    }
    let halves = split(2, axis: axis)
    return Tensor.inWideLane(halves) { $0[0] * $0[1].sigmoid() }
  }

  /// `x / (1 + |x|)` of each element, in the same shape; integers and `bool` count as `float32`.
  public func softsign() -> Tensor { floating.inWideLane { $0 / ($0.abs() + 1) } }

  /// `x − tanh(x)` of each element, in the same shape; integers and `bool` count as `float32`.
  public func tanhShrink() -> Tensor { floating.inWideLane { $0 - $0.tanh() } }
}

// MARK: - Emission

extension Op {
  private static func activation(
    _ name: String, gradient: GradientRule,
    _ body: @escaping @Sendable (inout ActivationCode, Int) -> Int
  ) -> Op {
    Op(
      name: name,
      shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
      gradient: gradient,
      lower: .elementwise { builder, node, registers in
        var code = ActivationCode(builder: builder, node: node)
        let result = body(&code, registers[0])
        builder = code.builder
        return builder.narrow(result, to: node.dtype)
      })
  }
}

/// Emits instructions in the arithmetic type (lane) of one node.
private struct ActivationCode {
  var builder: ProgramBuilder
  let node: GraphNode

  private var lane: Lane { node.dtype.lane }
  var attribute: Double { node.attributes.number.double }

  mutating func emit(_ row: ElementwiseRow, _ operands: Int...) -> Int {
    builder.emit(row, lane: lane, operands)
  }

  mutating func test(_ row: ElementwiseRow, _ operands: Int...) -> Int {
    builder.emit(row, lane: lane, result: .int32, operands)
  }

  mutating func select(_ condition: Int, _ then: Int, _ other: Int) -> Int {
    builder.emit(.select, lane: lane, [condition, then, other])
  }

  mutating func number(_ value: Double) -> Int {
    builder.emit(
      .constant, lane: lane, [],
      immediate: lane == .float32 || lane == .float64 ? .float(value) : .integer(Int64(value)))
  }
}
