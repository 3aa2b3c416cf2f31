import ApusDevice

extension Op {
  /// Attributes: the starts of all axes, then the steps, then the extents.
  static let slice: Op = Op(
    name: "slice",
    shape: { inputs, attributes throws(ShapeError) in
      let rank = inputs[0].shape.rank
      let (starts, steps, extents) = sliceParts(attributes.integers)
      let shape = Shape(extents)
      if let reason = shape.invalidReason { throw ShapeError("slice", reason) }
      for axis in 0..<rank where extents[axis] > 0 {
        let last = lastIndex(starts[axis], steps[axis], extents[axis])
        guard (0..<inputs[0].shape[axis]).contains(starts[axis]), (0..<inputs[0].shape[axis]).contains(last)
        else {
          throw ShapeError(
            "slice", "elements \(starts[axis]) to \(last) of axis \(axis) are outside of \(inputs[0].shape)")
        }
      }
      return TensorType(shape, inputs[0].dtype)
    },
    gradient: .part(sliceGradients),
    lower: .view { node in
      let (starts, steps, _) = sliceParts(node.attributes.integers)
      return .slice(start: starts, step: steps, shape: node.shape)
    })

  /// The concatenation of the gradients if the slices partition the tensor along an axis; otherwise each gradient with
  /// zeros around it.
  private static func sliceGradients(_ parts: [PartGradient], _ shape: Shape) -> [Tensor] {
    let pieces = parts.map { part in
      let (starts, steps, _) = sliceParts(part.part.attributes.integers)
      return (gradient: part.gradient, starts: starts, steps: steps)
    }
    for axis in 0..<shape.rank where pieces.count > 1 {
      let sorted = pieces.sortedArray { $0.starts[axis] < $1.starts[axis] }
      var position = 0
      let arePartition = sorted.allSatisfy { gradient, starts, steps in
        let extents = gradient.shape
        guard starts[axis] == position, extents[axis] > 0, steps.allSatisfy({ $0 == 1 }),
          (0..<shape.rank).allSatisfy({ $0 == axis || extents[$0] == shape[$0] })
        else { return false }
        position += extents[axis]
        return true
      }
      if arePartition, position == shape[axis] { return [.concatenated(sorted.map(\.gradient), axis: axis)] }
    }
    return pieces.map { $0.gradient.embedded(in: shape, start: $0.starts, step: $0.steps) }
  }

  /// The index of the last of `extent` elements; on overflow `Int.max`, which is outside of any axis.
  static func lastIndex(_ start: Int, _ step: Int, _ extent: Int) -> Int {
    let (distance, overflow) = step.multipliedReportingOverflow(by: extent - 1)
    let (last, isFar) = start.addingReportingOverflow(distance)
    return overflow || isFar ? .max : last
  }

  static func sliceParts(_ integers: [Int]) -> (start: [Int], step: [Int], extent: [Int]) {
    let rank = integers.count / 3
    return (
      Array(integers[..<rank]), Array(integers[rank..<2 * rank]), Array(integers[(2 * rank)...])
    )
  }
}

extension Tensor {
  /// Elements `start + i · step` of each axis, `extent` of them.
  func sliced(start: [Int], step: [Int], extent: [Int]) -> Tensor {
    // The step of a slice with at most one element and the start of an empty slice may be any numbers. They become 1
    // and 0, so that strides and offsets do not overflow.
    let steps = zip(step, extent).map { $1 > 1 ? $0 : 1 }
    let starts = zip(start, extent).map { $1 == 0 ? 0 : $0 }
    return Tensor(.slice, OpInputs(node), .integers(starts + steps + extent))
  }
}

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
