import ApusDevice

/// A subscript resolved for one shape: a slice, a reshape that removes and adds axes, then lookups along some axes.
struct Region {
  private(set) var start: [Int] = []
  private(set) var step: [Int] = []
  private(set) var extent: [Int] = []
  /// The shape after the slice and the reshape, before the lookups: axes with lists of indices have their full extent.
  private(set) var shape = Shape()
  /// The lists of indices, with their axes in `shape`.
  private(set) var lookups: [(axis: Int, indices: Tensor)] = []

  /// - Parameter operation: the name in errors.
  init(_ indices: [AxisIndex], in tensor: Tensor, for operation: String) throws(ShapeError) {
    let source = tensor.shape
    let taken = indices.count { $0.takesAxis }
    let ellipses = indices.count { $0.isEllipsis }
    guard ellipses <= 1 else { throw ShapeError(operation, "the indices of \(source) can have only one ellipsis") }
    guard taken <= source.rank else { throw ShapeError(operation, "\(taken) indices are too many for \(source)") }
    for index in ellipses == 1 ? indices : indices + [.ellipsis] {
      switch index.kind {
      case .newAxis: shape.append(1)
      case .ellipsis: for _ in taken..<source.rank { take(0, 1, source[start.count]) }
      case .index(let index):
        let extent = source[start.count]
        guard (-extent..<extent).contains(index) else {
          throw ShapeError(operation, "index \(index) is outside of axis \(start.count) of \(source)")
        }
        take(index < 0 ? index + extent : index, 1, nil)
      case .range(let from, let to, let step):
        guard step != 0 else {
          throw ShapeError(operation, "the step of a range of axis \(start.count) of \(source) is 0")
        }
        takeRange(from, to, step, source[start.count])
      case .list(let list): take(lookup: Tensor(list, device: tensor.device), source[start.count])
      case .tensor(let indices):
        guard indices.dtype.isInteger else {
          let advice = indices.dtype == .bool ? "; for a mask use compressed(by:) or replacing(where:with:)" : ""
          throw ShapeError(operation, "indices \(indices.shape) are \(indices.dtype), not integers\(advice)")
        }
        take(lookup: indices, source[start.count])
      }
    }
    if let reason = shape.invalidReason { throw ShapeError(operation, reason) }
  }

  /// Takes `count` elements of the next axis. If `count` is `nil`, takes one element and removes the axis.
  private mutating func take(_ first: Int, _ step: Int, _ count: Int?) {
    start.append(count == 0 ? 0 : first)
    self.step.append(step)
    extent.append(count ?? 1)
    if let count { shape.append(count) }
  }

  /// Takes the whole next axis, along which indices are looked up.
  private mutating func take(lookup indices: Tensor, _ count: Int) {
    lookups.append((shape.rank, indices))
    take(0, 1, count)
  }

  /// Takes a range of the next axis; bounds outside of the axis are clamped, as in NumPy. `step` is not 0.
  private mutating func takeRange(_ from: Int?, _ to: Int?, _ step: Int, _ extent: Int) {
    let bounds = step > 0 ? (0, extent) : (-1, extent - 1)
    func position(_ index: Int?, _ fallback: Int) -> Int {
      guard let index else { return fallback }
      return min(max(index < 0 ? index + extent : index, bounds.0), bounds.1)
    }
    let first = position(from, step > 0 ? bounds.0 : bounds.1)
    let end = position(to, step > 0 ? bounds.1 : bounds.0)
    let distance = step > 0 ? end - first : first - end
    take(first, step, distance > 0 ? Int(UInt(distance - 1) / step.magnitude) + 1 : 0)
  }
}

extension AxisIndex {
  fileprivate var isEllipsis: Bool { if case .ellipsis = kind { true } else { false } }
  fileprivate var takesAxis: Bool { if case .newAxis = kind { false } else { !isEllipsis } }
}

extension Tensor {
  /// The part that indices select: `x[1]`, `x[0..<4, -1]`, `x[.range(step: -1)]`, `x[.ellipsis, .newAxis]`, and with
  /// lists of indices `x[[2, 0]]`, `x[.all, indices]`. Axes without an index are selected whole. A single index removes
  /// its axis, a range changes the extent of its axis, and a list of indices replaces its axis by the axes of the list.
  /// If `x` has the shape `[4, 5, 6]`, then `x[1]` has `[5, 6]`, `x[1..<3]` has `[2, 5, 6]`, and `x[.all, [2, 0, 2]]`
  /// has `[4, 3, 6]`.
  ///
  /// Several lists are broadcast against each other and used together: `x[[0, 1], [2, 3]]` are the elements `x[0, 2]`
  /// and `x[1, 3]`. In the result, the broadcast axes of the lists are at the position of the first list, or come first
  /// if other axes are between the lists.
  ///
  /// Assigning to a part gives the variable a new tensor with that part replaced, as by `replacing(_:with:)`. Other
  /// tensors do not change. Gradients flow to the new part and to the rest of the old tensor. If the only index is a
  /// `bool` tensor, the assignment sets the elements where it is true.
  ///
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange` for lists of indices.
  /// - Precondition: single indices are inside of their axes, and lists contain integers. Ranges are clamped.
  public subscript<each Index: AxisIndexing>(_ indices: repeat each Index) -> Tensor {
    get {
      var list: [AxisIndex] = []
      for index in repeat each indices { list.append(index.axisIndex) }
      return taken(list)
    }
    set {
      var list: [AxisIndex] = []
      for index in repeat each indices { list.append(index.axisIndex) }
      self = replaced(list, with: newValue, for: "subscript")
    }
    // The compiler crashes on the accessor that it would synthesize from `get` and `set` (Swift 6.3).
    _modify {
      var list: [AxisIndex] = []
      for index in repeat each indices { list.append(index.axisIndex) }
      var part = taken(list)
      yield &part
      self = replaced(list, with: part, for: "subscript")
    }
  }

  /// Sets a part to a literal: `x[0] = 1.5`, `x[1] = [1, 2, 3]`.
  @_disfavoredOverload
  public subscript<each Index: AxisIndexing>(_ indices: repeat each Index) -> TensorLiteral {
    @available(*, unavailable, message: "a part of a tensor is a tensor")
    get { .list([]) }
    set {
      var list: [AxisIndex] = []
      for index in repeat each indices { list.append(index.axisIndex) }
      self = replaced(list, with: Tensor(newValue, device: device), for: "subscript")
    }
    _modify {
      var list: [AxisIndex] = []
      for index in repeat each indices { list.append(index.axisIndex) }
      var literal = TensorLiteral.list([])
      yield &literal
      self = replaced(list, with: Tensor(literal, device: device), for: "subscript")
    }
  }

  /// A tensor of the same shape and type, in which `value` replaces the part that the indices select. If lists of
  /// indices select an element several times, the last value counts.
  ///
  /// - Parameter value: broadcast to the shape of the part, `self[indices]`, and converted to the type of this tensor.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange` for lists of indices.
  public func replacing<each Index: AxisIndexing>(
    _ indices: repeat each Index, with value: Tensor
  ) -> Tensor {
    var list: [AxisIndex] = []
    for index in repeat each indices { list.append(index.axisIndex) }
    return replaced(list, with: value, for: "replacing")
  }

