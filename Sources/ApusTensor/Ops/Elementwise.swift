import ApusDevice

// Each section has the operations with their gradient rules first, then the methods of `Tensor`. The formulas are in
// `Kernels/elementwise.def`. In gradient rules, `x` is the input, `y` the result, and `g` the gradient of `y`.

// MARK: - Powers, exponentials and logarithms

extension Op {
  static let exp = function(.exp, gradient: .unary { g, _, y in g * y })
  static let exp2 = function(.exp2, gradient: .unary { g, _, y in g * y * 0.6931471805599453 })
  static let expm1 = function(.expm1, gradient: .unary { g, _, y in g * (y + 1) })
  static let log = function(.log, gradient: .unary { g, x, _ in g / x })
  static let log2 = function(.log2, gradient: .unary { g, x, _ in g / (x * 0.6931471805599453) })
  static let log10 = function(.log10, gradient: .unary { g, x, _ in g / (x * 2.302585092994046) })
  static let log1p = function(.log1p, gradient: .unary { g, x, _ in g / (x + 1) })
  static let sqrt = function(.sqrt, gradient: .unary { g, _, y in g / (y * 2) })
  static let rsqrt = function(.rsqrt, gradient: .unary { g, _, y in g * y * y * y * -0.5 })
  static let reciprocal = function(.reciprocal, gradient: .unary { g, _, y in -(g * y * y) })
}

extension Tensor {
  /// `eˣ` of each element, in the same shape; integers and `bool` count as `float32`.
  public func exp() -> Tensor { widened.apply(.exp) }
  /// `2ˣ` of each element, in the same shape; integers and `bool` count as `float32`.
  public func exp2() -> Tensor { widened.apply(.exp2) }
  /// `eˣ − 1` of each element, accurate near 0, in the same shape; integers and `bool` count as `float32`.
  public func expm1() -> Tensor { widened.apply(.expm1) }
  /// The natural logarithm of each element, in the same shape; NaN below 0, −∞ at 0. Integers and `bool` count as
  /// `float32`.
  public func log() -> Tensor { widened.apply(.log) }
  /// The logarithm to base 2 of each element, in the same shape; integers and `bool` count as `float32`.
  public func log2() -> Tensor { widened.apply(.log2) }
  /// The logarithm to base 10 of each element, in the same shape; integers and `bool` count as `float32`.
  public func log10() -> Tensor { widened.apply(.log10) }
  /// `log(1 + x)` of each element, accurate near 0, in the same shape; integers and `bool` count as `float32`.
  public func log1p() -> Tensor { widened.apply(.log1p) }
  /// The square root of each element, in the same shape; NaN below 0. Integers and `bool` count as `float32`.
  public func sqrt() -> Tensor { apply(.sqrt) }
  /// `1 / √x` of each element, in the same shape; integers and `bool` count as `float32`.
  public func rsqrt() -> Tensor { widened.apply(.rsqrt) }
  /// `1 / x` of each element, in the same shape; integers and `bool` count as `float32`.
  public func reciprocal() -> Tensor { widened.apply(.reciprocal) }
  /// `x · x` of each element, rounded once, in the same shape; `bool` counts as `int32`. `power(2)` calls the general
  /// power function in place of one multiplication, and the last bit of its result may differ.
  public func squared() -> Tensor { self * self }
}

// MARK: - Trigonometric functions

extension Op {
  static let sin = function(.sin, gradient: .unary { g, x, _ in g * x.cos() })
  static let cos = function(.cos, gradient: .unary { g, x, _ in -(g * x.sin()) })
  static let tan = function(.tan, gradient: .unary { g, _, y in g * (y * y + 1) })
  static let asin = function(.asin, gradient: .unary { g, x, _ in g * x.asinSlope })
  static let acos = function(.acos, gradient: .unary { g, x, _ in -(g * x.asinSlope) })
  static let atan = function(.atan, gradient: .unary { g, x, _ in g / (x * x + 1) })
}

