import ApusDevice

extension Tensor {
  /// A tensor of equal numbers. The number is part of the plans that use it.
  public init(
    repeating value: Double, shape: Shape, dtype: DType = .float32, device: ComputeDevice = .current
  ) {
    let number: Scalar = dtype.isFloatingPoint ? .float(value) : .integer(Scalar.float(value).integer)
    self.init(
      node: Node(
        op: .constant, inputs: OpInputs(), attributes: .number(number), type: TensorType(shape, dtype),
        device: .passUnretained(device)))
  }

  /// A tensor of zeros.
  public static func zeros(
    _ shape: Shape, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
  }

  /// A tensor of ones.
  public static func ones(
    _ shape: Shape, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    Tensor(repeating: 1, shape: shape, dtype: dtype, device: device)
  }

  /// A number that may change from step to step (a rate, a loss scale): plans are shared by all its values.
  public static func number(
    _ value: Double, shape: Shape = [], dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    number(
      dtype.isFloatingPoint ? .float(value) : .integer(Scalar.float(value).integer), shape: shape,
      dtype: dtype, device: device)
  }

  static func number(_ value: Scalar, shape: Shape = [], dtype: DType, device: ComputeDevice) -> Tensor {
    Tensor(
      node: Node(
        op: .scalar, inputs: OpInputs(), attributes: .number(value), type: TensorType(shape, dtype),
        device: .passUnretained(device)))
  }

  /// A tensor of `values` in row-major order.
  /// - Precondition: `values.count == shape.elementCount`.
  public init<Element: TensorElement>(
    _ values: [Element], shape: Shape, device: ComputeDevice = .current
  ) {
    var values = values
    if values.count != shape.elementCount {
      ShapeError("tensor", "\(values.count) values do not fill \(shape) (\(shape.elementCount) elements)")
        .report()
      values = Array(repeating: Element.zero, count: shape.elementCount)
    }
    self = values.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: Element.dtype, device: device) }
  }

  /// A tensor of rank 1.
  public init<Element: TensorElement>(_ values: [Element], device: ComputeDevice = .current) {
    self.init(values, shape: [values.count], device: device)
  }

  /// A tensor from its elements' bytes: row-major, little-endian, one byte of 0 or 1 for a `bool`.
  /// - Precondition: `bytes.count` is the size of the tensor.
  public init(
    bytes: UnsafeRawBufferPointer, shape: Shape, dtype: DType, device: ComputeDevice = .current
  ) {
    let type = TensorType(shape, dtype)
    guard bytes.count == shape.elementCount * dtype.byteCount else {
      ShapeError("tensor", "\(bytes.count) bytes do not fill \(shape) of \(dtype)").report()
      self = Tensor(repeating: 0, shape: shape, dtype: dtype, device: device)
      return
    }
    do throws(DeviceError) {
      let buffer = try device.backend.allocate(byteCount: Swift.max(bytes.count, 1))
      try device.backend.upload(bytes, to: buffer)
      self.init(node: Node(buffer: buffer, type: type, device: device))
    } catch {
      self.init(node: Node(buffer: nil, failure: error, type: type, device: device))
    }
  }

  /// A copy on another device; gradients do not flow through it.
  public func moved(to target: ComputeDevice) throws(DeviceError) -> Tensor {
    if target === device { return self }
    return try withBytes { bytes in
      Tensor(bytes: bytes, shape: shape, dtype: dtype, device: target)
    }
  }
}

/// A Swift type that tensors can be made of and read as.
public protocol TensorElement: BitwiseCopyable, Sendable {
  static var dtype: DType { get }
  static var zero: Self { get }
}

extension Float: TensorElement { public static var dtype: DType { .float32 } }
extension Double: TensorElement { public static var dtype: DType { .float64 } }
extension Int64: TensorElement { public static var dtype: DType { .int64 } }
extension Int: TensorElement { public static var dtype: DType { .int64 } }
extension Int32: TensorElement { public static var dtype: DType { .int32 } }
extension Int8: TensorElement { public static var dtype: DType { .int8 } }
extension UInt8: TensorElement { public static var dtype: DType { .uint8 } }
extension Bool: TensorElement {
  public static var dtype: DType { .bool }
  public static var zero: Bool { false }
}

extension Op {
  /// A number that may differ from run to run.
  static let scalar: Op = Op(
    name: "number", shape: { _, _ throws(ShapeError) in TensorType([], .float32) },
    gradient: .notDifferentiable, lower: .scalar)

  /// A number that is part of the plan.
  static let constant: Op = Op(
    name: "constant", shape: { _, _ throws(ShapeError) in TensorType([], .float32) },
    gradient: .notDifferentiable, lower: .constant)
}
