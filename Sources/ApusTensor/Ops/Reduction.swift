import ApusDevice

extension Op {
  /// A reduction. The integer attributes of its nodes: 1 if the reduced axes have extent 1 in the result, 0 if they are
  /// removed; then the reduced axes, ascending.
  private static func reduction(
    _ name: String, reducer: Lowering.Reducer, dtype: DType? = nil, gradient: GradientRule
  ) -> Op {
    Op(
      name: name,
      shape: { inputs, attributes throws(ShapeError) in
        let shape = inputs[0].shape
        var result = Shape()
        for axis in 0..<shape.rank {
          if !attributes.integers.dropFirst().contains(axis) {
            result.append(shape[axis])
          } else if attributes.integers[0] == 1 {
            result.append(1)
          }
        }
        return TensorType(result, dtype ?? inputs[0].dtype)
      },
      gradient: gradient, lower: .reduction(reducer))
  }
}

extension GradientInput {
  fileprivate var reducedAxes: [Int] { Array(attributes.integers.dropFirst()) }

  /// `tensor`, which has the result's shape, broadcast along the reduced axes to the input's shape.
  fileprivate func kept(_ tensor: Tensor) -> Tensor {
    var shape = inputNode(0).shape
    for axis in reducedAxes { shape[axis] = 1 }
    return tensor.reshaped(to: shape).broadcast(to: inputNode(0).shape)
  }
}

extension Tensor {
  /// A bit mask of `axes`, with bit `i` set for axis `i`. If an axis is out of range or is given twice, reports an
  /// error of `operation` and returns `nil`.
  func checkedAxes(_ axes: [Int]?, _ operation: String) -> Int? {
    var set = 0
    for axis in axes ?? [] {
      guard let axis = checkedAxis(axis, operation) else { return nil }
      guard set >> axis & 1 == 0 else {
        ShapeError(operation, "axis \(axis) of \(shape) is given twice").report()
        return nil
      }
      set |= 1 << axis
    }
    return set
  }

  private func reduce(_ op: Op, _ axes: [Int]?, _ keepingAxes: Bool) -> Tensor {
    guard let isReduced = checkedAxes(axes, op.method) else { return self }
    var attributes: [Int] = []
    attributes.reserveCapacity(1 + (axes?.count ?? rank))
    attributes.append(keepingAxes ? 1 : 0)
    for axis in 0..<rank where axes == nil || isReduced >> axis & 1 == 1 { attributes.append(axis) }
    return Tensor(op, OpInputs(node), .integers(attributes))
  }

  /// The number of elements of this tensor for each element of `result`, a reduction of this tensor over any axes.
  package func elementCount(perElementOf result: Tensor) -> Double {
    Double(elementCount) / Double(Swift.max(result.elementCount, 1))
  }
}

// MARK: - Sums and means

extension Op {
  static let sum = reduction("sum", reducer: .row(.sum), gradient: .rule { c in [c.kept(c.gradient)] })
}

extension Tensor {
  /// The sum over `axes` (all by default); integers and `bool` are summed as `int64`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let source = dtype.isFloatingPoint ? widened : cast(to: .int64)
    return source.reduce(.sum, axes, keepingAxes)
  }

  /// The mean over `axes` (all by default); NaN over no elements. Integers and `bool` count as `float32`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    guard checkedAxes(axes, "mean") != nil else { return floating }
    return wide { source in
      let sum = source.sum(axes: axes, keepingAxes: keepingAxes)
      return sum / source.constant(elementCount(perElementOf: sum))
    }
  }

  /// `log Σ eˣ` over `axes` (all by default), without overflow; −∞ over no elements. Integers and `bool` count as
  /// `float32`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func logSumExp(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    guard checkedAxes(axes, "logSumExp") != nil else { return floating }
    return wide { $0.logSumExpInLane(axes, keepingAxes) }
  }

  private func logSumExpInLane(_ axes: [Int]?, _ keepingAxes: Bool) -> Tensor {
    // An empty tensor has no maximum.
    if elementCount == 0 { return logSumOfExponentials(axes, keepingAxes: keepingAxes) }
    let shift = exponentialShift(axes)
    let sum = (self - shift).logSumOfExponentials(axes, keepingAxes: true) + shift
    return keepingAxes ? sum : sum.reshaped(to: reduce(.sum, axes, false).shape)
  }

  /// `log Σ eˣ` over `axes`, without protection against overflow.
  package func logSumOfExponentials(_ axes: [Int]?, keepingAxes: Bool) -> Tensor {
    exp().sum(axes: axes, keepingAxes: keepingAxes).log()
  }

  /// The maximum over `axes`, which have extent 1 in the result; no gradient flows through the maximum. The caller
  /// subtracts it from the tensor, so that the exponential does not overflow. NaN and infinite maxima are replaced by
  /// 0, because the difference could be ∞ − ∞.
  package func exponentialShift(_ axes: [Int]?) -> Tensor {
    let peak = max(axes: axes, keepingAxes: true).stopGradient()
    return peak.isFinite().select(peak, peak.literal(0))
  }
}

