import ApusSystem
import Glibc

/// `error ≈ a + b · n^(−c)`: how errors fall with the number `n` of examples.
///
/// `a` is the error that remains with any number of examples. (Cortes et al., 1993; Hestness et al., "Deep learning
/// scaling is predictable, empirically", 2017.)
public struct PowerLaw: Hashable, Sendable {
  /// `a`: the error that remains with endless data, at least 0.
  public var asymptote: Double
  /// `b`: the reducible error with one example, above 0.
  public var scale: Double
  /// `c`: the rate at which the reducible error falls.
  public var exponent: Double

  /// The error with `count` examples.
  public func error(at count: Double) -> Double { asymptote + scale * power(count, -exponent) }

  /// The result of fitting a law to measured errors.
  public enum Fit: Hashable, Sendable {
    case law(Fitted)
    /// No law was fitted, for this reason.
    case none(String)

    /// The law, if there is one.
    public var fitted: Fitted? { if case .law(let fitted) = self { fitted } else { nil } }
  }

  /// A law and the quality of its fit.
  public struct Fitted: Hashable, Sendable {
    /// The least-squares law.
    public var law: PowerLaw
    /// `√(mean of residual²)`, in units of the error.
    public var residual: Double
    /// The number of sizes to which the law was fitted.
    public var pointCount: Int
    /// The largest measured size: beyond it the law is a guess.
    public var largestSize: Double
    /// For each point, the law that is fitted without this point; empty for fewer than five sizes.
    public var variants: [PowerLaw]

    /// An error that was not measured but extrapolated.
    public struct Extrapolation: Hashable, Sendable {
      /// The number of examples.
      public var size: Double
      /// The error that the law predicts for `size` examples.
      public var error: Double
      /// How much lower `error` is than the law's error at the largest measured size.
      public var gain: Double
      /// The range of the errors that the law and its variants predict, see `variants`; `nil` if there are no variants.
      public var range: ClosedRange<Double>?
    }

    /// The error that is expected for `factor` times the largest measured number of examples. This assumes that the law
    /// holds beyond the measured sizes.
    public func extrapolated(by factor: Double = 2) -> Extrapolation {
      let size = factor * largestSize
      let error = law.error(at: size)
      let others = variants.map { $0.error(at: size) } + [error]
      return Extrapolation(
        size: size, error: error, gain: law.error(at: largestSize) - error,
        range: variants.isEmpty ? nil : others.min()!...others.max()!)
    }
  }
}

// MARK: - Fitting

extension PowerLaw {
  /// The range of exponents that is searched. With only a few sizes, a law whose exponent is outside of this range
  /// looks like a constant or a step.
  private static let exponents = 0.01...4.0

  /// The law with the least sum of squared residuals, with `a ≥ 0` and `b > 0`.
  ///
  /// For a given exponent, `a` and `b` have a closed form. The exponent is searched on a grid, and then by
  /// golden-section search around the best grid point.
  /// - Parameter points: sizes and errors. At least four sizes are required, because three parameters are fitted.
  public static func fit(_ points: [(size: Double, error: Double)]) -> Fit {
    let sizes = Set(points.map(\.size))
    guard points.allSatisfy({ $0.size > 0 && $0.size.isFinite && $0.error.isFinite }) else {
      return .none("sizes and errors must be finite numbers, and sizes above 0")
    }
    guard sizes.count >= 4, let largest = sizes.max() else {
      return .none("a law with three parameters needs at least four sizes, not \(sizes.count)")
    }
    let best = solve(points, largest)
    guard best.scale > 0 else { return .none("errors do not fall with the number of examples") }
    guard best.exponent > exponents.lowerBound * 1.01, best.exponent < exponents.upperBound * 0.99 else {
      return .none("the errors do not follow a power law: the fitted exponent is \(best.exponent)")
    }
    let variants = sizes.count < 5 ? [] : points.indices.map { solve(points.without($0), largest) }
    return .law(
      Fitted(
        law: best, residual: (squares(best, points) / Double(points.count)).squareRoot(), pointCount: sizes.count,
        largestSize: largest, variants: variants))
  }

  private static func solve(_ points: [(size: Double, error: Double)], _ largest: Double) -> PowerLaw {
    func cost(_ logarithm: Double) -> Double { squares(linear(points, largest, exp(logarithm)), points) }
    let (low, high) = (log(exponents.lowerBound), log(exponents.upperBound))
    let steps = 400
    let step = (high - low) / Double(steps)
    let best = (0...steps).map { low + Double($0) * step }.min { cost($0) < cost($1) } ?? low
    var (left, right) = (max(low, best - step), min(high, best + step))
    let golden = (5.0.squareRoot() - 1) / 2
    for _ in 0..<80 {
      let (one, other) = (right - golden * (right - left), left + golden * (right - left))
      if cost(one) <= cost(other) { right = other } else { left = one }
    }
    return linear(points, largest, exp((left + right) / 2))
  }

  /// Among the laws with the exponent `c`, the one with the least sum of squared residuals. `a` and `b'` in `a + b' x`
  /// are fitted, with `x = (n / largest)^(−c)`, `a ≥ 0` and `b' ≥ 0`; then `b` is `b' · largest^c`.
  private static func linear(
    _ points: [(size: Double, error: Double)], _ largest: Double, _ exponent: Double
  ) -> PowerLaw {
    let xs = points.map { power($0.size / largest, -exponent) }
    let errors = points.map(\.error)
    let (meanX, meanError) = (xs.mean, errors.mean)
    let spread = xs.squaredDeviations(from: meanX)
    let together = zip(xs, errors).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanError) }
    var slope = spread > 0 ? max(0, together / spread) : 0
    var asymptote = meanError - slope * meanX
    if asymptote < 0 {
      // The best law has `a = 0`, the smallest allowed value: a line through the origin.
      asymptote = 0
      slope = max(0, zip(xs, errors).reduce(0) { $0 + $1.0 * $1.1 } / xs.reduce(0) { $0 + $1 * $1 })
    }
    return PowerLaw(
      asymptote: asymptote, scale: slope * power(largest, exponent), exponent: exponent)
  }

  private static func squares(_ law: PowerLaw, _ points: [(size: Double, error: Double)]) -> Double {
    points.reduce(0) { sum, point in
      let residual = point.error - law.error(at: point.size)
      return sum + residual * residual
    }
  }
}

extension Array {
  fileprivate func without(_ position: Int) -> [Element] { Array(self[..<position] + self[(position + 1)...]) }
}

/// `baseᵉˣᵖᵒⁿᵉⁿᵗ` of a positive base.
private func power(_ base: Double, _ exponent: Double) -> Double { exp(exponent * log(base)) }
