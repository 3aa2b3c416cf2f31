import ApusDevice

extension Op {
  private static func scan(_ name: String, combine: ReductionRow, gradient: GradientRule) -> Op {
    Op(
      name: name,
      shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
      gradient: gradient,
      lower: .step(
        StepLowering(build: { node, operands in
          let axis = node.attributes.integers[0]
          return .scan(
            Scan(
              outer: node.shape[..<axis].reduce(1, *), extent: node.shape[axis],
              inner: node.shape[(axis + 1)...].reduce(1, *), combine: combine,
              isReversed: node.attributes.integers[1] == 1, dtype: node.dtype,
              source: operands.inputs[0].value, result: operands.result))
        })))
  }
}

extension GradientInput {
  fileprivate var scanAxis: Int { attributes.integers[0] }
  fileprivate var isReversedScan: Bool { attributes.integers[1] == 1 }
}

extension Tensor {
  fileprivate func scanned(_ op: Op, _ axis: Int, isReversed: Bool) -> Tensor {
    Tensor(op, OpInputs(node), .integers([axis, isReversed ? 1 : 0]))
  }
}

// MARK: - Sums

extension Op {
  /// Attributes: the axis, and whether the scan runs from the end of the axis (0 or 1).
  static let cumulativeSum: Op = scan(
    "cumulativeSum", combine: .sum,
    gradient: .rule { c in
      // The gradient of an element is the sum of the gradients of the result at its position and at all later
      // positions.
      [c.gradient.scanned(.cumulativeSum, c.scanAxis, isReversed: !c.isReversedScan)]
    })
}

extension Tensor {
  /// The cumulative sum along `axis`, including the element itself, in the same shape; integers and `bool` are summed
  /// as `int64`.
  ///
  /// - Parameter isReversed: whether the sum runs from the end to the start.
  public func cumulativeSum(axis: Int, isReversed: Bool = false) -> Tensor {
    let source = dtype.isFloatingPoint ? widened : cast(to: .int64)
    guard let axis = checkedAxis(axis, "cumulativeSum") else { return source }
    return source.scanned(.cumulativeSum, axis, isReversed: isReversed)
  }
}

// MARK: - Products

extension Op {
  static let cumulativeProduct: Op = scan(
    "cumulativeProduct", combine: .product,
    gradient: .composed { c in
      let (axis, isReversed) = (c.scanAxis, c.isReversedScan)
      // ∂yⱼ/∂xᵢ = (Π_{k<i} x_k)·(Π_{i<k≤j} x_k): no division, so that zeros need no special case in any derivative. The
      // first factor is the result at the previous position.
      let before = c.output.shifted(1, axis, isReversed, fill: 1)
      let after = c.gradient.weightedTails(c.input(0), axis, isReversed)
      return [before * after]
    })
}

extension Tensor {
  /// The cumulative product along `axis`, including the element itself, in the same shape; integers and `bool` are
  /// multiplied as `int64`. Derivatives are correct even if elements are 0; each derivative takes log₂ n passes over
  /// the data, for `n` elements along the axis.
  ///
  /// - Parameter isReversed: whether the product runs from the end to the start.
  public func cumulativeProduct(axis: Int, isReversed: Bool = false) -> Tensor {
    let source = dtype.isFloatingPoint ? widened : cast(to: .int64)
    guard let axis = checkedAxis(axis, "cumulativeProduct") else { return source }
    return source.scanned(.cumulativeProduct, axis, isReversed: isReversed)
  }

  /// The elements shifted by `distance` positions in the direction of a scan; vacated positions get `fill`.
  fileprivate func shifted(_ distance: Int, _ axis: Int, _ isReversed: Bool, fill: Double) -> Tensor {
    let forward = isReversed ? -distance : distance
    let kept = Swift.max(shape[axis] - Swift.abs(forward), 0)
    var amounts = Array(repeating: (before: 0, after: 0), count: rank)
    amounts[axis] = forward > 0 ? (shape[axis] - kept, 0) : (0, shape[axis] - kept)
    return slice(axis: axis, from: forward > 0 ? 0 : shape[axis] - kept, count: kept).padded(by: amounts, value: fill)
  }

  /// `sᵢ = Σ_{j≥i} gⱼ · Π_{i<k≤j} x_k`, the solution of `sᵢ = gᵢ + xᵢ₊₁·sᵢ₊₁`, where self is `g`.
  ///
  /// The sum is computed by doubling (Hillis and Steele, 1986). After m iterations, `sum` has the first 2ᵐ terms of
  /// each sᵢ, and `factor` has the product of the 2ᵐ elements of `x` after position i.
  fileprivate func weightedTails(_ x: Tensor, _ axis: Int, _ isReversed: Bool) -> Tensor {
    var sum = self
    var factor = x.shifted(-1, axis, isReversed, fill: 0)
    var distance = 1
    while distance < shape[axis] {
      sum = sum + factor * sum.shifted(-distance, axis, isReversed, fill: 0)
      factor = factor * factor.shifted(-distance, axis, isReversed, fill: 0)
      distance *= 2
    }
    return sum
  }

  /// For each element, the product of all others along `axis`, without a division.
  func productOfOthers(_ axis: Int) -> Tensor {
    let before = scanned(.cumulativeProduct, axis, isReversed: false).shifted(1, axis, false, fill: 1)
    let after = scanned(.cumulativeProduct, axis, isReversed: true).shifted(1, axis, true, fill: 1)
    return before * after
  }
}