// MARK: - Variances

extension Op {
  /// `Σx² − (Σx)²/n` of `n` centered elements `x`. `Σx` differs from 0 only by the rounding of the subtracted mean, so
  /// the second term contributes nothing to derivatives.
  static let squaredDeviations = reduction(
    "squaredDeviations", reducer: .squaresOfCentered,
    gradient: .rule { c in [c.input(0) * c.kept(2 * c.gradient)] })
}

extension Tensor {
  /// `Σ (x − x̄)²` of elements `x` from which a rounded mean was subtracted. Their own mean `x̄` is the error of this
  /// rounding.
  ///
  /// The derivatives equal the derivatives of `Σ x²`: through the subtraction of the mean, the derivative of `x̄` is 0.
  private func sumOfSquaredDeviations(_ axes: [Int]?, keepingAxes: Bool) -> Tensor {
    reduce(.squaredDeviations, axes, keepingAxes)
  }

  /// `x − mean`, the mean, and the variance `Σ (x − mean)² / (n − correction)` over `axes` (`nil` for all). The mean
  /// keeps the axes with an extent of 1, the variance does so if `keepingAxes`.
  package func centered(
    _ axes: [Int]?, correction: Double = 0, keepingAxes: Bool = true
  ) -> (Tensor, mean: Tensor, variance: Tensor) {
    let mean = mean(axes: axes, keepingAxes: true)
    let centered = self - mean
    let sum = centered.sumOfSquaredDeviations(axes, keepingAxes: keepingAxes)
    let variance = sum / constant(Swift.max(elementCount(perElementOf: sum) - correction, 0))
    return (centered, mean, variance)
  }

  /// `Σ (x − mean)² / (n − correction)` over `axes` (all by default); a correction of 1 gives the unbiased estimate.
  /// The rounding of the mean does not affect the result. Integers and `bool` count as `float32`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func variance(axes: [Int]? = nil, correction: Double = 1, keepingAxes: Bool = false) -> Tensor {
    guard checkedAxes(axes, "variance") != nil else { return floating }
    return wide { $0.centered(axes, correction: correction, keepingAxes: keepingAxes).variance }
  }

  /// The square root of the variance over `axes` (all by default). Its gradient is 0 where the variance is 0, as for
  /// equal elements. Integers and `bool` count as `float32`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func standardDeviation(
    axes: [Int]? = nil, correction: Double = 1, keepingAxes: Bool = false
  ) -> Tensor {
    guard checkedAxes(axes, "standardDeviation") != nil else { return floating }
    return wide { $0.variance(axes: axes, correction: correction, keepingAxes: keepingAxes).safeRoot() }
  }
}

// MARK: - Products

extension Op {
  static let product = reduction(
    "product", reducer: .row(.product),
    gradient: .composed { c in [c.input(0).productOfOthers(over: c.reducedAxes) * c.kept(c.gradient)] })
}

extension Tensor {
  /// The product over `axes` (all by default); integers and `bool` are multiplied as `int64`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func product(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let source = dtype.isFloatingPoint ? widened : cast(to: .int64)
    return source.reduce(.product, axes, keepingAxes)
  }

  /// For each element, the product of the other elements that are reduced with it; correct even if some are 0.
  fileprivate func productOfOthers(over axes: [Int]) -> Tensor {
    // The reduced axes are moved to the end and merged.
    let order = (0..<rank).filter { !axes.contains($0) } + axes
    let kept = Shape(order.dropLast(axes.count).map { shape[$0] } + [axes.reduce(1) { $0 * shape[$1] }])
    return transposed(order).reshaped(to: kept).productOfOthers(kept.rank - 1)
      .reshaped(to: Shape(order.map { shape[$0] })).transposed(order.inversePermutation)
  }
}

