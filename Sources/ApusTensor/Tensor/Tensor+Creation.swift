import ApusDevice

extension Tensor {
  /// A tensor of shape `shape` whose elements all have one value, converted as by `cast(to:)`. Plans contain the value
  /// as a constant, so another value needs another plan; see `number(_:shape:dtype:device:)`.
  public init(
    repeating value: Double, shape: Shape, dtype: DType = .float32, device: ComputeDevice = .current
  ) {
    self.init(value, shape, dtype, device, "Tensor")
  }

  /// Creates the tensor; an invalid shape is reported as an error of `operation`.
  private init(
    _ value: Double, _ shape: Shape, _ dtype: DType, _ device: ComputeDevice, _ operation: String
  ) {
    let shape = Tensor.accepts(shape, operation) ? shape : []
    self.init(repeating: Scalar(value, as: dtype), shape: shape, dtype: dtype, device: device)
  }

  /// - Precondition: the shape is valid, and `dtype` can represent the number.
  init(repeating number: Scalar, shape: Shape, dtype: DType, device: ComputeDevice) {
    self.init(
      node: Node(
        op: .constant, inputs: OpInputs(), attributes: .number(number), type: TensorType(shape, dtype),
        device: .passUnretained(device)))
  }

  /// A tensor of zeros in the shape `shape`, by default `float32` on the current device.
  public static func zeros(
    _ shape: Shape, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    Tensor(0, shape, dtype, device, "zeros")
  }

  /// A tensor of ones in the shape `shape`, by default `float32` on the current device.
  public static func ones(
    _ shape: Shape, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    Tensor(1, shape, dtype, device, "ones")
  }

  /// A tensor of shape `shape`, by default a scalar, whose elements all have one value. If only that value changes from
  /// one training step to the next (a learning rate, a loss scale), the steps share a plan.
  public static func number(
    _ value: Double, shape: Shape = [], dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    number(Scalar(value, as: dtype), shape: accepts(shape, "number") ? shape : [], dtype: dtype, device: device)
  }

  static func number(_ value: Scalar, shape: Shape = [], dtype: DType, device: ComputeDevice) -> Tensor {
    Tensor(
      node: Node(
        op: .scalar, inputs: OpInputs(), attributes: .number(value), type: TensorType(shape, dtype),
        device: .passUnretained(device)))
  }

