import ApusDevice

extension Op {
  /// Windows of `size` elements along an axis, whose starts are `step` apart. In the result, the axis counts the
  /// windows, and a new last axis counts the elements of a window. Attributes: axis, size, step.
  static let unfold: Op = Op(
    name: "unfold", method: "unfolded",
    shape: { inputs, attributes throws(ShapeError) in
      let (axis, size, step) = (attributes.integers[0], attributes.integers[1], attributes.integers[2])
      var shape = inputs[0].shape
      guard size > 0, step > 0, size <= shape[axis] else {
        throw ShapeError("unfolded", "windows of \(size), \(step) apart, do not fit in axis \(axis) of \(shape)")
      }
      guard shape.rank < Shape.maximumRank else {
        throw ShapeError("unfolded", "\(shape) has no room for another axis, the maximum is \(Shape.maximumRank)")
      }
      shape[axis] = WindowPositions(in: shape[axis], kernel: size, stride: step, dilation: 1).count
      shape.append(size)
      return TensorType(shape, inputs[0].dtype)
    },
    gradient: .rule { c in
      let (axis, size, step) = (c.attributes.integers[0], c.attributes.integers[1], c.attributes.integers[2])
      let windows: Shape = [c.node.shape[axis], size]
      let device = c.gradient.device
      // Element `j` of window `i` came from position `i · step + j`.
      let indices =
        Tensor.indices(windows, axis: 0, device: device) * step
        + Tensor.indices(windows, axis: 1, device: device)
      var order = Array(0..<c.gradient.rank - 1)
      order.insert(c.gradient.rank - 1, at: axis + 1)
      return [
        Tensor(
          .scatterAdd, OpInputs(c.gradient.transposed(order).node, indices.node),
          .integers([axis, 0, c.input(0).shape[axis], IndexLabel("unfolded", isKnown: true).word]))
      ]
    },
    lower: .view { node in
      .window(
        axis: node.attributes.integers[0], size: node.attributes.integers[1], step: node.attributes.integers[2])
    })
}

extension Tensor {
  /// All windows of `size` elements along `axis`, with starts `step` apart, as a new last axis:
  /// `y[…, i, …, j] = x[…, i · step + j, …]`. The result is a view, which is copied only for steps that cannot read its
  /// layout.
  ///
  /// - Returns: `[…, ⌊(n − size) / step⌋ + 1, …, size]`, where `n` is the extent of `axis`.
  /// - Precondition: `step` is at least 1, `size` is in `1 … n`, and the tensor has at most 7 axes.
  public func unfolded(axis: Int, size: Int, step: Int = 1) -> Tensor {
    guard let axis = checkedAxis(axis, "unfolded") else { return self }
    return Tensor(.unfold, OpInputs(node), .integers([axis, size, step]))
  }
}