  private func taken(_ list: [AxisIndex]) -> Tensor {
    do throws(ShapeError) {
      let region = try Region(list, in: self, for: "subscript")
      return try slice(region).reshaped(to: region.shape).lookingUp(region.lookups, for: "subscript")
    } catch {
      error.report()
      return self
    }
  }

  /// - Parameter operation: the name in errors.
  private func replaced(_ list: [AxisIndex], with value: Tensor, for operation: String) -> Tensor {
    if list.count == 1, case .tensor(let mask) = list[0].kind, mask.dtype == .bool {
      let aligned = mask.reshaped(to: mask.shape.padded(to: rank))
      guard canReplace(where: aligned.shape, with: value.shape, for: operation) else { return self }
      return aligned.select(value.cast(to: dtype), self)
    }
    do throws(ShapeError) {
      let region = try Region(list, in: self, for: operation)
      guard region.lookups.isEmpty else { return try scattering(value, at: list, for: operation) }
      guard value.shape.broadcast(with: region.shape) == region.shape else {
        throw ShapeError(operation, "\(value.shape) does not broadcast to \(region.shape), the part of \(shape)")
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
  /// The tensor with `value` where `mask` holds (`torch.masked_fill`); `value` is cast to the type of this tensor.
  /// `mask.select(value, x)` promotes types instead.
  ///
  /// - Parameters:
  ///   - mask: `bool`, of a shape that broadcasts to the shape of this tensor.
  ///   - value: of a shape that broadcasts to the shape of this tensor.
  public func replacing(where mask: Tensor, with value: Tensor) -> Tensor {
    guard canReplace(where: mask.shape, with: value.shape, for: "replacing") else { return self }
    return mask.select(value.cast(to: dtype), self)
  }

  /// The tensor with `value`, converted to the tensor's type, where `mask` holds.
  ///
  /// - Parameter mask: `bool`, of a shape that broadcasts to the shape of this tensor.
  public func replacing<Number: TensorElement>(where mask: Tensor, with value: Number) -> Tensor {
    guard canReplace(where: mask.shape, with: [], for: "replacing") else { return self }
    return mask.select(.number(value.number.converted(to: dtype), dtype: dtype, device: device), self)
  }

  /// Whether the shapes of a mask and of a value broadcast to this tensor's shape. If they do not, reports an error that
  /// names `operation`.
  private func canReplace(where mask: Shape, with value: Shape, for operation: String) -> Bool {
    if [mask, value].allSatisfy({ $0.broadcast(with: shape) == shape }) { return true }
    ShapeError(operation, "the mask \(mask) and the value \(value) do not broadcast to \(shape)").report()
    return false
  }

  /// The elements where `mask` holds, in row-major order (`x[mask]` of NumPy). The mask is read back to the host,
  /// because the shape of the result depends on it.
  ///
  /// - Parameter mask: `bool`; its extents are those of the tensor's leading axes.
  /// - Returns: `[count, rest…]`, where `rest` are the axes that the mask does not have.
  /// - Throws: `DeviceError` when the mask cannot be computed.
  public func compressed(by mask: Tensor) throws(DeviceError) -> Tensor {
    let rest = shape.dropFirst(mask.rank)
    guard mask.rank <= rank, Shape(shape.prefix(mask.rank)) == mask.shape else {
      ShapeError("compressed", "the mask \(mask.shape) must have the shape of the leading axes of \(shape)").report()
      return self
    }
    let indices = try mask.trueIndices()
    return reshaped(to: Shape([mask.elementCount] + rest))[indices]
  }

  /// The row-major indices of the elements that are not 0, `int64` `[count]`. The tensor is read back to the host.
  ///
  /// - Throws: `DeviceError` when the tensor cannot be computed.
  public func trueIndices() throws(DeviceError) -> Tensor {
    let truth = try array(of: Bool.self)
    return Tensor(truth.indices.filter { truth[$0] }, device: device)
  }
}