  /// A tensor of `values` in row-major order.
  /// - Precondition: `values.count == shape.elementCount`.
  @_disfavoredOverload
  public init<Element: TensorElement>(
    _ values: [Element], shape: Shape, device: ComputeDevice = .current
  ) {
    guard Tensor.accepts(shape, "Tensor") else {
      self.init(repeating: 0, shape: [], dtype: Element.dtype, device: device)
      return
    }
    guard values.count == shape.elementCount else {
      ShapeError("Tensor", "\(values.count) values do not fill \(shape) (\(shape.elementCount) elements)")
        .report()
      self.init(repeating: 0, shape: shape, dtype: Element.dtype, device: device)
      return
    }
    self = values.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: Element.dtype, device: device) }
  }

  /// A tensor of rank 1, `[values.count]`.
  @_disfavoredOverload
  public init<Element: TensorElement>(_ values: [Element], device: ComputeDevice = .current) {
    self.init(values, shape: [values.count], device: device)
  }

  /// A tensor from its elements' bytes: row-major, little-endian, one byte of 0 or 1 for a `bool`.
  /// - Precondition: `bytes.count` is the size of the tensor.
  public init(
    bytes: UnsafeRawBufferPointer, shape: Shape, dtype: DType, device: ComputeDevice = .current
  ) {
    guard Tensor.accepts(shape, "Tensor") else {
      self.init(repeating: 0, shape: [], dtype: dtype, device: device)
      return
    }
    let type = TensorType(shape, dtype)
    guard bytes.count == shape.byteCount(of: dtype) else {
      ShapeError("Tensor", "\(bytes.count) bytes do not fill \(shape) of \(dtype)").report()
      self = Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
      return
    }
    do throws(DeviceError) {
      let buffer = try device.backend.allocate(byteCount: Swift.max(bytes.count, 1))
      try device.backend.upload(bytes, to: buffer)
      let node = Node(buffer: buffer, type: type, device: device)
      node.numbers = Tensor.numbers(of: bytes, type)
      self.init(node: node)
    } catch {
      self.init(node: Node(buffer: nil, failure: error, type: type, device: device))
    }
  }

  /// The range of the integers in `bytes`, which may be indices. If the range of indices is known, no run waits for the
  /// device to check them. `nil` for `bool` and floating-point numbers, and for 8-bit tensors with several axes, which
  /// are assumed to be images.
  private static func numbers(of bytes: UnsafeRawBufferPointer, _ type: TensorType) -> ClosedRange<Int>? {
    switch type.dtype {
    case .int32: range(of: bytes, as: Int32.self)
    case .int64: range(of: bytes, as: Int64.self)
    case .int8 where type.shape.rank <= 1: range(of: bytes, as: Int8.self)
    case .uint8 where type.shape.rank <= 1: range(of: bytes, as: UInt8.self)
    default: nil
    }
  }

  private static func range<T: FixedWidthInteger & BitwiseCopyable>(
    of bytes: UnsafeRawBufferPointer, as type: T.Type
  ) -> ClosedRange<Int>? {
    let size = MemoryLayout<T>.size
    guard bytes.count >= size else { return nil }
    var (least, largest) = (T.max, T.min)
    for offset in stride(from: 0, to: bytes.count, by: size) {
      let number = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
      least = Swift.min(least, number)
      largest = Swift.max(largest, number)
    }
    return Int(least)...Int(largest)
  }

  /// Returns a copy on another device, in the same shape and type; gradients do not flow through it. If `target` is the
  /// tensor's own device, returns the tensor itself.
  ///
  /// - Throws: `DeviceError` when the value cannot be computed.
  public func moved(to target: ComputeDevice) throws(DeviceError) -> Tensor {
    if target === device { return self }
    return try withBytes { bytes in
      Tensor(bytes: bytes, shape: shape, dtype: dtype, device: target)
    }
  }
}

extension Scalar {
  /// The number converted to `dtype`, as by `init(_:as:)`; 64-bit integers are kept exactly.
  func converted(to dtype: DType) -> Scalar {
    switch (self, dtype) {
    case (.integer, .int64): self
    case (.integer(let value), _): Scalar(Double(value), as: dtype)
    case (.float(let value), _): Scalar(value, as: dtype)
    }
  }

  /// A number converted to `dtype`: to integers as by `cast(to:)`, to 0 and 1 for `bool`. Floating-point numbers are
  /// rounded when they are stored.
  init(_ value: Double, as dtype: DType) {
    if dtype.isFloatingPoint {
      self = .float(value)
      return
    }
    let integer = Scalar.float(value).integer
    switch dtype {
    case .bool: self = .integer(value != 0 ? 1 : 0)
    case .int8: self = .integer(Int64(Int8(truncatingIfNeeded: Int32(clamping: integer))))
    case .uint8: self = .integer(Int64(UInt8(truncatingIfNeeded: Int32(clamping: integer))))
    case .int32: self = .integer(Int64(Int32(clamping: integer)))
    default: self = .integer(integer)
    }
  }
}

extension Scalar {
  /// A number for tensors of any type, given as a `Double`: `.integer` if it is a whole number that fits in 64 bits,
  /// else `.float`.
  init(bound value: Double) {
    let isWhole = value.magnitude < 0x1p63 && value.rounded(.towardZero) == value
    self = isWhole ? .integer(Int64(value)) : .float(value)
  }

  /// `value` as a number of `dtype`. For an integer type, `value` is a whole number; a value out of range becomes the
  /// smallest or largest number of the type.
  init(saturating value: Double, as dtype: DType) {
    switch dtype {
    case .int8: self.init(min(max(value, -128), 127), as: dtype)
    case .uint8: self.init(min(max(value, 0), 255), as: dtype)
    default: self.init(value, as: dtype)
    }
  }
}

