import ApusSystem
import ApusDevice

// MARK: - Shapes

extension Op {
  /// Attributes: the new shape.
  static let reshape: Op = Op(
    name: "reshape", method: "reshaped",
    shape: { inputs, attributes throws(ShapeError) in
      let target = attributes.shape
      if let reason = target.invalidReason { throw ShapeError("reshaped", reason) }
      guard target.elementCount == inputs[0].shape.elementCount else {
        throw ShapeError(
          "reshaped",
          "\(inputs[0].shape) has \(inputs[0].shape.elementCount) elements, \(target) has \(target.elementCount)")
      }
      return TensorType(target, inputs[0].dtype)
    },
    gradient: .rule { c in [c.gradient.reshaped(to: c.input(0).shape)] },
    lower: .view { .reshape($0.shape) })
}

extension Tensor {
  /// The same elements in row-major order under another shape; one extent may be −1 and is inferred (as 0 if another
  /// extent is 0).
  ///
  /// - Precondition: both shapes have the same number of elements.
  public func reshaped(to shape: Shape) -> Tensor {
    var target = shape
    if let free = shape.firstIndex(of: -1) {
      target[free] = 1
      let known = target.elementCount
      guard target.isValid, known == 0 || elementCount % known == 0 else {
        ShapeError(
          "reshaped", "cannot infer the -1 in \(shape): \(self.shape) has \(elementCount) elements"
        )
        .report()
        return self
      }
      target[free] = known == 0 ? 0 : elementCount / known
    }
    if target == self.shape { return self }
    return Tensor(.reshape, OpInputs(node), .shape(ShapeBox(target)))
  }

  /// The tensor with a new axis of extent 1, which is axis `axis` of the result: `[m, n]` becomes `[m, 1, n]` for axis
  /// 1 and `[m, n, 1]` for axis −1.
  ///
  /// - Precondition: the tensor has at most 7 axes.
  public func expandingAxis(at axis: Int) -> Tensor {
    guard (-rank - 1...rank).contains(axis) else {
      ShapeError("expandingAxis", "\(axis) is not a valid position for a new axis of \(shape)").report()
      return self
    }
    guard hasRoomForAxis("expandingAxis") else { return self }
    return reshaped(to: shape.inserting(1, at: axis < 0 ? axis + rank + 1 : axis))
  }

  /// The tensor without axis `axis`: `[m, 1, n]` becomes `[m, n]` for axis 1.
  ///
  /// - Precondition: the extent of the axis is 1.
  public func squeezingAxis(at axis: Int) -> Tensor {
    guard let axis = checkedAxis(axis, "squeezingAxis") else { return self }
    guard shape[axis] == 1 else {
      ShapeError("squeezingAxis", "the extent of axis \(axis) of \(shape) is not 1").report()
      return self
    }
    return reshaped(to: shape.removing(axis))
  }

  /// The tensor with the axes from `axis` on merged into one: `[n, c, h, w]` becomes `[n, c·h·w]` for axis 1. If `axis`
  /// is the rank, a new axis of extent 1 is added.
  public func flattened(from axis: Int = 0) -> Tensor {
    guard (-rank...rank).contains(axis) else {
      ShapeError("flattened", "axis \(axis) is not an axis of \(shape)").report()
      return self
    }
    let first = axis < 0 ? axis + rank : axis
    guard first < rank || hasRoomForAxis("flattened") else { return self }
    var target = Shape(shape[..<first])
    target.append(shape[first...].reduce(1, *))
    return reshaped(to: target)
  }
}

// MARK: - Orders of axes

extension Op {
  /// Attributes: for each axis of the result, the axis of the input.
  static let transpose: Op = Op(
    name: "transpose", method: "transposed",
    shape: { inputs, attributes throws(ShapeError) in
      let (permutation, source) = (attributes.integers, inputs.shape(0))
      var shape = Shape()
      var seen = 0
      for axis in permutation where axis >= 0 && axis < source.rank {
        shape.append(source[axis])
        seen |= 1 << axis
      }
      guard permutation.count == source.rank, seen == 1 << source.rank - 1 else {
        throw ShapeError("transposed", "\(permutation) is not a permutation of the axes of \(source)")
      }
      return TensorType(shape, inputs.dtype(0))
    },
    gradient: .rule { c in [c.gradient.transposed(c.attributes.integers.inversePermutation)] },
    lower: .view { .transpose($0.attributes.integers) })
}

