import ApusDevice

extension Tensor {
  /// `xᵢ − log Σⱼ exp(xⱼ)` along `axis`, without overflow, in the same shape; integers and `bool` count as `float32`.
  public func logSoftmax(axis: Int = -1) -> Tensor {
    guard let axis = checkedAxis(axis, "logSoftmax") else { return self }
    return softmaxed(axis) { x in
      let shifted = x.belowMaximum(axis)
      return shifted - shifted.logSumOfExponentials([axis], keepingAxes: true)
    }
  }

  /// `exp(xᵢ) / Σⱼ exp(xⱼ)` along `axis`, without overflow, in the same shape; integers and `bool` count as `float32`.
  public func softmax(axis: Int = -1) -> Tensor {
    guard let axis = checkedAxis(axis, "softmax") else { return self }
    return softmaxed(axis) { x in
      let numerator = x.belowMaximum(axis).exp()
      return numerator * numerator.sum(axis: axis, keepingAxes: true).reciprocal()
    }
  }

  /// `exp(−xᵢ) / Σⱼ exp(−xⱼ)` along `axis`, in the same shape: the smallest element has the largest weight. Integers
  /// and `bool` give `float32`.
  public func softmin(axis: Int = -1) -> Tensor {
    guard let axis = checkedAxis(axis, "softmin") else { return self }
    return (-floating).softmax(axis: axis)
  }

  /// `xᵢ − maxⱼ xⱼ` along `axis`, with the gradient of `xᵢ`.
  private func belowMaximum(_ axis: Int) -> Tensor { self - softmaxShift(axis) }

  /// The maximum along `axis`, which has extent 1 in the result. No gradient flows through it. Softmax and log-softmax
  /// subtract the maximum first, so that exponentials do not overflow.
  package func softmaxShift(_ axis: Int) -> Tensor { max(axis: axis, keepingAxes: true).stopGradient() }

  /// Applies `body` unless the axis is empty: an empty axis has no maximum.
  private func softmaxed(_ axis: Int, _ body: (Tensor) -> Tensor) -> Tensor {
    wide { shape[axis] == 0 ? $0 : body($0) }
  }
}
