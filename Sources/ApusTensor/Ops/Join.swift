import ApusDevice

// MARK: - Joining

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

// MARK: - Padding

extension Op {
  /// Input: a tensor that is copied into a filled array. Attributes: the bit pattern of the fill value, then the starts
  /// of all axes, the steps, and the extents of the result.
  static let embed: Op = Op(
    name: "embed", method: "padded",
    shape: { inputs, attributes throws(ShapeError) in
      let (starts, steps, extents) = sliceParts(Array(attributes.integers.dropFirst()))
      let shape = inputs[0].shape
      if let reason = Shape(extents).invalidReason { throw ShapeError("padded", reason) }
      for axis in 0..<shape.rank where shape[axis] > 0 {
        let last = lastIndex(starts[axis], steps[axis], shape[axis])
        guard (0..<extents[axis]).contains(starts[axis]), (0..<extents[axis]).contains(last) else {
          throw ShapeError("padded", "\(shape) at \(starts) does not fit in \(extents)")
        }
      }
      return TensorType(Shape(extents), inputs[0].dtype)
    },
    gradient: .rule { c in
      let (starts, steps, _) = sliceParts(Array(c.attributes.integers.dropFirst()))
      return [c.gradient.sliced(start: starts, step: steps, extent: Array(c.inputNode(0).shape))]
    },
    lower: .step(
      StepLowering(
        accepts: { _, _ in true },
        build: { node, operands in
          let (starts, steps, _) = sliceParts(Array(node.attributes.integers.dropFirst()))
          let fill = Double(bitPattern: UInt64(bitPattern: Int64(node.attributes.integers[0])))
          let target = Layout(contiguous: node.shape).sliced(
            start: starts, step: steps, shape: operands.inputs[0].layout.shape)
          let piece = StridedCopy.Piece(source: operands.inputs[0], destination: target)
          return .copy(
            StridedCopy(
              dtype: node.dtype, fill: Scalar(fill, as: node.dtype),
              pieces: [piece], result: operands.result))
        })))
}

extension Tensor {
  /// An array of shape `shape` that has the tensor's elements at the positions `start + i · step` of each axis, and
  /// `value` elsewhere.
  func embedded(in shape: Shape, start: [Int], step: [Int], value: Double = 0) -> Tensor {
    Tensor(
      .embed, OpInputs(node),
      .integers([Int(Int64(bitPattern: value.bitPattern))] + start + step + Array(shape)))
  }

  /// The tensor padded with `value` along each axis: `before` elements at the start and `after` elements at the end.
  /// Each extent becomes `before + extent + after`.
  ///
  /// - Parameters:
  ///   - amounts: one pair for each axis, not negative.
  ///   - value: converted to the tensor's type.
  public func padded(by amounts: [(before: Int, after: Int)], value: Double = 0) -> Tensor {
    guard amounts.count == rank else {
      ShapeError("padded", "\(amounts.count) amounts do not match the axes of \(shape)").report()
      return self
    }
    // Amounts above `Int.max / 16` exceed every valid shape, and their sums could overflow.
    guard amounts.allSatisfy({ (0...Int.max / 16).contains($0.before) && (0...Int.max / 16).contains($0.after) }) else {
      ShapeError("padded", "amounts \(amounts) for \(shape) must be 0 or more elements, and not too large").report()
      return self
    }
    let target = Shape((0..<rank).map { amounts[$0].before + shape[$0] + amounts[$0].after })
    return embedded(
      in: target, start: amounts.map(\.before), step: Array(repeating: 1, count: rank), value: value)
  }
}

// MARK: - Slices along an axis

extension Tensor {
  /// `count` elements of axis `axis`, from `start` on, with a stride of `step`; the other axes stay whole. For an axis
  /// that is known when the code is written, a subscript does the same: `x[.all, start..<start + count]`.
  ///
  /// - Precondition: all elements are inside of the axis. Negative indices are outside: they do not count from the end.
  public func slice(axis: Int, from start: Int, count: Int, step: Int = 1) -> Tensor {
    guard let axis = checkedAxis(axis, "slice") else { return self }
    var starts = Array(repeating: 0, count: rank)
    var steps = Array(repeating: 1, count: rank)
    var extents = Array(shape)
    starts[axis] = start
    steps[axis] = step
    extents[axis] = count
    return sliced(start: starts, step: steps, extent: extents)
  }
}
