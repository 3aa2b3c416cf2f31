import ApusDevice

extension Op {
  /// Inputs: rows, and the ascending segment ids of the rows. Attributes: the number of segments, and an `IndexLabel`.
  static let segmentSum: Op = Op(
    name: "segmentSum",
    shape: { inputs, attributes throws(ShapeError) in
      let (rows, ids, count) = (inputs.shape(0), inputs.shape(1), attributes.integers[0])
      guard inputs.dtype(1) == .int32 || inputs.dtype(1) == .int64 else {
        throw ShapeError("segmentSum", "ids are \(inputs.dtype(1)), not integers")
      }
      guard rows.rank > 0, ids == [rows[0]], count >= 0 else {
        throw ShapeError("segmentSum", "ids \(ids) of \(count) segments must have one id for each row of \(rows)")
      }
      return TensorType(Shape([count] + rows.dropFirst()), inputs.dtype(0))
    },
    gradient: .rule { c in
      [
        Tensor(.gather, OpInputs(c.gradient.node, c.inputNode(1)), .integers([0, 0, c.attributes.indexLabel.word])),
        nil,
      ]
    },
    lower: .step(
      StepLowering(build: { node, operands in
        let rows = operands.inputs[0].layout.shape
        let inner = rows.dropFirst().reduce(1, *)
        let layout = Layout(shape: [1, rows[0], inner], strides: [0, 1, 0])
        return .scatterAdd(
          ScatterAdd(
            outer: 1, extent: node.shape[0], count: rows[0], inner: inner, dtype: node.dtype,
            source: operands.inputs[0].value, indices: Operand(value: operands.inputs[1].value, layout: layout),
            result: operands.result, isSorted: true,
            indexing: node.attributes.indexLabel.indexing(operands.inputs[1].layout.shape)))
      })))
}

extension Tensor {
  /// The sums of the rows of each segment: `y[s] = Σ x[j]` over the `j` with `ids[j] = s`, added in order; zeros for an
  /// empty segment. The gradient of a row is the gradient of its segment.
  ///
  /// - Parameters:
  ///   - ids: `[rows]`, ascending integers in `0 ..< count`.
  ///   - count: the extent of the result's axis 0.
  /// - Returns: `[count, …]` for `self: [rows, …]`.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange` for an id that is out of range or below its
  ///   predecessor.
  public func segmentSum(_ ids: Tensor, count: Int) -> Tensor {
    segmentSum(ids, count: count, IndexLabel("segmentSum"))
  }

  func segmentSum(_ ids: Tensor, count: Int, _ label: IndexLabel) -> Tensor {
    let list = ids.dtype.isInteger && ids.dtype.byteCount == 1 ? ids.cast(to: .int64) : ids
    return Tensor(.segmentSum, OpInputs(node, list.node), .integers([count, label.word]))
  }
}

/// The gradient of `gather`: adds each row of the result's gradient at the index that it was gathered from.
///
/// Some devices search all indices for each row of the source. If that is expensive, as for a large embedding, the rows
/// are first sorted by index. The sort is stable, so sums are added in the same order.
func gatherGradient(_ c: GradientInput) -> Tensor {
  let (source, ids) = (c.inputNode(0).shape, c.input(1))
  let (axis, isElementwise, label) = (c.attributes.integers[0], c.attributes.integers[1], c.attributes.indexLabel)
  let extent = source[axis]
  guard axis == 0, isElementwise == 0,
    extent.multipliedReportingOverflow(by: ids.elementCount).partialValue >= 1 << 22
  else {
    return Tensor(
      .scatterAdd, OpInputs(c.gradient.node, ids.node), .integers([axis, isElementwise, extent, label.word]))
  }
  let list = ids.reshaped(to: [ids.elementCount])
  let order = list.argsort()
  let rows = c.gradient.reshaped(to: Shape([ids.elementCount] + source.dropFirst()))
  let sorted = list.gathering(known: order, axis: 0)
  return rows.gathering(known: order, axis: 0).segmentSum(
    sorted, count: extent, IndexLabel(label.operation, ascends: true))
}
