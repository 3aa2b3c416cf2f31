import ApusDevice
import ApusSystem

extension Tensor {
  /// The mean of each window. Along a spatial axis of `in` elements with `out` windows, window `i` consists of the
  /// elements `⌊i·in/out⌋ ..< ⌈(i+1)·in/out⌉`.
  ///
  /// - Parameter output: the number of windows, one for each spatial axis or one for all.
  /// - Returns: `[batch, channels, output…]` for `self: [batch, channels, spatial…]`.
  /// - Precondition: there are 1 to 3 spatial axes, which are not empty, and all numbers in `output` are at least 1.
  public func adaptiveAveragePooled(_ output: [Int]) -> Tensor {
    guard let sizes = adaptiveSizes(output, "adaptiveAveragePooled") else { return self }
    if sizes.allSatisfy({ $0 == 1 }) { return mean(axes: Array(2..<rank), keepingAxes: true) }
    if let window = evenWindows(sizes) { return averagePooled(window) }
    // A mean over several axes is computed along one axis after another, by products with matrices of weights.
    return inWideLane { x in
      PrecisionScope.run(.float32) {
        sizes.enumerated().reduce(x) { result, size in
          let (axis, count) = (size.offset + 2, size.element)
          guard count != shape[axis] else { return result }
          let weights = x.adaptiveWeights(shape[axis], count)
          return result.onLastAxis(axis) { $0.matmul(weights) }
        }
      }
    }
  }

  /// The largest element of each window; the windows are the same as for `adaptiveAveragePooled`. If the extent of each
  /// spatial axis is a multiple of its number of windows, the gradient goes to the first maximum in row-major order;
  /// otherwise equal maxima share it.
  ///
  /// - Parameter output: the number of windows, one for each spatial axis or one for all.
  /// - Returns: `[batch, channels, output…]` for `self: [batch, channels, spatial…]`.
  /// - Precondition: there are 1 to 3 spatial axes, which are not empty, and all numbers in `output` are at least 1.
  public func adaptiveMaxPooled(_ output: [Int]) -> Tensor {
    guard let sizes = adaptiveSizes(output, "adaptiveMaxPooled") else { return self }
    if let window = evenWindows(sizes) { return maxPooled(window) }
    var result = self
    for (index, count) in sizes.enumerated() where count != shape[index + 2] {
      let (axis, extent) = (index + 2, shape[index + 2])
      let (start, end) = adaptiveBounds(extent, count)
      let longest = (0..<count).lazy.map { adaptiveWindow($0, of: count, in: extent).count }.max()!
      // Windows shorter than the longest one repeat their last element.
      let offsets = Tensor.indices([count, longest], axis: 1, device: device)
      let indices = (start.expandingAxis(at: 1) + offsets).minimum(end.expandingAxis(at: 1) - 1)
      result = result.gathering(known: indices, axis: axis).max(axis: axis + 1)
    }
    return result
  }

  private func adaptiveSizes(_ output: [Int], _ name: String) -> [Int]? {
    guard (3...5).contains(rank), output.count == 1 || output.count == rank - 2,
      output.allSatisfy({ $0 > 0 }), shape.dropFirst(2).allSatisfy({ $0 > 0 })
    else {
      ShapeError(name, "\(output) windows do not fit \(shape), [batch, channels, 1 to 3 spatial axes]").report()
      return nil
    }
    let sizes = output.count == 1 ? Array(repeating: output[0], count: rank - 2) : output
    return Tensor.accepts(Shape(shape.prefix(2) + sizes), name) ? sizes : nil
  }

  /// The window of an equivalent ordinary pooling; `nil` if the extent of an axis is no multiple of its number of
  /// windows.
  private func evenWindows(_ sizes: [Int]) -> [Int]? {
    let extents = Array(shape.dropFirst(2))
    guard zip(extents, sizes).allSatisfy({ $0 % $1 == 0 }) else { return nil }
    return zip(extents, sizes).map { $0 / $1 }
  }

  /// `start` and `end` of each window, `int64` of rank 1.
  private func adaptiveBounds(_ extent: Int, _ count: Int) -> (start: Tensor, end: Tensor) {
    let windows = (0..<count).map { adaptiveWindow($0, of: count, in: extent) }
    func tensor(_ bounds: [Int]) -> Tensor { Tensor(bounds.map(Int64.init), shape: [count], device: device) }
    return (tensor(windows.map(\.lowerBound)), tensor(windows.map(\.upperBound)))
  }

  /// A matrix `[extent, count]`: column `j` has the reciprocal of the size of window `j` in the rows of that window,
  /// and 0 elsewhere.
  private func adaptiveWeights(_ extent: Int, _ count: Int) -> Tensor {
    let (start, end) = adaptiveBounds(extent, count)
    let index = Tensor.indices([extent, count], axis: 0, device: device)
    let isInside = (index .>= start).logicalAnd(index .< end)
    let type = dtype.isFloatingPoint ? dtype : .float32
    return isInside.cast(to: type) / (end - start).cast(to: type)
  }

  /// Swaps axis `axis` with the last axis, runs `body`, and swaps these two axes of the result back.
  func onLastAxis(_ axis: Int, _ body: (Tensor) -> Tensor) -> Tensor {
    if axis == rank - 1 { return body(self) }
    var order = Array(0..<rank)
    order.swapAt(axis, rank - 1)
    return body(transposed(order)).transposed(order)
  }
}

/// The elements of window `index` of `count` along an axis of `extent` elements.
private func adaptiveWindow(_ index: Int, of count: Int, in extent: Int) -> Range<Int> {
  index * extent / count..<ceilDivide((index + 1) * extent, count)
}