extension Tensor {
  /// The sine of each element, an angle in radians, in the same shape; integers and `bool` count as `float32`.
  public func sin() -> Tensor { apply(.sin) }
  /// The cosine of each element, an angle in radians, in the same shape; integers and `bool` count as `float32`.
  public func cos() -> Tensor { apply(.cos) }
  /// The tangent of each element, an angle in radians, in the same shape; integers and `bool` count as `float32`.
  public func tan() -> Tensor { widened.apply(.tan) }
  /// The inverse sine of each element, in `−π/2 … π/2`, in the same shape; NaN outside of `−1 … 1`. Integers and `bool`
  /// count as `float32`.
  public func asin() -> Tensor { widened.apply(.asin) }
  /// The inverse cosine of each element, in `0 … π`, in the same shape; NaN outside of `−1 … 1`. Integers and `bool`
  /// count as `float32`.
  public func acos() -> Tensor { widened.apply(.acos) }
  /// The inverse tangent of each element, in `−π/2 … π/2`, in the same shape; integers and `bool` count as `float32`.
  public func atan() -> Tensor { apply(.atan) }
}

// MARK: - Hyperbolic functions

extension Op {
  static let sinh = function(.sinh, gradient: .unary { g, x, _ in g * x.cosh() })
  static let cosh = function(.cosh, gradient: .unary { g, x, _ in g * x.sinh() })
  static let tanh = function(.tanh, gradient: .unary { g, _, y in g.tanhGradient(y) })
  static let asinh = function(.asinh, gradient: .unary { g, x, _ in g * (x * x + 1).rsqrt() })
  static let acosh = function(.acosh, gradient: .unary { g, x, _ in g * (x * x - 1).rsqrt() })
  static let atanh = function(.atanh, gradient: .unary { g, x, _ in g / x.oneMinusSquare })
  static let sigmoid = function(.sigmoid, gradient: .unary { g, _, y in g.sigmoidGradient(y) })

  // The operands are the gradient `g` of a result, and this result `y`; `u` is the gradient of the operation's result.
  static let tanhGradient = binary(
    .tanhGradient,
    gradient: .composed { c in
      let (u, g, y) = (c.gradient, c.input(0), c.input(1))
      return [u.tanhGradient(y), u * g * y * -2]
    })
  static let sigmoidGradient = binary(
    .sigmoidGradient,
    gradient: .composed { c in
      let (u, g, y) = (c.gradient, c.input(0), c.input(1))
      return [u.sigmoidGradient(y), u * g * (1 - y * 2)]
    })
}

extension Tensor {
  fileprivate var oneMinusSquare: Tensor { 1 - self * self }
  /// `1 / √(1 − x²)`, the derivative of `asin` at this tensor, `x`.
  fileprivate var asinSlope: Tensor { oneMinusSquare.rsqrt() }
  /// `g · (1 − y²)`, the gradient of the argument of `tanh`, from the value `y` and its gradient `g` (this tensor).
  package func tanhGradient(_ y: Tensor) -> Tensor { Tensor.binary(.tanhGradient, self, y) }
  /// `g · y · (1 − y)`, the gradient of the argument of `sigmoid`, from the value `y` and its gradient `g` (this tensor).
  package func sigmoidGradient(_ y: Tensor) -> Tensor { Tensor.binary(.sigmoidGradient, self, y) }

  /// The hyperbolic sine of each element, in the same shape; integers and `bool` count as `float32`.
  public func sinh() -> Tensor { widened.apply(.sinh) }
  /// The hyperbolic cosine of each element, in the same shape; integers and `bool` count as `float32`.
  public func cosh() -> Tensor { widened.apply(.cosh) }
  /// The hyperbolic tangent of each element, in the same shape; integers and `bool` count as `float32`.
  public func tanh() -> Tensor { apply(.tanh) }
  /// The inverse hyperbolic sine of each element, in the same shape; integers and `bool` count as `float32`.
  public func asinh() -> Tensor { apply(.asinh) }
  /// The inverse hyperbolic cosine of each element, in the same shape; NaN below 1. Integers and `bool` count as
  /// `float32`.
  public func acosh() -> Tensor { apply(.acosh) }
  /// The inverse hyperbolic tangent of each element, in the same shape; NaN outside of `−1 … 1`. Integers and `bool`
  /// count as `float32`.
  public func atanh() -> Tensor { widened.apply(.atanh) }
  /// `1 / (1 + e⁻ˣ)` of each element, in the same shape; integers and `bool` count as `float32`.
  public func sigmoid() -> Tensor { apply(.sigmoid) }
}

