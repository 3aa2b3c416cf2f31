import ApusDevice
import ApusSystem

extension Tensor {
  /// Consecutive slices along `axis`: slice `i` has the extent `extents[i]` there, and the other axes stay whole.
  ///
  /// - Precondition: `extents` are not negative and add up to the extent of the axis.
  public func split(into extents: [Int], axis: Int = 0) -> [Tensor] {
    guard let axis = checkedAxis(axis, "split") else { return extents.map { _ in self } }
    var rest: Int? = shape[axis]
    for extent in extents { rest = rest.flatMap { (0...$0).contains(extent) ? $0 - extent : nil } }
    guard rest == 0 else {
      ShapeError("split", "extents \(extents) do not add up to axis \(axis) of \(shape)").report()
      return extents.map { _ in self }
    }
    var start = 0
    return extents.map { extent in
      defer { start += extent }
      return slice(axis: axis, from: start, count: extent)
    }
  }

  /// `count` consecutive slices of equal extent along `axis`; the other axes stay whole.
  ///
  /// - Precondition: `count` is at least 1 and divides the extent of the axis.
  public func split(_ count: Int, axis: Int = 0) -> [Tensor] {
    // After an error, the requested number of placeholders is returned, up to a limit.
    let wrong = Array(repeating: self, count: Swift.min(Swift.max(count, 0), 1 << 16))
    guard let axis = checkedAxis(axis, "split") else { return wrong }
    guard count > 0, shape[axis] % count == 0 else {
      ShapeError("split", "axis \(axis) of \(shape) does not split into \(count) equal parts").report()
      return wrong
    }
    return split(into: Array(repeating: shape[axis] / count, count: count), axis: axis)
  }

  /// The elements in reverse order along each of `axes`, in the same shape.
  public func flipped(axes: [Int]) -> Tensor {
    var start = Array(repeating: 0, count: rank)
    var step = Array(repeating: 1, count: rank)
    for axis in axes {
      guard let axis = checkedAxis(axis, "flipped") else { return self }
      start[axis] = Swift.max(shape[axis] - 1, 0)
      step[axis] = -1
    }
    return sliced(start: start, step: step, extent: Array(shape))
  }

  /// The tensor shifted by `amounts` along `axes`, in the same shape; elements shifted past one end reappear at the
  /// other.
  ///
  /// - Precondition: there are as many amounts as axes.
  public func rolled(by amounts: [Int], axes: [Int]) -> Tensor {
    guard amounts.count == axes.count else {
      ShapeError("rolled", "\(amounts.count) amounts for \(axes.count) axes of \(shape)").report()
      return self
    }
    var result = self
    for (amount, axis) in zip(amounts, axes) {
      guard let axis = checkedAxis(axis, "rolled") else { return self }
      guard shape[axis] > 0 else { continue }
      let distance = amount % shape[axis]
      let cut = distance > 0 ? shape[axis] - distance : -distance
      guard cut > 0 else { continue }
      let parts = result.split(into: [cut, shape[axis] - cut], axis: axis)
      result = .concatenated([parts[1], parts[0]], axis: axis)
    }
    return result
  }

  /// The tensor repeated as a whole, `counts[axis]` times along each axis. Each extent is multiplied by its count.
  ///
  /// - Precondition: there is one count for each axis, and none is negative.
  public func tiled(_ counts: [Int]) -> Tensor {
    guard counts.count == rank, counts.allSatisfy({ $0 >= 0 }) else {
      ShapeError("tiled", "counts \(counts) do not match the axes of \(shape)").report()
      return self
    }
    var result = self
    for (axis, count) in counts.enumerated() where count != 1 {
      result = result.repeated(count, axis, each: false, "tiled")
    }
    return result
  }

  /// Each element repeated `count` times in succession along `axis`. The extent of `axis` is multiplied by `count`.
  ///
  /// - Precondition: `count` is not negative.
  public func repeated(_ count: Int, axis: Int) -> Tensor {
    guard count >= 0 else {
      ShapeError("repeated", "count \(count) for axis \(axis) of \(shape) is negative").report()
      return self
    }
    guard let axis = checkedAxis(axis, "repeated") else { return self }
    return count == 1 ? self : repeated(count, axis, each: true, "repeated")
  }

