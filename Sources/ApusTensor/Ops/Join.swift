import ApusDevice

extension Op {
  /// Inputs: tensors whose shapes differ at most along one axis. Attributes: the axis.
  static let concatenate: Op = Op(
    name: "concatenate", method: "concatenated",
    shape: { inputs, attributes throws(ShapeError) in
      let axis = attributes.integers[0]
      var shape = inputs[0].shape
      for index in 1..<max(inputs.count, 1) {
        var other = inputs[index].shape
        guard other.rank == shape.rank else {
          throw ShapeError("concatenated", "ranks of \(shape) and \(other) differ")
        }
        let extent = other[axis]
        other[axis] = shape[axis]
        guard other == shape else {
          throw ShapeError(
            "concatenated", "\(inputs[0].shape) and \(inputs[index].shape) differ in more than axis \(axis)")
        }
        // This cannot overflow: both shapes are valid, so both extents are at most `Int.max / 16`.
        shape[axis] += extent
        if let reason = shape.invalidReason { throw ShapeError("concatenated", reason) }
      }
      return TensorType(shape, try DType.common("concatenated", inputs))
    },
    gradient: .rule { c in
      let axis = c.attributes.integers[0]
      var start = 0
      return (0..<c.inputCount).map { index in
        let extent = c.inputNode(index).shape[axis]
        defer { start += extent }
        return c.isNeeded(index) ? c.gradient.slice(axis: axis, from: start, count: extent) : nil
      }
    },
    lower: .step(
      StepLowering(
        accepts: { _, _ in true },
        build: { node, operands in
          let axis = node.attributes.integers[0]
          var start = 0
          let strides = node.shape.contiguousStrides
          let pieces = zip(operands.inputs, node.inputTypes).map { source, type in
            defer { start += type.shape[axis] }
            // The source may be the input of a reshape that merges axes (see `readAheadOfReshapes`), so the destination
            // gets the source's shape.
            let target = Layout(shape: type.shape, strides: strides, offset: start * strides[axis])
            return StridedCopy.Piece(source: source, destination: target.reshaped(to: source.layout.shape)!)
          }
          return .copy(
            StridedCopy(dtype: node.dtype, fill: nil, pieces: pieces, result: operands.result))
        })))
}

extension Tensor {
  /// The tensors concatenated along `axis`, where their extents add up; types are promoted.
  ///
  /// - Precondition: there is at least one tensor, and the shapes are equal except along `axis`.
  public static func concatenated(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    guard let first = tensors.first else {
      ShapeError("concatenated", "no tensors to concatenate").report()
      return .zeros([])
    }
    guard let axis = first.checkedAxis(axis, "concatenated"), tensors.count > 1 else { return first }
    let dtype = tensors.dropFirst().reduce(first.dtype) { DType.promoted($0, $1.dtype) }
    return Tensor(
      .concatenate, OpInputs(list: tensors.map { $0.cast(to: dtype).node }), .integers([axis]))
  }

  /// Tensors of one shape stacked along a new axis: for `n` tensors `[…]` and axis 0, `[n, …]`; types are promoted.
  ///
  /// - Precondition: there is at least one tensor, and all shapes are equal.
  public static func stacked(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    guard let first = tensors.first else {
      ShapeError("stacked", "no tensors to stack").report()
      return .zeros([])
    }
    guard tensors.allSatisfy({ $0.shape == first.shape }), (-first.rank - 1...first.rank).contains(axis) else {
      ShapeError("stacked", "shapes \(tensors.map(\.shape)) must be equal, and axis \(axis) must be in range").report()
      return first
    }
    guard first.hasRoomForAxis("stacked") else { return first }
    let shape = first.shape.inserting(tensors.count, at: axis < 0 ? axis + first.rank + 1 : axis)
    guard accepts(shape, "stacked") else { return first }
    return concatenated(tensors.map { $0.expandingAxis(at: axis) }, axis: axis)
  }
}
