import ApusDevice

// The checks and sizes that `gather` and `scatterAdd` share.

extension Op {
  static func checkIndices(_ attributes: Attributes, _ node: Node) throws(ShapeError) {
    guard node.dtype == .int32 || node.dtype == .int64 else {
      throw ShapeError(
        attributes.indexLabel.operation, "indices \(node.shape) are \(node.dtype), not int32 or int64")
    }
  }
}

extension Tensor {
  /// The indices as `int32` or `int64`, with the extent of the axis added to negative ones. If the indices are not
  /// integers, reports an error and returns `nil`.
  func wrappedIndices(_ indices: Tensor, _ axis: Int, _ operation: String) -> Tensor? {
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
struct IndexParts {
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