  private func repeated(_ count: Int, _ axis: Int, each: Bool, _ operation: String) -> Tensor {
    // The axes before `axis` are merged, and those after it, so that the extra axis does not exceed the maximum rank.
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *)
    var target = shape
    target[axis] = shape[axis].saturatingProduct(count)
    guard Tensor.accepts(target, operation), Tensor.accepts([outer, shape[axis], count, inner], operation) else {
      return self
    }
    let merged: Shape = each ? [outer, shape[axis], 1, inner] : [outer, 1, shape[axis], inner]
    let spread: Shape = each ? [outer, shape[axis], count, inner] : [outer, count, shape[axis], inner]
    return reshaped(to: merged).broadcast(to: spread).reshaped(to: target)
  }

  /// The lower triangles of matrices, `[…, m, n]` in the same shape: zeros above diagonal `diagonal` (0 is the main
  /// diagonal, positive numbers are above it).
  ///
  /// - Precondition: the tensor has at least two axes.
  public func tril(_ diagonal: Int = 0) -> Tensor { triangle(diagonal, "tril") { $0 .<= $1 } }

  /// The upper triangles of matrices, `[…, m, n]` in the same shape: zeros below diagonal `diagonal`.
  ///
  /// - Precondition: the tensor has at least two axes.
  public func triu(_ diagonal: Int = 0) -> Tensor { triangle(diagonal, "triu") { $0 .>= $1 } }

  private func triangle(_ diagonal: Int, _ name: String, _ keeps: (Tensor, Tensor) -> Tensor) -> Tensor {
    guard rank >= 2 else {
      ShapeError(name, "\(shape) must have at least two axes").report()
      return self
    }
    let matrix = Shape(shape.suffix(2))
    let row = Tensor.indices(matrix, axis: 0, device: device)
    let column = Tensor.indices(matrix, axis: 1, device: device)
    return keeps(column - row, row.constant(Double(diagonal))).select(self, constant(0))
  }

  /// The diagonal of two axes, by default the last two, as the last axis: `y[…, i] = x[…, i, i + offset]`.
  ///
  /// - Parameters:
  ///   - offset: 0 is the main diagonal, positive offsets are above it.
  ///   - axes: the axes of rows and of columns.
  /// - Returns: the shape without both axes, then the length of the diagonal: `[…, min(m, n)]` for `[…, m, n]` and
  ///   offset 0.
  /// - Precondition: `axes` are two different axes.
  public func diagonal(offset: Int = 0, axes: [Int] = [-2, -1]) -> Tensor {
    guard rank >= 2 else {
      ShapeError("diagonal", "\(shape) must have at least two axes").report()
      return self
    }
    guard axes.count == 2, let row = checkedAxis(axes[0], "diagonal"), let column = checkedAxis(axes[1], "diagonal"),
      row != column
    else {
      ShapeError("diagonal", "\(axes) are not two different axes of \(shape)").report()
      return self
    }
    let order = (0..<rank).filter { $0 != row && $0 != column } + [row, column]
    return transposed(order).diagonalOfMatrices(offset)
  }

  private func diagonalOfMatrices(_ offset: Int) -> Tensor {
    let (rows, columns) = (shape[rank - 2], shape[rank - 1])
    let count = Swift.max(0, Swift.min(rows + Swift.min(offset, 0), columns - Swift.max(offset, 0)))
    let first = count == 0 ? 0 : offset >= 0 ? offset : -offset * columns
    let flat = reshaped(to: Shape(shape.dropLast(2) + [rows * columns]))
    return flat.slice(axis: rank - 2, from: first, count: count, step: columns + 1)
  }

  /// The sum of the diagonal of the last two axes: `[…]` for `[…, m, n]`; integers and `bool` are summed as `int64`.
  ///
  /// - Precondition: the tensor has at least two axes.
  public func trace() -> Tensor {
    guard rank >= 2 else {
      ShapeError("trace", "\(shape) must have at least two axes").report()
      return self
    }
    return diagonal().sum(axis: -1)
  }

  /// Matrices with the last axis as their diagonal and zeros elsewhere: `[…, n, n]` for `[…, n]`.
  ///
  /// - Precondition: the tensor has 1 to 7 axes.
  public func diagonalMatrix() -> Tensor {
    guard rank >= 1 else {
      ShapeError("diagonalMatrix", "\(shape) has no axis").report()
      return self
    }
    let count = shape[rank - 1]
    var flat = shape
    flat[rank - 1] = count.saturatingProduct(count)
    guard hasRoomForAxis("diagonalMatrix"), Tensor.accepts(flat, "diagonalMatrix") else { return self }
    var start = Array(repeating: 0, count: rank)
    var step = Array(repeating: 1, count: rank)
    (start[rank - 1], step[rank - 1]) = (0, count + 1)
    return embedded(in: flat, start: start, step: step).reshaped(to: Shape(shape + [count]))
  }
}
