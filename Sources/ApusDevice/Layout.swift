/// The memory layout of a strided array: element `i` of `shape` is at `offset + Σ i[axis] · strides[axis]`, in
/// elements.
///
/// A stride of 0 repeats an element (broadcasting); a negative stride traverses an axis backwards.
public struct Layout: Hashable, Sendable {
  /// The extents of the axes, outermost first.
  public var shape: Shape
  /// The distance between neighbors along each axis, in elements.
  public var strides: Shape
  /// The offset of the first element, in elements.
  public var offset: Int

  /// Creates a layout from its fields.
  /// - Precondition: the shape and the strides have the same rank.
  public init(shape: Shape, strides: Shape, offset: Int = 0) {
    self.shape = shape
    self.strides = strides
    self.offset = offset
  }

  /// A contiguous row-major layout that starts at element 0.
  public init(contiguous shape: Shape) {
    self.init(shape: shape, strides: shape.contiguousStrides)
  }

  /// Whether elements lie in row-major order without gaps. Axes of extent 1 may have any stride.
  public var isContiguous: Bool {
    var expected = 1
    for axis in (0..<shape.rank).reversed() {
      if shape[axis] != 1 && strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }

  /// The layout with the axes from `first` on merged into one; `nil` if no single stride describes the merged axis.
  package func mergingAxes(from first: Int) -> Layout? {
    var (extent, step) = (1, 0)
    for axis in (first..<shape.rank).reversed() where shape[axis] != 1 {
      if extent == 1 { step = strides[axis] }
      guard strides[axis] == step * extent else { return nil }
      extent *= shape[axis]
    }
    return Layout(
      shape: Shape(Array(shape[..<first]) + [extent]), strides: Shape(Array(strides[..<first]) + [step]), offset: offset
    )
  }

  /// Whether both layouts have the same shape and give every element the same offset.
  public func coincides(with other: Layout) -> Bool {
    guard shape == other.shape, offset == other.offset else { return false }
    return (0..<shape.rank).allSatisfy { shape[$0] == 1 || strides[$0] == other.strides[$0] }
  }

  /// Whether the layout is contiguous and starts at element 0.
  public var isIdentity: Bool { offset == 0 && isContiguous }
}

// MARK: - Views

extension Layout {
  /// The layout with its axes in another order: axis `i` of the result is axis `permutation[i]` of this layout.
  public func transposed(_ permutation: [Int]) -> Layout {
    var result = self
    for (axis, source) in permutation.enumerated() {
      result.shape[axis] = shape[source]
      result.strides[axis] = strides[source]
    }
    return result
  }

  /// The layout broadcast to `target` by NumPy's rule: axes are aligned at the right, an extent of 1 is repeated.
  /// - Precondition: the shapes are compatible.
  public func broadcast(to target: Shape) -> Layout {
    var result = Layout(shape: target, strides: Shape(repeating: 0, count: target.rank), offset: offset)
    let lead = target.rank - shape.rank
    for axis in 0..<shape.rank where shape[axis] == target[axis + lead] {
      result.strides[axis + lead] = strides[axis]
    }
    return result
  }

  /// The layout of a strided slice: along each axis, `target[axis]` elements from `start[axis]` in steps of
  /// `step[axis]`.
  public func sliced(start: [Int], step: [Int], shape target: Shape) -> Layout {
    var result = self
    result.shape = target
    for axis in 0..<shape.rank {
      result.offset += start[axis] * strides[axis]
      result.strides[axis] = strides[axis] * step[axis]
    }
    return result
  }

  /// The layout of the same elements, in row-major order, over another shape; `nil` when no strides describe it.
  public func reshaped(to target: Shape) -> Layout? {
    guard shape.elementCount > 0 else { return Layout(contiguous: target) }
    // Consecutive old axes and new axes with the same product of extents form a group. The old axes of a group must be
    // mergeable.
    var result = Layout(shape: target, strides: Shape(repeating: 0, count: target.rank), offset: offset)
    var old = 0
    var new = 0
    while old < shape.rank || new < target.rank {
      var oldProduct = old < shape.rank ? shape[old] : 1
      var newProduct = new < target.rank ? target[new] : 1
      var oldEnd = min(old + 1, shape.rank)
      var newEnd = min(new + 1, target.rank)
      while oldProduct != newProduct {
        if oldProduct < newProduct {
          oldProduct *= shape[oldEnd]
          oldEnd += 1
        } else {
          newProduct *= target[newEnd]
          newEnd += 1
        }
      }
      guard let inner = mergedStride(of: old..<oldEnd) else { return nil }
      var stride = inner
      for axis in (new..<newEnd).reversed() {
        result.strides[axis] = stride
        stride *= target[axis]
      }
      old = oldEnd
      new = newEnd
    }
    return result
  }

  /// The stride of the axis into which adjacent axes can be merged; `nil` when they cannot be merged.
  private func mergedStride(of axes: Range<Int>) -> Int? {
    var stride: Int?
    var expected = 0
    for axis in axes.reversed() where shape[axis] != 1 {
      if stride == nil {
        stride = strides[axis]
      } else if strides[axis] != expected {
        return nil
      }
      expected = strides[axis] * shape[axis]
    }
    return stride ?? 0
  }
}

// MARK: - Iteration

extension Layout {
  /// Merges adjacent axes that all layouts traverse as one axis, and leaves out axes of extent 1. The row-major order
  /// of the elements is preserved.
  ///
  /// - Parameters:
  ///   - axes: axes of `domain`, ascending.
  ///   - layouts: layouts whose shape is `domain`.
  /// - Returns: the extents of the merged axes, and the strides of each layout along them.
  package static func mergedAxes(
    _ axes: some Sequence<Int>, of domain: Shape, _ layouts: [Layout]
  ) -> (extents: [Int], strides: [[Int]]) {
    var extents: [Int] = []
    var strides: [[Int]] = layouts.map { _ in [] }
    for axis in axes where domain[axis] != 1 {
      let isMergeable =
        !extents.isEmpty
        && layouts.indices.allSatisfy { strides[$0].last! == layouts[$0].strides[axis] * domain[axis] }
      if isMergeable {
        extents[extents.count - 1] *= domain[axis]
        for index in layouts.indices { strides[index][extents.count - 1] = layouts[index].strides[axis] }
      } else {
        extents.append(domain[axis])
        for index in layouts.indices { strides[index].append(layouts[index].strides[axis]) }
      }
    }
    return (extents, strides)
  }

  /// Returns the domain of the merged axes (see ``mergedAxes(_:of:_:)``) with the layouts over it.
  ///
  /// - Parameter layouts: layouts whose shape is `domain`.
  public static func collapsed(_ domain: Shape, _ layouts: [Layout]) -> (Shape, [Layout]) {
    let (extents, strides) = mergedAxes(0..<domain.rank, of: domain, layouts)
    let shape = Shape(extents)
    return (
      shape,
      zip(layouts, strides).map { Layout(shape: shape, strides: Shape($1), offset: $0.offset) }
    )
  }
}
