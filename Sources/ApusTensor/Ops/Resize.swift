import ApusDevice

/// How the elements of a resized tensor are computed.
public enum Interpolation: String, Hashable, Sendable, CaseIterable {
  /// Element `i` of `out` elements is element `⌊i · in / out⌋` of the `in` elements of the axis.
  case nearest
  /// Linear interpolation between the two neighbors along each axis (linear, bilinear, trilinear).
  case linear
}

extension Tensor {
  /// The tensor with its spatial axes resized to other extents, without a low-pass filter (PyTorch's `interpolate`).
  ///
  /// - Parameters:
  ///   - size: the new extents, one for each spatial axis.
  ///   - alignsCorners: for `.linear`, whether the first and last elements keep their values. If `false`, element `i`
  ///     of `out` elements lies at position `(i + ½) · in / out − ½` of the `in` elements.
  /// - Returns: `[batch, channels, size…]` for `self: [batch, channels, spatial…]`, in the same type; interpolated
  ///   integers are rounded.
  /// - Precondition: there are 1 to 3 spatial axes, which are not empty before or after resizing.
  public func resized(
    to size: [Int], by interpolation: Interpolation = .linear, alignsCorners: Bool = false
  ) -> Tensor {
    guard (3...5).contains(rank), size.count == rank - 2, size.allSatisfy({ $0 > 0 }),
      shape.dropFirst(2).allSatisfy({ $0 > 0 })
    else {
      ShapeError("resized", "\(size) does not fit \(shape), [batch, channels, 1 to 3 spatial axes]").report()
      return self
    }
    guard Tensor.accepts(Shape(shape.prefix(2) + size), "resized") else { return self }
    var result = self
    for (index, count) in size.enumerated() where count != shape[index + 2] {
      switch interpolation {
      case .nearest: result = result.nearest(index + 2, count)
      case .linear: result = result.linear(index + 2, count, alignsCorners)
      }
    }
    return result
  }

  private func nearest(_ axis: Int, _ count: Int) -> Tensor {
    let extent = shape[axis]
    if count % extent == 0 { return repeated(count / extent, axis: axis) }
    if extent % count == 0 { return slice(axis: axis, from: 0, count: count, step: extent / count) }
    let index = Tensor.indices([count], axis: 0, device: device)
    let source = (index * extent).floorDivided(by: index.constant(Double(count)))
    return gathering(known: source, axis: axis)
  }

  private func linear(_ axis: Int, _ count: Int, _ alignsCorners: Bool) -> Tensor {
    let extent = shape[axis]
    if extent == 1 { return broadcast(to: shape.replacing(axis: axis, with: [count])) }
    let type: DType = dtype == .float64 ? .float64 : .float32
    let number = Tensor.indices([count], axis: 0, device: device).cast(to: type)
    var position: Tensor
    if alignsCorners {
      position = number * number.constant(count == 1 ? 0 : Double(extent - 1) / Double(count - 1))
    } else {
      position = ((number + 0.5) * number.constant(Double(extent) / Double(count)) - 0.5).maximum(number.constant(0))
    }
    let low = position.floor().minimum(number.constant(Double(extent - 1)))
    let high = (low + 1).minimum(number.constant(Double(extent - 1)))
    var along = Shape(repeating: 1, count: rank)
    along[axis] = count
    let weight = (position - low).reshaped(to: along)
    let ends = [low, high].map { gathering(known: $0.cast(to: .int64), axis: axis).cast(to: type) }
    let values = ends[0].lerp(to: ends[1], weight)
    return (dtype.isFloatingPoint ? values : values.rounded()).cast(to: dtype)
  }
}