// MARK: - Extremes

extension Op {
  static let reduceMin = reduction("min", reducer: .row(.min), gradient: .composed { c in [c.extremum()] })
  static let reduceMax = reduction("max", reducer: .row(.max), gradient: .composed { c in [c.extremum()] })
}

extension GradientInput {
  /// Distributes the gradient equally over all elements that equal the extreme element.
  fileprivate func extremum() -> Tensor {
    let hit = (input(0) .== kept(output)).cast(to: gradient.dtype)
    return hit / kept(hit.sum(axes: reducedAxes)) * kept(gradient)
  }
}

extension Tensor {
  /// The smallest element over `axes` (all by default); NaN if any element is NaN. Equal minima share the gradient.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different, non-empty axes of the tensor.
  public func min(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    checkedNotEmpty(axes, "min").reduce(.reduceMin, axes, keepingAxes)
  }

  /// The largest element over `axes` (all by default); NaN if any element is NaN. Equal maxima share the gradient.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different, non-empty axes of the tensor.
  public func max(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    checkedNotEmpty(axes, "max").reduce(.reduceMax, axes, keepingAxes)
  }

  /// The tensor itself. If one of `axes` (all by default) is empty, this reports an error of `operation` and returns a
  /// tensor of the same rank that has one element.
  func checkedNotEmpty(_ axes: [Int]?, _ operation: String) -> Tensor {
    for axis in axes ?? Array(0..<rank) {
      guard let axis = checkedAxis(axis, operation) else { break }
      guard shape[axis] == 0 else { continue }
      ShapeError(operation, "axis \(axis) of \(shape) is empty: it has no minimum or maximum").report()
      return Tensor(repeating: 0, shape: Shape(repeating: 1, count: rank), dtype: dtype, device: device)
    }
    return self
  }
}

extension Op {
  static let argmin = reduction("argmin", reducer: .row(.argmin), dtype: .int64, gradient: .notDifferentiable)
  static let argmax = reduction("argmax", reducer: .row(.argmax), dtype: .int64, gradient: .notDifferentiable)
}

extension Tensor {
  /// The index of the first smallest element along `axis`, or in the flattened tensor; the first NaN counts as
  /// smallest.
  ///
  /// - Returns: `int64`, in the shape without `axis`, or with extent 1 for it if `keepingAxes`. Without an `axis`, all
  ///   axes are removed or have extent 1.
  /// - Precondition: the axis, or the whole tensor, has elements.
  public func argmin(axis: Int? = nil, keepingAxes: Bool = false) -> Tensor {
    checkedNotEmpty(axis.map { [$0] }, "argmin").reduce(.argmin, axis.map { [$0] }, keepingAxes)
  }

  /// The index of the first largest element along `axis`, or in the flattened tensor; the first NaN counts as largest.
  ///
  /// - Returns: `int64`, in the shape without `axis`, or with extent 1 for it if `keepingAxes`. Without an `axis`, all
  ///   axes are removed or have extent 1.
  /// - Precondition: the axis, or the whole tensor, has elements.
  public func argmax(axis: Int? = nil, keepingAxes: Bool = false) -> Tensor {
    checkedNotEmpty(axis.map { [$0] }, "argmax").reduce(.argmax, axis.map { [$0] }, keepingAxes)
  }
}

// MARK: - Truth values

extension Op {
  static let any = reduction("any", reducer: .row(.any), gradient: .notDifferentiable)
  static let all = reduction("all", reducer: .row(.all), gradient: .notDifferentiable)
}

extension Tensor {
  /// Whether any element over `axes` (all by default) is not 0; false over no elements.
  ///
  /// - Returns: `bool`, in the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func any(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    cast(to: .bool).reduce(.any, axes, keepingAxes)
  }

  /// Whether no element over `axes` (all by default) is 0; true over no elements.
  ///
  /// - Returns: `bool`, in the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor.
  public func all(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    cast(to: .bool).reduce(.all, axes, keepingAxes)
  }
}
