import ApusDevice

/// Computes the value of a tensor of any shape, if it is not computed yet, and returns the tensor.
///
/// Reading a value computes it, too. Call `eval(_:)` to decide when that happens.
///
/// - Throws: `DeviceError` when the value cannot be computed.
@discardableResult public func eval(_ tensor: Tensor) throws(DeviceError) -> Tensor {
  try tensor.device.makeValues(of: [tensor.node])
  return tensor
}

/// Computes the values of several tensors together, in one plan for each device. Their shapes may differ.
///
/// - Throws: `DeviceError` when a value cannot be computed.
public func eval(_ tensors: [Tensor]) throws(DeviceError) {
  var rest = tensors
  while let device = rest.first?.device {
    let roots = rest.filter { $0.device === device }.map(\.node)
    rest.removeAll { $0.device === device }
    try device.makeValues(of: roots)
  }
}

extension ComputeDevice {
  /// Evaluates the roots that have no value yet.
  fileprivate func makeValues(of roots: [Node]) throws(DeviceError) {
    let scope = AnomalyScope.current
    if scope != nil { expandDeferredGraphs() }
    var former: Evaluator.Unexpanded?
    repeat {
      if former != nil { expandDeferredGraphs() }
      former = try withEvaluator { evaluator throws(DeviceError) in
        try evaluator.makeValues(of: roots, checking: scope, after: former)
      }
    } while former != nil
  }
}

extension Evaluator {
  fileprivate mutating func makeValues(
    of roots: [Node], checking scope: AnomalyScope?, after former: Unexpanded?
  ) throws(DeviceError) -> Unexpanded? {
    if roots.contains(where: { !$0.isMaterialized }) {
      let unexpanded =
        if let scope { try evaluate(roots, checking: scope) } else { try evaluate(roots, after: former) }
      if let unexpanded { return unexpanded }
    }
    for root in roots { if let failure = root.failure { throw failure } }
    return nil
  }
}

extension Tensor {
  /// Computes the value together with the next evaluation on the device, if a tensor still refers to it by then. For
  /// example, a loss or a statistic is computed in the plan that updates the parameters.
  public func evaluateWithNext() {
    device.withEvaluator { if !node.isMaterialized { $0.attach(node) } }
  }

  /// Whether the value has been computed, is being computed on the device, or could not be computed.
  public var isEvaluated: Bool { device.withEvaluator { _ in node.isMaterialized } }

  /// Starts copying the value to the host. `Reading.array()` waits for the copy, but not for work that is submitted to
  /// the device after this call.
  public func startReading() throws(DeviceError) -> Reading {
    try device.makeValues(of: [node])
    let buffer = device.withEvaluator { _ in node.buffer! }
    let download = try device.backend.startDownload(buffer, byteCount: byteCount)
    return Reading(download: download, shape: shape, dtype: dtype)
  }

  /// Calls `body` with the bytes of the elements in row-major order.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R {
    try startReading().download.wait(body)
  }

  /// The elements in row-major order, converted to `Element` as by `cast(to:)`: `elementCount` numbers.
  ///
  /// - Throws: `DeviceError` when the value cannot be computed.
  public func array<Element: TensorElement>(
    of type: Element.Type = Float.self
  ) throws(DeviceError) -> [Element] {
    let source = dtype == Element.dtype ? self : cast(to: Element.dtype)
    return try source.startReading().array(of: type)
  }

  /// The only element, as a `Double`.
  /// - Precondition: the tensor has one element.
  public func scalar() throws(DeviceError) -> Double {
    if elementCount != 1 {
      ShapeError("scalar", "a tensor of shape \(shape) does not have exactly one element").report()
      return 0
    }
    return try startReading().scalar()
  }
}

extension Tensor {
  /// A tensor on the same device whose elements the host computes immediately from the elements of this one. Gradients
  /// do not flow through it. If this tensor cannot be read, reading the result throws the same error.
  package func mappedOnHost(to shape: Shape, _ transform: ([Float]) -> [Float]) -> Tensor {
    do throws(DeviceError) {
      return Tensor(transform(try array()), shape: shape, device: device)
    } catch {
      return Tensor(node: Node(buffer: nil, failure: error, type: TensorType(shape, .float32), device: device))
    }
  }
}

/// A value that is being copied to the host.
public struct Reading: Sendable {
  let download: any Download
  /// The extents of the value, outermost first.
  public let shape: Shape
  /// The element type of the value.
  public let dtype: DType

  /// The elements in row-major order.
  /// - Precondition: `Element` is the Swift type of `dtype`.
  public func array<Element: TensorElement>(of type: Element.Type = Float.self) throws(DeviceError) -> [Element] {
    guard Element.dtype == dtype else {
      ShapeError("array", "the elements are \(dtype), but \(Element.self) is \(Element.dtype)").report()
      return []
    }
    return try download.wait { bytes in
      [Element](unsafeUninitializedCapacity: shape.elementCount) { target, count in
        UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes)
        count = shape.elementCount
      }
    }
  }

  /// The first element as a `Double`.
  public func scalar() throws(DeviceError) -> Double {
    try download.wait { bytes in
      switch dtype {
      case .bool, .uint8: Double(bytes.load(as: UInt8.self))
      case .int8: Double(bytes.load(as: Int8.self))
      case .int32: Double(bytes.load(as: Int32.self))
      case .int64: Double(bytes.load(as: Int64.self))
      case .float16: Double(bytes.load(as: Float16.self))
      case .bfloat16: Double(Float(bytes.load(as: BFloat16.self)))
      case .float32: Double(bytes.load(as: Float.self))
      case .float64: bytes.load(as: Double.self)
      }
    }
  }
}
