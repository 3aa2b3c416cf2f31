import ApusDevice

extension Op {
  /// The row-major index of each element. Attributes: the raw value of the element type, then the shape.
  static let index: Op = Op(
    name: "index",
    shape: { _, attributes throws(ShapeError) in
      TensorType(Shape(attributes.integers.dropFirst()), DType(rawValue: UInt8(attributes.integers[0]))!)
    },
    gradient: .notDifferentiable,
    lower: .index)
}

extension Tensor {
  /// The index of each element of `shape` along `axis`: for `[2, 3]` and axis 1, `[[0, 1, 2], [0, 1, 2]]`.
  ///
  /// - Precondition: `dtype` is `int64`, or `int32` for fewer than 2³¹ elements.
  public static func indices(
    _ shape: Shape, axis: Int, dtype: DType = .int64, device: ComputeDevice = .current
  ) -> Tensor {
    indices(shape, axis, "indices", dtype, device)
  }

  /// The row-major index of each element of a shape, as `int32` if all of them fit.
  static func indices(_ shape: Shape, device: ComputeDevice) -> Tensor {
    indices(shape, shape.elementCount <= Int(Int32.max) ? .int32 : .int64, device)
  }

  private static func indices(_ shape: Shape, _ dtype: DType, _ device: ComputeDevice) -> Tensor {
    Tensor(.index, OpInputs(), .integers([Int(dtype.rawValue)] + Array(shape)), device: device)
  }

  /// As `indices(_:axis:)`; errors name `operation`.
  static func indices(
    _ shape: Shape, _ axis: Int, _ operation: String, _ dtype: DType = .int64, _ device: ComputeDevice
  ) -> Tensor {
    guard accepts(shape, operation) else { return Tensor(repeating: 0, shape: [], dtype: dtype, device: device) }
    guard (-shape.rank..<shape.rank).contains(axis) else {
      ShapeError(operation, "axis \(axis) is not an axis of \(shape)").report()
      return Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
    }
    let axis = axis < 0 ? axis + shape.rank : axis
    let isSmall = dtype == .int32 && shape.elementCount <= Int(Int32.max)
    guard isSmall || dtype == .int64 else {
      ShapeError(operation, "\(dtype) cannot represent the indices of \(shape)").report()
      return Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
    }
    let number = indices(shape, dtype, device)
    let inner = shape[(axis + 1)...].reduce(1, *)
    let outer = inner == 1 ? number : Tensor.arithmetic(.floorDivide, number, number.constant(Double(inner)))
    return axis == 0 ? outer : outer.remainder(outer.constant(Double(shape[axis])))
  }

  /// `start, start + step, …` up to, but excluding, `end`, in the shape `[⌈(end − start) / step⌉]`, or `[0]` if that
  /// extent is negative. A negative step counts down.
  ///
  /// - Precondition: `step` is not 0, and there are at most 2⁵³ numbers.
  public static func range(
    from start: Double = 0, to end: Double, step: Double = 1, dtype: DType = .int64,
    device: ComputeDevice = .current
  ) -> Tensor {
    let quotient = ((end - start) / step).rounded(.up)
    // Above 2⁵³ a `Double` does not represent every count.
    guard step != 0, quotient <= 0x1p53 else {
      ShapeError("range", "the range from \(start) to \(end) by \(step) has no valid number of elements").report()
      return Tensor(repeating: 0, shape: [0], dtype: dtype, device: device)
    }
    let count = Int(Swift.max(0, quotient))
    let wide: DType = dtype.isFloatingPoint ? (dtype == .float64 ? .float64 : .float32) : .int64
    let index = indices([count], axis: 0, device: device).cast(to: wide)
    return index.spaced(from: start, by: step).cast(to: dtype)
  }

  /// `start + step · i` of each index `i`.
  func spaced(from start: Double, by step: Double) -> Tensor { self * constant(step) + constant(start) }

  /// One-hot vectors: `[…]` becomes `[…, classes]`, with 1 at the index that an element gives and 0 elsewhere. An index
  /// out of range gives a vector of zeros. Elements that are not integers are truncated toward zero.
  ///
  /// - Precondition: the tensor has at most 7 axes.
  public func oneHot(_ classes: Int, dtype: DType = .float32) -> Tensor {
    guard hasRoomForAxis("oneHot") else { return cast(to: dtype) }
    var full = shape
    full.append(classes)
    guard Tensor.accepts(full, "oneHot") else { return cast(to: dtype) }
    let indices = Tensor.indices(full, axis: rank, device: device)
    return (expandingAxis(at: rank).cast(to: .int64) .== indices).cast(to: dtype)
  }
}
