import ApusDevice

// Variants of the reductions, of `flipped` and of `rolled` for a single axis: `axis:` names one axis, `axes:` several.

extension Tensor {
  /// The sum along `axis`, see `sum(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func sum(axis: Int, keepingAxes: Bool = false) -> Tensor { sum(axes: [axis], keepingAxes: keepingAxes) }
  /// The product along `axis`, see `product(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func product(axis: Int, keepingAxes: Bool = false) -> Tensor {
    product(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The mean along `axis`, see `mean(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func mean(axis: Int, keepingAxes: Bool = false) -> Tensor { mean(axes: [axis], keepingAxes: keepingAxes) }
  /// The smallest element along `axis`, see `min(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  ///
  /// - Precondition: the axis is not empty.
  public func min(axis: Int, keepingAxes: Bool = false) -> Tensor { min(axes: [axis], keepingAxes: keepingAxes) }
  /// The largest element along `axis`, see `max(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  ///
  /// - Precondition: the axis is not empty.
  public func max(axis: Int, keepingAxes: Bool = false) -> Tensor { max(axes: [axis], keepingAxes: keepingAxes) }
  /// Whether any element along `axis` is not 0, as `bool`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func any(axis: Int, keepingAxes: Bool = false) -> Tensor { any(axes: [axis], keepingAxes: keepingAxes) }
  /// Whether no element along `axis` is 0, as `bool`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func all(axis: Int, keepingAxes: Bool = false) -> Tensor { all(axes: [axis], keepingAxes: keepingAxes) }
  /// `log Σ eˣ` along `axis`, see `logSumExp(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func logSumExp(axis: Int, keepingAxes: Bool = false) -> Tensor {
    logSumExp(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The variance along `axis`, see `variance(axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func variance(axis: Int, correction: Double = 1, keepingAxes: Bool = false) -> Tensor {
    variance(axes: [axis], correction: correction, keepingAxes: keepingAxes)
  }
  /// The square root of the variance along `axis`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func standardDeviation(axis: Int, correction: Double = 1, keepingAxes: Bool = false) -> Tensor {
    standardDeviation(axes: [axis], correction: correction, keepingAxes: keepingAxes)
  }
  /// `(Σ |x|ᵖ)^(1/p)` along `axis`, see `norm(_:axes:)`. The axis is removed from the shape, or kept with extent 1 if
  /// `keepingAxes`.
  public func norm(_ p: Double = 2, axis: Int, keepingAxes: Bool = false) -> Tensor {
    norm(p, axes: [axis], keepingAxes: keepingAxes)
  }
  /// The elements in reverse order along `axis`, in the same shape.
  public func flipped(axis: Int) -> Tensor { flipped(axes: [axis]) }
  /// The tensor shifted by `amount` along `axis`, in the same shape; elements shifted past one end reappear at the
  /// other.
  public func rolled(by amount: Int, axis: Int) -> Tensor { rolled(by: [amount], axes: [axis]) }
}
