import ApusDevice

/// A subscript worked out for one shape: a slice, then a reshape that drops and adds axes.
private struct Region {
  var start: [Int] = []
  var step: [Int] = []
  var extent: [Int] = []
  /// The shape of the result.
  var shape = Shape()

  init(_ indices: [AxisIndex], in source: Shape) throws(ShapeError) {
    let taken = indices.count { $0 != .newAxis && $0 != .ellipsis }
    guard indices.count(where: { $0 == .ellipsis }) <= 1 else {
      throw ShapeError("subscript", "only one ellipsis can stand for the axes between")
    }
    guard taken <= source.rank else {
      throw ShapeError("subscript", "\(taken) indices are too many for \(source)")
    }
    for index in indices.contains(.ellipsis) ? indices : indices + [.ellipsis] {
      switch index.kind {
      case .newAxis: shape.append(1)
      case .ellipsis: for _ in taken..<source.rank { take(0, 1, source[start.count]) }
      case .index(let index):
        let extent = source[start.count]
        guard (-extent..<extent).contains(index) else {
          throw ShapeError("subscript", "index \(index) is outside of axis \(start.count) of \(source)")
        }
        take(index < 0 ? index + extent : index, 1, nil)
      case .range(let from, let to, let step): try takeRange(from, to, step, source[start.count])
      }
    }
    if let flaw = shape.flaw { throw ShapeError("subscript", flaw) }
  }

  /// Takes `count` elements of the next axis, or one without keeping the axis.
  private mutating func take(_ first: Int, _ step: Int, _ count: Int?) {
    start.append(count == 0 ? 0 : first)
    self.step.append(step)
    extent.append(count ?? 1)
    if let count { shape.append(count) }
  }

  /// Ends outside of the axis are moved to it, as in NumPy.
  private mutating func takeRange(_ from: Int?, _ to: Int?, _ step: Int, _ extent: Int) throws(ShapeError) {
    guard step != 0 else { throw ShapeError("subscript", "the step of a range is 0") }
    let bounds = step > 0 ? (0, extent) : (-1, extent - 1)
    func place(_ index: Int?, _ fallback: Int) -> Int {
      guard let index else { return fallback }
      return min(max(index < 0 ? index + extent : index, bounds.0), bounds.1)
    }
    let first = place(from, step > 0 ? bounds.0 : bounds.1)
    let end = place(to, step > 0 ? bounds.1 : bounds.0)
    let distance = step > 0 ? end - first : first - end
    take(first, step, distance > 0 ? Int(UInt(distance - 1) / step.magnitude) + 1 : 0)
  }
}

extension Tensor {
  /// The part that NumPy's basic indexing takes: `x[1]`, `x[0..<4, -1]`, `x[.range(step: -1)]`,
  /// `x[.ellipsis, .newAxis]`. Axes without an index are taken whole.
  public subscript<each Index: AxisIndexing>(_ indices: repeat each Index) -> Tensor {
    var list: [AxisIndex] = []
    for index in repeat each indices { list.append(index.axisIndex) }
    do throws(ShapeError) {
      let region = try Region(list, in: shape)
      return slice(region).reshaped(to: region.shape)
    } catch {
      error.report()
      return self
    }
  }

  /// The tensor with `value`, broadcast, in place of the part that the indices take.
  public func replacing<each Index: AxisIndexing>(
    _ indices: repeat each Index, with value: Tensor
  ) -> Tensor {
    var list: [AxisIndex] = []
    for index in repeat each indices { list.append(index.axisIndex) }
    do throws(ShapeError) {
      let region = try Region(list, in: shape)
      guard value.shape.broadcast(with: region.shape) == region.shape else {
        throw ShapeError("replacing", "\(value.shape) does not broadcast to \(region.shape), the part of \(shape)")
      }
      let part = value.cast(to: dtype).broadcast(to: region.shape).reshaped(to: Shape(region.extent))
      let hole = Tensor(repeating: 1, shape: part.shape, dtype: .bool, device: device)
      return hole.embedded(in: shape, start: region.start, step: region.step)
        .select(part.embedded(in: shape, start: region.start, step: region.step), self)
    } catch {
      error.report()
      return self
    }
  }

  private func slice(_ region: Region) -> Tensor {
    let isWhole = region.extent == Array(shape) && region.step.allSatisfy { $0 == 1 }
    return isWhole ? self : sliced(start: region.start, step: region.step, extent: region.extent)
  }
}

// MARK: - Masks

extension Tensor {
  /// The tensor with `value`, broadcast, where `mask` holds.
  public func replacing(where mask: Tensor, with value: Tensor) -> Tensor {
    mask.select(value.cast(to: dtype), self)
  }

  /// The tensor with `value` where `mask` holds.
  public func replacing(where mask: Tensor, with value: Double) -> Tensor {
    mask.select(constant(value), self)
  }

  /// The elements where `mask` holds, in row-major order (`x[mask]` of NumPy). The mask is read back, for the
  /// shape of the result depends on it.
  ///
  /// - Parameter mask: `bool`, of the shape of the leading axes.
  /// - Returns: `[count, rest…]`, where `rest` are the axes that the mask does not have.
  public func compressed(by mask: Tensor) throws(DeviceError) -> Tensor {
    let rest = shape.dropFirst(mask.rank)
    guard mask.rank <= rank, Shape(shape.prefix(mask.rank)) == mask.shape else {
      ShapeError("compress", "mask \(mask.shape) is not the leading axes of \(shape)").report()
      return self
    }
    let places = try mask.trueIndices()
    return reshaped(to: Shape([mask.elementCount] + rest)).gathering(places)
  }

  /// The row-major numbers (`int64`) of the elements that are not 0. The tensor is read back.
  public func trueIndices() throws(DeviceError) -> Tensor {
    let truth = try array(of: Bool.self)
    return Tensor(truth.indices.filter { truth[$0] }, device: device)
  }
}
