import ApusDevice

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
