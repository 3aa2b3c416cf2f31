import ApusDevice

/// The surrogate gradient of a threshold unit, whose true gradient is 0 almost everywhere (Bengio, Léonard, Courville,
/// 2013).
public enum StraightThrough: Hashable, Sendable {
  /// The gradient of the result, unchanged.
  case identity
  /// The gradient of the result where `|x| ≤ 1`, elsewhere 0, as in the gradient of `hardTanh` (Hubara et al., 2016).
  case clipped
}

extension Tensor {
  /// `x` where `x > bound`, else `value`, in the same shape; NaN stays NaN. Integers keep their type if `value` is a
  /// whole number.
  public func threshold(_ bound: Double, value: Double) -> Tensor {
    compared(.lessOrEqual, with: Scalar(bound: bound)).select(literal(Scalar(bound: value)), self)
  }

  /// 1 where `x ≥ 0`, else 0, in the same shape: the threshold unit (McCulloch, Pitts, 1943; Rosenblatt, 1958), also
  /// called Heaviside's function. NaN gives 0. Integers and `bool` count as `float32`.
  ///
  /// - Parameter gradient: the surrogate gradient; `nil` for the true derivative, 0.
  public func unitStep(gradient: StraightThrough? = .identity) -> Tensor {
    let x = floating
    guard let gradient else { return x.steps.stopGradient() }
    return withGradient([x]) { g, inputs, _ in
      guard gradient == .clipped else { return [g] }
      return [(inputs[0].abs() .<= 1).select(g, g.constant(0))]
    } function: {
      $0[0].steps
    }
  }

  private var steps: Tensor { (self .>= 0).select(constant(1), constant(0)) }

  /// `x` where `|x| > bound`, else 0, in the same shape; NaN stays NaN. The gradient at the bounds is 0.
  public func hardShrink(_ bound: Double = 0.5) -> Tensor {
    abs().compared(.lessOrEqual, with: Scalar(bound: bound)).select(literal(0), self)
  }

  /// `x` shifted by `bound` towards 0, and 0 where `|x| ≤ bound`, in the same shape: the proximal map of `bound · |x|`
  /// (Donoho, 1995). NaN stays NaN. The gradient at the bounds is 0.
  public func softShrink(_ bound: Double = 0.5) -> Tensor {
    abs().compared(.lessOrEqual, with: Scalar(bound: bound))
      .select(literal(0), self - sign() * literal(Scalar(bound: bound)))
  }
}
