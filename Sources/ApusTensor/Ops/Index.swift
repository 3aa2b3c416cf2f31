import ApusDevice

// MARK: - Gathering

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
    guard let axis = checkedAxis(axis, operation), let list = wrapped(indices, axis, operation) else { return self }
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
    guard let axis = checkedAxis(axis, "takingAlong"), let list = wrapped(indices, axis, "takingAlong") else {
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

// MARK: - Scattering

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
    guard let axis = checkedAxis(axis, "scatterAdding"), let list = wrapped(indices, axis, "scatterAdding") else {
      return self
    }
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
    guard let axis = checkedAxis(axis, "indexAdding"), let list = wrapped(indices, axis, "indexAdding") else {
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

// MARK: - Checks and sizes of gather and scatterAdd

extension Op {
  private static func checkIndices(_ attributes: Attributes, _ node: Node) throws(ShapeError) {
    guard node.dtype == .int32 || node.dtype == .int64 else {
      throw ShapeError(
        attributes.indexLabel.operation, "indices \(node.shape) are \(node.dtype), not int32 or int64")
    }
  }
}

extension Tensor {
  /// The indices as `int32` or `int64`, with the extent of the axis added to negative ones. If the indices are not
  /// integers, reports an error and returns `nil`.
  private func wrapped(_ indices: Tensor, _ axis: Int, _ operation: String) -> Tensor? {
    guard indices.dtype.isInteger else {
      ShapeError(operation, "indices \(indices.shape) are \(indices.dtype), not integers").report()
      return nil
    }
    let list = indices.dtype.byteCount == 1 ? indices.cast(to: .int64) : indices
    return (list .< 0).select(list + list.constant(Double(shape[axis])), list)
  }
}

/// The sizes of a gather or scatter. The array that is indexed has the shape `[outer, extent, inner]`, where `extent`
/// is the extent of the indexed axis. The array of gathered or added slices has the shape `[outer, count, inner]`, with
/// one slice for each of the `count` indices.
private struct IndexParts {
  var outer: Int
  var extent: Int
  var count: Int
  var inner: Int
  var indices: Operand
  var indexing: Indexing

  /// - Parameter full: the shape of the array that is indexed: the source of a gather, or the result of a scatter.
  init(_ attributes: [Int], _ full: Shape, _ indices: Operand) {
    let axis = attributes[0]
    extent = full[axis]
    outer = full[..<axis].reduce(1, *)
    inner = full[(axis + 1)...].reduce(1, *)
    let isElementwise = attributes[1] == 1
    count = isElementwise ? indices.layout.shape[axis] : indices.layout.shape.elementCount
    // Elementwise indices have all axes; other indices are the same for every outer and inner position.
    let shape: Shape = [outer, count, inner]
    let strides: Shape = isElementwise ? shape.contiguousStrides : [0, 1, 0]
    self.indices = Operand(value: indices.value, layout: Layout(shape: shape, strides: strides))
    indexing = IndexLabel(word: attributes[attributes.count - 1]).indexing(indices.layout.shape)
  }
}

// MARK: - Indices

extension Op {
  /// The row-major index of each element. Attributes: the raw value of the element type, then the shape.
  static let index: Op = Op(
    name: "index",
    shape: { _, attributes throws(ShapeError) in
      TensorType(Shape(attributes.integers.dropFirst()), DType(rawValue: UInt8(attributes.integers[0]))!)
    },
    gradient: .notDifferentiable,
    lower: .index)
}

extension Tensor {
  /// The index of each element of `shape` along `axis`: for `[2, 3]` and axis 1, `[[0, 1, 2], [0, 1, 2]]`.
  ///
  /// - Precondition: `dtype` is `int64`, or `int32` for fewer than 2³¹ elements.
  public static func indices(
    _ shape: Shape, axis: Int, dtype: DType = .int64, device: ComputeDevice = .current
  ) -> Tensor {
    indices(shape, axis, "indices", dtype, device)
  }

  /// The row-major index of each element of a shape, as `int32` if all of them fit.
  static func indices(_ shape: Shape, device: ComputeDevice) -> Tensor {
    indices(shape, shape.elementCount <= Int(Int32.max) ? .int32 : .int64, device)
  }

  private static func indices(_ shape: Shape, _ dtype: DType, _ device: ComputeDevice) -> Tensor {
    Tensor(.index, OpInputs(), .integers([Int(dtype.rawValue)] + Array(shape)), device: device)
  }

  /// As `indices(_:axis:)`; errors name `operation`.
  static func indices(
    _ shape: Shape, _ axis: Int, _ operation: String, _ dtype: DType = .int64, _ device: ComputeDevice
  ) -> Tensor {
    guard accepts(shape, operation) else { return Tensor(repeating: 0, shape: [], dtype: dtype, device: device) }
    guard (-shape.rank..<shape.rank).contains(axis) else {
      ShapeError(operation, "axis \(axis) is not an axis of \(shape)").report()
      return Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
    }
    let axis = axis < 0 ? axis + shape.rank : axis
    let isSmall = dtype == .int32 && shape.elementCount <= Int(Int32.max)
    guard isSmall || dtype == .int64 else {
      ShapeError(operation, "\(dtype) cannot represent the indices of \(shape)").report()
      return Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
    }
    let number = indices(shape, dtype, device)
    let inner = shape[(axis + 1)...].reduce(1, *)
    let outer = inner == 1 ? number : Tensor.arithmetic(.floorDivide, number, number.constant(Double(inner)))
    return axis == 0 ? outer : outer.remainder(outer.constant(Double(shape[axis])))
  }

  /// `start, start + step, …` up to, but excluding, `end`, in the shape `[⌈(end − start) / step⌉]`, or `[0]` if that
  /// extent is negative. A negative step counts down.
  ///
  /// - Precondition: `step` is not 0, and there are at most 2⁵³ numbers.
  public static func range(
    from start: Double = 0, to end: Double, step: Double = 1, dtype: DType = .int64,
    device: ComputeDevice = .current
  ) -> Tensor {
    let quotient = ((end - start) / step).rounded(.up)
    // Above 2⁵³ a `Double` does not represent every count.
    guard step != 0, quotient <= 0x1p53 else {
      ShapeError("range", "the range from \(start) to \(end) by \(step) has no valid number of elements").report()
      return Tensor(repeating: 0, shape: [0], dtype: dtype, device: device)
    }
    let count = Int(Swift.max(0, quotient))
    let wide: DType = dtype.isFloatingPoint ? (dtype == .float64 ? .float64 : .float32) : .int64
    let index = indices([count], axis: 0, device: device).cast(to: wide)
    return index.spaced(from: start, by: step).cast(to: dtype)
  }

  /// `start + step · i` of each index `i`.
  func spaced(from start: Double, by step: Double) -> Tensor { self * constant(step) + constant(start) }

  /// One-hot vectors: `[…]` becomes `[…, classes]`, with 1 at the index that an element gives and 0 elsewhere. An index
  /// out of range gives a vector of zeros. Elements that are not integers are truncated toward zero.
  ///
  /// - Precondition: the tensor has at most 7 axes.
  public func oneHot(_ classes: Int, dtype: DType = .float32) -> Tensor {
    guard hasRoomForAxis("oneHot") else { return cast(to: dtype) }
    var full = shape
    full.append(classes)
    guard Tensor.accepts(full, "oneHot") else { return cast(to: dtype) }
    let indices = Tensor.indices(full, axis: rank, device: device)
    return (expandingAxis(at: rank).cast(to: .int64) .== indices).cast(to: dtype)
  }
}
