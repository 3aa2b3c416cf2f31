import ApusDevice

extension Op {
  /// The permutation that sorts the last axis. Attributes: whether the order is descending (0 or 1).
  static let argsort: Op = Op(
    name: "argsort",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, .int64) },
    gradient: .notDifferentiable,
    lower: .step(
      StepLowering(build: { node, operands in
        let columns = node.shape[node.shape.rank - 1]
        return .sort(
          Sort(
            rows: node.shape.dropLast().reduce(1, *), columns: columns,
            isDescending: node.attributes.integers[0] == 1, dtype: node.inputTypes[0].dtype,
            source: operands.inputs[0].value, result: operands.result))
      })))
}

extension Tensor {
  /// The indices of the elements along `axis` in sorted order, `int64` in the same shape; equal elements keep their
  /// order. NaN is larger than any number.
  public func argsort(axis: Int = -1, isDescending: Bool = false) -> Tensor {
    guard rank > 0 else { return Tensor(repeating: 0, shape: [], dtype: .int64, device: device) }
    guard let axis = checkedAxis(axis, "argsort") else { return self }
    if axis == rank - 1 { return Tensor(.argsort, OpInputs(node), .integers([isDescending ? 1 : 0])) }
    var order = Array(0..<rank)
    order.swapAt(axis, rank - 1)
    return transposed(order).argsort(isDescending: isDescending).transposed(order)
  }

  /// The elements along `axis` in sorted order, in the same shape; NaN is larger than any number. The gradient of each
  /// element goes to its original position.
  public func sorted(axis: Int = -1, isDescending: Bool = false) -> Tensor {
    guard rank > 0, let axis = checkedAxis(axis, "sorted") else { return self }
    return taking(argsort(axis: axis, isDescending: isDescending), axis)
  }

  /// The `count` largest (or smallest) elements along `axis`, the most extreme first, and their indices (`int64`). NaN
  /// is larger than any number.
  ///
  /// - Returns: two tensors of this tensor's shape, with extent `count` along `axis`.
  /// - Precondition: the axis has at least `count` elements.
  public func topK(
    _ count: Int, axis: Int = -1, isLargest: Bool = true
  ) -> (values: Tensor, indices: Tensor) {
    guard let axis = checkedAxis(axis, "topK") else { return (self, self) }
    guard (0...shape[axis]).contains(count) else {
      ShapeError("topK", "\(shape) does not have \(count) elements along axis \(axis)").report()
      return (self, self)
    }
    let indices = argsort(axis: axis, isDescending: isLargest).slice(axis: axis, from: 0, count: count)
    return (taking(indices, axis), indices)
  }

  /// `takingAlong` for indices that are known to be in range.
  private func taking(_ indices: Tensor, _ axis: Int) -> Tensor {
    Tensor(
      .gather, OpInputs(node, indices.node), .integers([axis, 1, IndexLabel("takingAlong", isKnown: true).word]))
  }
}
