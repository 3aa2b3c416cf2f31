import ApusDevice

extension Op {
  /// Inputs: values in the shape of a `gather` result, and indices. Attributes: the first two attributes of `gather`,
  /// the extent of the axis, and an `IndexLabel`.
  static let scatterAdd: Op = Op(
    name: "scatterAdd", method: "scatterAdding",
    shape: { inputs, attributes throws(ShapeError) in
      let (axis, isElementwise, extent) = (
        attributes.integers[0], attributes.integers[1], attributes.integers[2]
      )
      try checkIndices(attributes, inputs[1])
      let (values, indices) = (inputs[0].shape, inputs[1].shape)
      if isElementwise == 1 {
        guard values == indices else {
          throw ShapeError(
            attributes.indexLabel.operation, "values \(values) and indices \(indices) must have equal shapes")
        }
        var result = values
        result[axis] = extent
        return TensorType(result, inputs[0].dtype)
      }
      return TensorType(
        Shape(values[..<axis] + [extent] + values[(axis + indices.rank)...]), inputs[0].dtype)
    },
    gradient: .rule { c in
      [
        Tensor(
          .gather, OpInputs(c.gradient.node, c.inputNode(1)),
          .integers(Array(c.attributes.integers.prefix(2)) + [c.attributes.indexLabel.word])), nil,
      ]
    },
    lower: .step(
      StepLowering(
        accepts: { _, layout in layout.isIdentity },
        build: { node, operands in
          let parts = IndexParts(node.attributes.integers, node.shape, operands.inputs[1])
          return .scatterAdd(
            ScatterAdd(
              outer: parts.outer, extent: parts.extent, count: parts.count, inner: parts.inner,
              dtype: node.dtype, source: operands.inputs[0].value, indices: parts.indices,
              result: operands.result, indexing: parts.indexing))
        })))
}

extension Tensor {
  /// This tensor with each element of `values` added at the same position, except that `indices` gives the position
  /// along `axis` (`torch.scatter_add`): `y[i, indices[i, j]] += values[i, j]` for axis 1. Values with the same index
  /// are added in order. Negative indices count from the end.
  ///
  /// `indexAdding(_:at:axis:)` adds whole slices instead.
  ///
  /// - Parameters:
  ///   - values: the shape of this tensor, except along `axis`.
  ///   - indices: integers, in the shape of `values`.
  /// - Returns: a tensor in the shape of this tensor.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  public func scatterAdding(_ values: Tensor, at indices: Tensor, axis: Int) -> Tensor {
    guard let axis = checkedAxis(axis, "scatterAdding"),
      let list = wrappedIndices(indices, axis, "scatterAdding")
    else { return self }
    var expected = shape
    if values.rank == rank { expected[axis] = values.shape[axis] }
    guard values.shape == expected else {
      ShapeError("scatterAdding", "values \(values.shape) must have the shape of \(shape), except along axis \(axis)")
        .report()
      return self
    }
    return self
      + Tensor(
        .scatterAdd, OpInputs(values.cast(to: dtype).node, list.node),
        .integers([axis, 1, shape[axis], IndexLabel("scatterAdding", countsFromEnd: true).word]))
  }

  /// This tensor with the slices of `values` added to its slices at `indices` along `axis`:
  /// `y[indices[i]] += values[i]` for axis 0 (`torch.index_add`). Slices with the same index are added in order.
  /// Negative indices count from the end. `scatterAdding(_:at:axis:)` has an index for each element instead.
  ///
  /// - Parameters:
  ///   - values: the shape of this tensor, with `axis` replaced by the axes of `indices`.
  ///   - indices: integers, of any shape.
  /// - Returns: a tensor in the shape of this tensor.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  public func indexAdding(_ values: Tensor, at indices: Tensor, axis: Int = 0) -> Tensor {
    guard let axis = checkedAxis(axis, "indexAdding"), let list = wrappedIndices(indices, axis, "indexAdding") else {
      return self
    }
    let expected = shape.replacing(axis: axis, with: indices.shape)
    guard values.shape == expected else {
      ShapeError("indexAdding", "values \(values.shape) for indices \(indices.shape) must have shape \(expected)")
        .report()
      return self
    }
    return self
      + Tensor(
        .scatterAdd, OpInputs(values.cast(to: dtype).node, list.node),
        .integers([axis, 0, shape[axis], IndexLabel("indexAdding", countsFromEnd: true).word]))
  }
}
