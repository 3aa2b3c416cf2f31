import ApusDevice

extension Op {
  /// Inputs: source and integer indices. Attributes: the axis, then 1 or 0, then an `IndexLabel`. With 1, the indices
  /// have the shape of the source except along the axis, as in `torch.gather`. With 0, indices of any rank replace the
  /// axis, as in `torch.index_select`.
  static let gather: Op = Op(
    name: "gather", method: "gathering",
    shape: { inputs, attributes throws(ShapeError) in
      let axis = attributes.integers[0]
      let (source, indices) = (inputs[0].shape, inputs[1].shape)
      try checkIndices(attributes, inputs[1])
      if attributes.integers[1] == 1 {
        var expected = source
        if indices.rank == source.rank { expected[axis] = indices[axis] }
        guard indices == expected else {
          throw ShapeError(
            attributes.indexLabel.operation,
            "indices \(indices) must have the shape of \(source), except along axis \(axis)")
        }
        return TensorType(indices, inputs[0].dtype)
      }
      let shape = source.replacing(axis: axis, with: indices)
      if let reason = shape.invalidReason { throw ShapeError(attributes.indexLabel.operation, reason) }
      return TensorType(shape, inputs[0].dtype)
    },
    gradient: .rule { c in [gatherGradient(c), nil] },
    lower: .step(
      StepLowering(
        accepts: { _, layout in layout.isIdentity },
        build: { node, operands in
          let parts = IndexParts(node.attributes.integers, operands.inputs[0].layout.shape, operands.inputs[1])
          return .gather(
            Gather(
              outer: parts.outer, extent: parts.extent, count: parts.count, inner: parts.inner,
              dtype: node.dtype, source: operands.inputs[0].value, indices: parts.indices,
              result: operands.result, indexing: parts.indexing))
        })))
}

/// The gradient of `gather`: adds the gradient of each gathered row (a slice at one index) at the index of that row.
///
/// For each row of the result of `scatterAdd`, some devices compare all indices with the index of that row. If whole
/// rows were gathered along axis 0, and this takes 2²² comparisons or more, as for a large embedding, the gradient's
/// rows are first sorted by index, and `segmentSum` adds them. The sort is stable, so the terms of each sum keep their
/// order.
private func gatherGradient(_ c: GradientInput) -> Tensor {
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

extension Tensor {
  /// The slices of this tensor at `indices` along `axis` (`torch.index_select`, NumPy's `take`). The axes of `indices`
  /// replace axis `axis`: indices `[k]` along axis 1 of `[n, m, …]` give `[n, k, …]`. Negative indices count from the
  /// end.
  ///
  /// For an axis that is known when the code is written, a subscript does the same: `x[indices]`, `x[.all, indices]`.
  /// `takingAlong(_:axis:)` is the function that PyTorch calls `gather`: it selects elements, not slices.
  ///
  /// - Parameter indices: integers, of any shape.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  public func gathering(_ indices: Tensor, axis: Int) -> Tensor {
    gathering(indices, axis: axis, for: "gathering")
  }

  /// As `gathering(_:axis:)`; errors name `operation`, the layer or operation that the user called.
  package func gathering(_ indices: Tensor, axis: Int = 0, for operation: String) -> Tensor {
    guard let axis = checkedAxis(axis, operation), let list = wrappedIndices(indices, axis, operation) else {
      return self
    }
    let label = IndexLabel(operation, countsFromEnd: true)
    return Tensor(.gather, OpInputs(node, list.node), .integers([axis, 0, label.word]))
  }

  /// As `gathering(_:axis:)`, for indices that are in range by construction.
  func gathering(known indices: Tensor, axis: Int) -> Tensor {
    Tensor(
      .gather, OpInputs(node, indices.node), .integers([axis, 0, IndexLabel("gathering", isKnown: true).word]))
  }

  /// The slices along axis 0 at `indices`, integers of any shape. Unlike in `gathering`, a negative index is an error.
  ///
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  package func rows(at indices: Tensor, for operation: String) -> Tensor {
    let list = indices.dtype == .int64 || indices.dtype == .int32 ? indices : indices.cast(to: .int64)
    guard let axis = checkedAxis(0, operation) else { return self }
    return Tensor(.gather, OpInputs(node, list.node), .integers([axis, 0, IndexLabel(operation).word]))
  }

  /// Like `takingAlong`, for indices that have the shape of this tensor except along `axis`. A negative index is an
  /// error.
  ///
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  package func elements(at indices: Tensor, axis: Int, for operation: String) -> Tensor {
    Tensor(.gather, OpInputs(node, indices.node), .integers([axis, 1, IndexLabel(operation).word]))
  }

  /// Selects for each element of `indices` the element at the same position, except that the index gives the position
  /// along `axis` (`torch.gather`): `y[i, j] = x[i, indices[i, j]]` for axis 1. Negative indices count from the end.
  ///
  /// `gathering(_:axis:)` and subscripts select whole slices instead: `y[i, j] = x[i, indices[j]]`.
  ///
  /// - Parameter indices: integers, with as many axes as this tensor. Except along `axis`, their extents are at most
  ///   those of this tensor.
  /// - Returns: a tensor in the shape of `indices`.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  public func takingAlong(_ indices: Tensor, axis: Int) -> Tensor {
    guard let axis = checkedAxis(axis, "takingAlong"), let list = wrappedIndices(indices, axis, "takingAlong") else {
      return self
    }
    let others = (0..<rank).filter { $0 != axis }
    guard indices.rank == rank, others.allSatisfy({ indices.shape[$0] <= shape[$0] }) else {
      ShapeError(
        "takingAlong",
        "indices \(indices.shape) must have the axes of \(shape) and, except along axis \(axis), at most their extents"
      ).report()
      return self
    }
    var source = self
    for other in others where indices.shape[other] < shape[other] {
      source = source.slice(axis: other, from: 0, count: indices.shape[other])
    }
    let label = IndexLabel("takingAlong", countsFromEnd: true)
    return Tensor(.gather, OpInputs(source.node, list.node), .integers([axis, 1, label.word]))
  }
}
