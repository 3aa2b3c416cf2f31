import ApusDevice

extension Op {
  /// Inputs: rows (slices along axis 0), and their ascending segment ids. Attributes: the number of segments, and an
  /// `IndexLabel`.
  static let segmentSum: Op = Op(
    name: "segmentSum",
    shape: { inputs, attributes throws(ShapeError) in
      let (rows, ids, count) = (inputs.shape(0), inputs.shape(1), attributes.integers[0])
      guard inputs.dtype(1) == .int32 || inputs.dtype(1) == .int64 else {
        throw ShapeError("segmentSum", "ids \(ids) are \(inputs.dtype(1)), not integers")
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
  /// The sums of the rows of each segment: `y[s] = Σ x[j]` over the `j` with `ids[j] = s`, added in ascending order of
  /// `j`; zeros for an empty segment. The gradient of a row is the gradient of its segment.
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