extension TensorElement {
  /// The number, converted to `Double` or `Int64`.
  var number: Scalar {
    switch Self.dtype {
    case .float32: .float(Double(unsafeBitCast(self, to: Float.self)))
    case .float64: .float(unsafeBitCast(self, to: Double.self))
    case .float16: .float(Double(unsafeBitCast(self, to: Float16.self)))
    case .bfloat16: .float(Double(Float(unsafeBitCast(self, to: BFloat16.self))))
    case .int64: .integer(unsafeBitCast(self, to: Int64.self))
    case .int32: .integer(Int64(unsafeBitCast(self, to: Int32.self)))
    case .int8: .integer(Int64(unsafeBitCast(self, to: Int8.self)))
    case .uint8: .integer(Int64(unsafeBitCast(self, to: UInt8.self)))
    case .bool: .integer(unsafeBitCast(self, to: Bool.self) ? 1 : 0)
    }
  }
}

extension Op {
  /// A scalar whose value may differ between runs of one plan.
  static let scalar: Op = Op(
    name: "number", shape: { _, _ throws(ShapeError) in TensorType([], .float32) },
    gradient: .notDifferentiable, lower: .scalar)

  /// A scalar whose value is a constant of the plan.
  static let constant: Op = Op(
    name: "constant", shape: { _, _ throws(ShapeError) in TensorType([], .float32) },
    gradient: .notDifferentiable, lower: .constant)
}

extension Tensor {
  /// The identity matrix `[rows, columns]`, by default `[rows, rows]`: ones where column and row are equal, zeros
  /// elsewhere.
  public static func eye(
    _ rows: Int, _ columns: Int? = nil, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    let shape: Shape = [rows, columns ?? rows]
    return (indices(shape, 0, "eye", .int64, device) .== indices(shape, 1, "eye", .int64, device)).cast(to: dtype)
  }

  /// `count` equally spaced numbers from `start` to `end`, including both, in the shape `[count]`. For a `count` of 1
  /// the number is `start`.
  public static func linspace(
    from start: Double, to end: Double, count: Int, dtype: DType = .float32,
    device: ComputeDevice = .current
  ) -> Tensor {
    let wide: DType = dtype == .float64 ? .float64 : .float32
    let index = indices([count], 0, "linspace", .int64, device).cast(to: wide)
    let step = count > 1 ? (end - start) / Double(count - 1) : 0
    // Each half is counted from its own end, so that both ends are exact.
    let isFirstHalf = index .< Double(count) / 2
    let fromStart = index.spaced(from: start, by: step)
    let fromEnd = index.constant(end) - (index.constant(Double(count - 1)) - index) * index.constant(step)
    return isFirstHalf.select(fromStart, fromEnd).cast(to: dtype)
  }

  /// The coordinates of all points of a grid: result `i` has the elements of vector `i` along axis `i` and repeats them
  /// along all other axes.
  ///
  /// - Parameter vectors: `[n₀]`, `[n₁]`, …, at most 8.
  /// - Returns: a tensor `[n₀, n₁, …]` for each vector (`indexing="ij"` of PyTorch).
  /// - Precondition: all tensors have one axis.
  public static func meshgrid(_ vectors: [Tensor]) -> [Tensor] {
    guard vectors.allSatisfy({ $0.rank == 1 }), vectors.count <= Shape.maximumRank else {
      ShapeError("meshgrid", "\(vectors.map(\.shape)) must be at most \(Shape.maximumRank) vectors").report()
      return vectors
    }
    let full = Shape(vectors.map(\.elementCount))
    guard accepts(full, "meshgrid") else { return vectors }
    return vectors.enumerated().map { axis, vector in
      var shape = Shape(repeating: 1, count: full.rank)
      shape[axis] = full[axis]
      return vector.reshaped(to: shape).broadcast(to: full)
    }
  }
}
