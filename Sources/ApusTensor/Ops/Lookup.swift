import ApusDevice

// Subscripts by lists of indices.

extension Tensor {
  /// The elements at lists of indices along some axes (NumPy's advanced indexing); `lookups` is in ascending order of
  /// the axes. Errors name `operation`.
  func lookingUp(_ lookups: [(axis: Int, indices: Tensor)], for operation: String) throws(ShapeError) -> Tensor {
    guard let first = lookups.first else { return self }
    if lookups.count == 1 { return gathering(first.indices, axis: first.axis, for: operation) }
    var common = first.indices.shape
    for (_, indices) in lookups.dropFirst() {
      guard let next = common.broadcast(with: indices.shape) else {
        throw ShapeError(operation, "lists of indices \(common) and \(indices.shape) do not broadcast")
      }
      common = next
    }
    let axes = lookups.map(\.axis)
    let isAdjacent = axes.last! - axes[0] == axes.count - 1
    let target = isAdjacent ? axes[0] : 0
    var order = (0..<rank).filter { !axes.contains($0) }
    order.insert(contentsOf: axes, at: target)
    // The looked-up axes are merged into one axis, and each tuple of indices becomes a row-major index along the merged
    // axis. Each list of indices is first looked up in the numbers 0, 1, … of its axis, so that `gathering` detects
    // indices out of range and makes negative ones positive.
    let count = axes.reduce(1) { $0 * shape[$1] }
    var position = Tensor(repeating: 0, shape: common, dtype: .int64, device: device)
    for (axis, indices) in lookups {
      let numbers = Tensor.indices([shape[axis]], axis: 0, device: device)
      position = position * shape[axis] + numbers.gathering(indices, for: operation)
    }
    let kept = order.map { shape[$0] }
    let merged = Shape(kept[..<target] + [count] + kept[(target + axes.count)...])
    return transposed(order).reshaped(to: merged).gathering(known: position, axis: target)
  }

  /// A copy of the tensor in which `value`, broadcast, replaces the elements that a subscript with lists of indices
  /// selects. If an element is selected several times, the last value counts. Errors name `operation`.
  func scattering(_ value: Tensor, at list: [AxisIndex], for operation: String) throws(ShapeError) -> Tensor {
    let numbers = Tensor.range(to: Double(elementCount), device: device).reshaped(to: shape)
    let region = try Region(list, in: numbers, for: operation)
    let positions = try numbers[region].lookingUp(region.lookups, for: operation)
    guard value.shape.broadcast(with: positions.shape) == positions.shape else {
      throw ShapeError(operation, "\(value.shape) does not broadcast to \(positions.shape), the part of \(shape)")
    }
    let count = positions.elementCount
    guard count > 0 else { return self }
    let values = value.cast(to: dtype).broadcast(to: positions.shape).reshaped(to: [count])
    // The sort is stable: of equal positions, the last one in `sorted` belongs to the last value, which counts.
    let flat = positions.reshaped(to: [count])
    let order = flat.argsort()
    let sorted = flat.gathering(known: order, axis: 0)
    let isLast = Tensor.concatenated([sorted[1...] .!= sorted[..<(count - 1)], Tensor([true], device: device)])
    let winner = Tensor.zeros([elementCount], dtype: .int64, device: device)
      .indexAdding(isLast.select(order + 1, 0), at: sorted)
    let replaced = values.gathering(known: winner.maximum(1) - 1, axis: 0).reshaped(to: shape)
    return (winner.reshaped(to: shape) .> 0).select(replaced, self)
  }

  /// The slice that `region` selects, before the region's lookups by lists of indices.
  private subscript(region: Region) -> Tensor {
    sliced(start: region.start, step: region.step, extent: region.extent).reshaped(to: region.shape)
  }
}

extension Shape {
  /// The shape with axes of extent 1 appended until it has at least `rank` axes.
  func padded(to rank: Int) -> Shape { Shape(self + Array(repeating: 1, count: Swift.max(0, rank - self.rank))) }
}