extension [Int] {
  /// The permutation of at least two axes that exchanges the last two: `[0, …, rank − 1, rank − 2]`.
  static func exchangingLastTwo(of rank: Int) -> [Int] { Array(0..<rank - 2) + [rank - 1, rank - 2] }

  /// The permutation `q` with `q[p[i]] = i` for this permutation `p`.
  var inversePermutation: [Int] {
    var inverse = self
    for (index, source) in enumerated() { inverse[source] = index }
    return inverse
  }
}

extension Tensor {
  /// The axes in another order: axis `i` of the result is axis `permutation[i]` of this tensor. Negative axes count
  /// from the end.
  ///
  /// - Precondition: `permutation` contains each axis once.
  public func transposed(_ permutation: [Int]) -> Tensor {
    let axes = permutation.contains { $0 < 0 } ? permutation.map { $0 < 0 ? $0 + rank : $0 } : permutation
    if axes.elementsEqual(0..<rank) { return self }
    return Tensor(.transpose, OpInputs(node), .integers(axes))
  }

  /// The permutation of a matrix transpose. It is stored once, because every dense layer needs it several times in each
  /// training step.
  private static let exchanged = [1, 0]

  /// The tensor with its last two axes exchanged, the transpose of a matrix: `[…, m, n]` becomes `[…, n, m]`.
  ///
  /// - Precondition: the tensor has at least two axes.
  public func transposed() -> Tensor {
    guard rank >= 2 else {
      ShapeError("transposed", "\(shape) must have at least two axes").report()
      return self
    }
    if rank == 2 { return Tensor(.transpose, OpInputs(node), .integers(Tensor.exchanged)) }
    return transposed(.exchangingLastTwo(of: rank))
  }
}

// MARK: - Broadcasts

extension Op {
  /// Attributes: the new shape.
  static let broadcast: Op = Op(
    name: "broadcast",
    shape: { inputs, attributes throws(ShapeError) in
      if let reason = attributes.shape.invalidReason { throw ShapeError("broadcast", reason) }
      guard inputs[0].shape.broadcast(with: attributes.shape) == attributes.shape else {
        throw ShapeError("broadcast", "\(inputs[0].shape) does not broadcast to \(attributes.shape)")
      }
      return TensorType(attributes.shape, inputs[0].dtype)
    },
    gradient: .rule { c in [c.gradient] },
    lower: .view { .broadcast($0.shape) })
}

extension Tensor {
  /// The tensor in the shape `shape`: its elements are repeated along axes of extent 1 and along new leading axes.
  ///
  /// - Precondition: with axes aligned at the last one, each extent is 1 or equals the extent in `shape`.
  public func broadcast(to shape: Shape) -> Tensor {
    if shape == self.shape { return self }
    return Tensor(.broadcast, OpInputs(node), .shape(ShapeBox(shape)))
  }

  /// The sum over the axes that a broadcast from `target` to this shape has repeated: the gradient of `broadcast`.
  func summed(to target: Shape) -> Tensor {
    let lead = rank - target.rank
    var axes = Array(0..<lead)
    for axis in 0..<target.rank where target[axis] == 1 && shape[axis + lead] != 1 {
      axes.append(axis + lead)
    }
    let sum = axes.isEmpty ? self : sum(axes: axes, keepingAxes: true)
    return sum.reshaped(to: target)
  }
}

// MARK: - Checks

extension Tensor {
  /// The axis, with negative numbers counted from the end. If the axis is invalid, reports an error of `operation` and
  /// returns `nil`.
  func checkedAxis(_ axis: Int, _ operation: String) -> Int? {
    guard (-rank..<rank).contains(axis) else {
      ShapeError(operation, "axis \(axis) is not an axis of \(shape)").report()
      return nil
    }
    return axis < 0 ? axis + rank : axis
  }

  /// Whether a tensor can have `shape`; if not, reports an error of `operation`.
  static func accepts(_ shape: Shape, _ operation: String) -> Bool {
    guard let reason = shape.invalidReason else { return true }
    ShapeError(operation, reason).report()
    return false
  }

  /// Whether there is room for one more axis; if not, reports an error of `operation`.
  func hasRoomForAxis(_ operation: String) -> Bool {
    guard rank == Shape.maximumRank else { return true }
    ShapeError(operation, "\(shape) has no room for another axis, the maximum is \(Shape.maximumRank)").report()
    return false
  }
}
