import ApusDevice

extension Op {
  /// Inputs: an array, replacement rows (slices along axis 0), and the indices of these rows in the array. The indices
  /// in range are distinct; a row whose index is out of range is ignored. The write is in place if nothing else reads
  /// the array afterwards.
  static let rowWrite: Op = Op(
    name: "rowWrite", method: "writing",
    shape: { inputs, _ throws(ShapeError) in
      let (base, rows, indices) = (inputs.shape(0), inputs.shape(1), inputs.shape(2))
      guard inputs.dtype(2) == .int32 || inputs.dtype(2) == .int64, inputs.dtype(0) == inputs.dtype(1),
        base.rank > 0, indices.rank == 1, rows == Shape(Array(indices) + base.dropFirst())
      else {
        throw ShapeError("writing", "\(rows) at \(inputs.dtype(2)) \(indices) are not rows of \(base)")
      }
      return TensorType(base, inputs.dtype(0))
    },
    gradient: .notDifferentiable,
    lower: .step(
      StepLowering(
        accepts: { _, layout in layout.isIdentity },
        build: { node, operands in
          let rows = operands.inputs[1].layout.shape
          let inner = rows.dropFirst().reduce(1, *)
          return .rowWrite(
            RowWrite(
              extent: node.shape[0], count: rows[0], inner: inner, dtype: node.dtype, base: operands.inputs[0].value,
              rows: operands.inputs[1].value,
              indices: Operand(
                value: operands.inputs[2].value, layout: Layout(shape: [1, rows[0], inner], strides: [0, 1, 0])),
              result: operands.result))
        })))
}

/// A list of distinct rows of an array. Its length is the number of lookups; if several lookups read the same row, some
/// entries at the end are unused.
package struct RowList {
  /// The indices in ascending order, `int64` `[count]`; unused entries hold the number of rows of the array.
  package let indices: Tensor
  /// The rows at these indices, `[count, …]`; zeros for unused entries.
  package let rows: Tensor

  /// The rows of an array at the indices; arbitrary rows for unused entries.
  package func rows(of array: Tensor) -> Tensor {
    array.gathering(known: indices.minimum(array.shape[0] - 1), axis: 0)
  }
}

extension Tensor {
  /// The tensor, but with `rows` at the indices of `list`. If nothing else needs the tensor, only these rows are
  /// written.
  package func writing(_ rows: Tensor, at list: RowList) -> Tensor {
    Tensor(.rowWrite, OpInputs(list: [node, rows.node, list.indices.node]), .none)
  }

  /// For a gradient that is not computed yet: the rows that may be nonzero, if the gradient consists only of gradients
  /// of row lookups, as for an embedding table. Returns `nil` for another tensor, or if no row is looked up.
  package func lookedUpRows() -> RowList? {
    var parts: [(rows: Tensor, indices: Tensor)] = []
    guard rank > 0, collect(&parts) else { return nil }
    let inner = shape.dropFirst()
    let indices = Tensor.concatenated(
      parts.map { $0.indices.cast(to: .int64).reshaped(to: [$0.indices.elementCount]) })
    let count = indices.elementCount
    guard count > 0 else { return nil }
    let rows = Tensor.concatenated(parts.map { $0.rows.reshaped(to: Shape([$0.indices.elementCount] + inner)) })
    // The sort is stable: rows with the same index are added in their original order.
    let order = indices.argsort()
    let sorted = indices.gathering(known: order, axis: 0)
    let isFirst = Tensor.concatenated([Tensor([true], device: device), sorted[1...] .!= sorted[..<(count - 1)]])
    let segments = isFirst.cast(to: .int64).cumulativeSum(axis: 0) - 1
    let label = IndexLabel("lookedUpRows", isKnown: true, ascends: true)
    let sums = rows.gathering(known: order, axis: 0).segmentSum(segments, count: count, label)
    let first = isFirst.select(sorted, 0).segmentSum(segments, count: count, label)
    let isUsed = Tensor.indices([count], axis: 0, device: device) .<= segments[(count - 1)...]
    return RowList(indices: isUsed.select(first, shape[0]), rows: sums)
  }

  /// Follows a gradient through sums, scalar factors and casts back to the lookups that it comes from, and appends the
  /// rows and indices of each lookup to `parts`. Returns `false` if it meets another operation, or a node whose value
  /// is already computed.
  private func collect(_ parts: inout [(rows: Tensor, indices: Tensor)]) -> Bool {
    var stack: [(node: Node, change: (Tensor) -> Tensor)] = [(node, { $0 })]
    while let (node, change) = stack.popLast() {
      let nodes = device.withExpandedGraph { _ in
        node.isMaterialized ? [] : (0..<node.inputCount).map { node.input($0) }
      }
      guard !nodes.isEmpty else { return false }
      let inputs = nodes.map { Tensor(node: $0) }
      switch node.op {
      case Op.add where inputs[0].shape == shape && inputs[1].shape == shape:
        stack += [(inputs[1].node, change), (inputs[0].node, change)]
      case Op.multiply where inputs[0].shape == shape && inputs[1].rank == 0:
        stack.append((inputs[0].node, { change($0 * inputs[1]) }))
      case Op.multiply where inputs[1].shape == shape && inputs[0].rank == 0:
        stack.append((inputs[1].node, { change($0 * inputs[0]) }))
      case Op.cast:
        let dtype = node.dtype
        stack.append((inputs[0].node, { change($0.cast(to: dtype)) }))
      case Op.alias: stack.append((inputs[0].node, change))
      case Op.scatterAdd where node.attributes.integers[0] == 0 && node.attributes.integers[1] == 0:
        parts.append((change(inputs[0]), inputs[1]))
      case Op.segmentSum: parts.append((change(inputs[0]), inputs[1]))
      default: return false
      }
    }
    return true
  }
}

extension Op {
  fileprivate static func ~= (pattern: Op, value: Op) -> Bool { pattern === value }
}