// MARK: - Error functions

extension Op {
  static let erf = function(.erf, gradient: erfGradient(2 / Double.pi.squareRoot()))
  static let erfc = function(.erfc, gradient: erfGradient(-2 / Double.pi.squareRoot()))

  /// The rule of a function with the derivative `factor · exp(−x²)`.
  private static func erfGradient(_ factor: Double) -> GradientRule {
    .unary { g, x, _ in g * (-(x * x)).exp() * factor }
  }

  /// `y` is 0 for |x| > 100. The gradient rule clamps `x`, because `∞ · 0` would be NaN.
  static let gaussian = function(
    .gaussian, gradient: .unary { g, x, y in -(g * x.clamped(lower: -100, upper: 100) * y) })
  static let erfinv = function(
    .erfinv, gradient: .unary { g, _, y in g * (y * y).exp() * 0.886226925452758 })
}

extension Tensor {
  /// The error function `2/√π ∫₀ˣ exp(−t²) dt` of each element, in the same shape; integers and `bool` count as
  /// `float32`.
  public func erf() -> Tensor { apply(.erf) }
  /// `1 − erf(x)` of each element, accurate for large `x`, in the same shape; integers and `bool` count as `float32`.
  public func erfc() -> Tensor { apply(.erfc) }
  /// `exp(−x²/2)` of each element, in the same shape; integers and `bool` count as `float32`.
  package func gaussian() -> Tensor { apply(.gaussian) }
  /// The inverse of `erf` for each element in `−1 … 1`, in the same shape; integers and `bool` count as `float32`.
  public func erfinv() -> Tensor { widened.apply(.erfinv) }
}

// MARK: - Signs and rounding

extension Op {
  static let negate = function(.negate, method: "-", gradient: .rule { c in [-c.gradient] })
  static let absolute = function(
    .absolute, method: "abs", gradient: .rule { c in [c.gradient * c.input(0).sign()] })
  // These functions are constant almost everywhere, so no gradient flows.
  static let sign = function(.sign, gradient: .rule { _ in [nil] })
  static let floor = function(.floor, gradient: .rule { _ in [nil] })
  static let ceil = function(.ceil, gradient: .rule { _ in [nil] })
  static let round = function(.round, method: "rounded", gradient: .rule { _ in [nil] })
  static let truncate = function(.truncate, method: "truncated", gradient: .rule { _ in [nil] })
}

extension Tensor {
  /// `−x` of each element, in the same shape; `bool` counts as `int32`.
  public static prefix func - (x: Tensor) -> Tensor {
    Tensor(.negate, OpInputs((x.dtype == .bool ? x.cast(to: .int32) : x).node))
  }
  /// `|x|` of each element, in the same shape and type; the gradient at 0 is 0.
  public func abs() -> Tensor { Tensor(.absolute, OpInputs(node)) }
  /// −1, 0 or 1 for each element, in the same shape and type; NaN stays NaN. The gradient is 0.
  public func sign() -> Tensor { Tensor(.sign, OpInputs(node)) }
  /// The largest integer not above each element, in the same shape and type. The gradient is 0.
  public func floor() -> Tensor { dtype.isFloatingPoint ? apply(.floor) : self }
  /// The smallest integer not below each element, in the same shape and type. The gradient is 0.
  public func ceil() -> Tensor { dtype.isFloatingPoint ? apply(.ceil) : self }
  /// The integer nearest to each element, in the same shape and type; ties round to even. The gradient is 0.
  public func rounded() -> Tensor { dtype.isFloatingPoint ? apply(.round) : self }
  /// The integer part of each element, in the same shape and type. The gradient is 0.
  public func truncated() -> Tensor { dtype.isFloatingPoint ? apply(.truncate) : self }
}
