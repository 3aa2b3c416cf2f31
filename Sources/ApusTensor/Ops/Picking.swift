import ApusDevice

extension Op {
  /// Picks one element along an axis for every position of the other axes; see `Tensor.picking`. Inputs: the source,
  /// and integer indices in the shape of the source without the axis. Attributes: the axis, and an `IndexLabel`.
  ///
  /// The gradient is an elementwise selection, which is fused into adjacent steps: for a cross-entropy, into the step
  /// of the softmax. The selection compares every position of the axis with the index. So for a long axis, `gather` is
  /// faster: its gradient is a scatter.
  static let pick: Op = Op(
    name: "pick", method: "picking",
    shape: { inputs, attributes throws(ShapeError) in
      let axis = attributes.integers[0]
      guard inputs.dtype(1) == .int32 || inputs.dtype(1) == .int64 else {
        throw ShapeError(
          attributes.indexLabel.operation, "indices \(inputs.shape(1)) are \(inputs.dtype(1)), not int32 or int64")
      }
      guard inputs.shape(1) == inputs.shape(0).removing(axis) else {
        throw ShapeError(
          attributes.indexLabel.operation,
          "indices \(inputs.shape(1)) must have the shape of \(inputs.shape(0)) without axis \(axis)")
      }
      return TensorType(inputs.shape(1), inputs.dtype(0))
    },
    gradient: .rule { c in
      let (axis, source, zero) = (c.attributes.integers[0], c.inputNode(0), c.gradient.constant(0))
      let dtype: DType = source.shape.elementCount <= Int(Int32.max) ? c.inputNode(1).dtype : .int64
      let indices = Tensor.indices(source.shape, axis, "picking", dtype, c.gradient.device)
      let isPicked = indices .== c.input(1).expandingAxis(at: axis)
      return [isPicked.select(c.gradient.expandingAxis(at: axis), zero), nil]
    },
    lower: .step(
      StepLowering(build: { node, operands in
        let (axis, source) = (node.attributes.integers[0], operands.inputs[0].layout.shape)
        let (outer, inner) = (source[..<axis].reduce(1, *), source[(axis + 1)...].reduce(1, *))
        let layout = Layout(contiguous: [outer, 1, inner])
        return .gather(
          Gather(
            outer: outer, extent: source[axis], count: 1, inner: inner, dtype: node.dtype,
            source: operands.inputs[0].value, indices: Operand(value: operands.inputs[1].value, layout: layout),
            result: operands.result,
            indexing: node.attributes.indexLabel.indexing(operands.inputs[1].layout.shape)))
      })))
}

extension Tensor {
  /// The element at an index along `axis` for every position of the other axes: `y[i, j] = x[i, indices[i, j], j]` for
  /// axis 1. Unlike in `takingAlong`, a negative index is an error.
  ///
  /// - Parameter indices: integers, of the shape without `axis`.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  package func picking(_ indices: Tensor, axis: Int, for operation: String) -> Tensor {
    let wide = indices.dtype == .int64 || indices.dtype == .int32 ? indices : indices.cast(to: .int32)
    return Tensor(.pick, OpInputs(node, wide.node), .integers([axis, IndexLabel(operation).word]))
  }
}
