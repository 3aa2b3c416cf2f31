import ApusDevice

extension Tensor {
  /// `(Σ |x|ᵖ)^(1/p)` over `axes` (all by default); the largest `|x|` for `p = ∞`, the smallest for `p = −∞`, the
  /// number of nonzero elements for `p = 0`. For all `p`, the gradient of zero elements and of a vector of zeros is 0.
  /// Integers and `bool` count as `float32`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor, and not empty for an infinite `p`.
  public func norm(_ p: Double = 2, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    guard checkedAxes(axes, "norm") != nil else { return floating }
    return wide { x in
      switch p {
      case .infinity: return x.abs().checkedNotEmpty(axes, "norm").max(axes: axes, keepingAxes: keepingAxes)
      case -.infinity: return x.abs().checkedNotEmpty(axes, "norm").min(axes: axes, keepingAxes: keepingAxes)
      case 0: return (x .!= 0).cast(to: x.dtype).sum(axes: axes, keepingAxes: keepingAxes)
      case 1: return x.abs().sum(axes: axes, keepingAxes: keepingAxes)
      default: break
      }
      let powers = p == 2 ? x.squared() : x.absolutePower(p)
      return powers.sum(axes: axes, keepingAxes: keepingAxes).safeRoot(p)
    }
  }

  /// `x^(1/p)` for each element `x` of a floating-point tensor. Where `x` is 0, the result is 0 (∞ for `p < 0`) and the
  /// gradient is 0, even if the slope is infinite (`p > 1` or `p < 0`). NaN stays NaN.
  package func safeRoot(_ p: Double = 2) -> Tensor {
    // Where `x` is 0, the root of 1 is computed instead: an infinite slope times a gradient of 0 would be NaN.
    let isZero = self .== 0
    let safe = isZero.select(constant(1), self)
    let root = p == 2 ? safe.sqrt() : safe.power(constant(1 / p))
    return isZero.select(constant(p < 0 ? .infinity : 0), root)
  }

  /// `|x|ᵖ`, with a gradient of 0 at `x = 0`, even for `p < 1`, where the slope is infinite.
  private func absolutePower(_ p: Double) -> Tensor {
    guard p < 1 else { return abs().power(constant(p)) }
    let isZero = self .== 0
    let powers = isZero.select(constant(1), abs()).power(constant(p))
    return isZero.select(constant(p < 0 ? .infinity : 0), powers)
  }
}
