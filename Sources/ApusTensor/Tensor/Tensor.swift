import ApusDevice
import Synchronization

/// A multi-dimensional array of numbers, computed when its value is needed.
///
/// A tensor is a value: no operation changes an existing one. Operations build a graph; `array()`, `scalar()`,
/// `eval(_:)` or an optimizer's update runs it on the tensor's device, as one plan with fused steps.
///
/// The operations have common rules, which are PyTorch's:
/// - Shapes of operands broadcast: they are aligned at their last axes, and extents are equal, or one of them is 1 or
///   missing. In the broadcast shape, an extent that is 1 or missing becomes the extent of the other operand.
/// - Element types of operands are promoted: floating-point before integer before `bool`, then the wider one. A tensor
///   without axes counts only if its kind (floating-point, integer or `bool`) is above the kind of every tensor with
///   axes.
/// - A number takes the element type of the tensor next to it. An integer or `bool` tensor and a floating-point number
///   give `float32`, a `bool` tensor and an integer give `int64`.
/// - Negative axes count from the end: −1 is the last axis.
///
/// The operands are on one device. Shapes, element types and axes that an operation does not accept stop the process at
/// the call, or are thrown by `checkingShapes(_:)` as a `ShapeError`. A `DeviceError`, such as an index out of range,
/// is thrown where a value is read.
public struct Tensor: Sendable {
  var handle: Handle

  /// Counts the tensors that refer to a node, so that evaluation knows which values are still needed.
  final class Handle: @unchecked Sendable {
    /// Owned, and released in `deinit`.
    private let reference: Unmanaged<Node>

    var node: Node { reference.takeUnretainedValue() }

    init(_ node: consuming Node) {
      node.handleCount.add(1, ordering: .relaxed)
      reference = .passRetained(node)
    }

    // Because of `releasing`, a thread that loads the lower count also sees the nodes that were built on this node.
    deinit {
      reference._withUnsafeGuaranteedRef { _ = $0.handleCount.subtract(1, ordering: .releasing) }
      reference.release()
    }
  }

  @inline(__always) var node: Node { handle.node }

  init(node: Node) { handle = Handle(node) }

  /// The extents, outermost first.
  public var shape: Shape { node.shape }

  /// The element type.
  public var dtype: DType { node.dtype }

  /// The number of axes.
  public var rank: Int { node.shape.rank }

  /// The product of the extents, 1 for a scalar.
  public var elementCount: Int { node.shape.elementCount }
  /// The size of all elements in bytes.
  public var byteCount: Int { shape.byteCount(of: dtype) }

  /// The device the tensor lives on.
  public var device: ComputeDevice { node.device }

  /// Builds an operation. A violated shape rule stops the process here, or is recorded by `checkingShapes`.
  init(
    _ op: Op, _ inputs: consuming OpInputs, _ attributes: consuming Attributes = .none,
    device: ComputeDevice? = nil
  ) {
    let deviceReference: Unmanaged<ComputeDevice>
    if let device {
      deviceReference = .passUnretained(device)
    } else if inputs.first != nil {
      deviceReference = inputs.first.unsafelyUnwrapped.deviceReference
    } else {
      deviceReference = .passUnretained(.current)
    }
    let type: TensorType
    do throws(ShapeError) {
      try Tensor.checkDevices(op, inputs, deviceReference)
      type = try op.shape(inputs, attributes)
      if !type.shape.isValid { throw ShapeError(op.method, "the result's shape \(type.shape.invalidReason ?? "")") }
    } catch {
      error.report()
      self.init(
        node: Node(
          op: .constant, inputs: OpInputs(), attributes: .number(.float(0)),
          type: TensorType(inputs.first?.shape ?? Shape(), inputs.first?.dtype ?? .float32), device: deviceReference))
      return
    }
    self.init(
      node: Node(op: op, inputs: inputs, attributes: attributes, type: type, device: deviceReference))
  }

  private static func checkDevices(
    _ op: Op, _ inputs: borrowing OpInputs, _ device: Unmanaged<ComputeDevice>
  ) throws(ShapeError) {
    for index in 0..<inputs.count where inputs.device(index).toOpaque() != device.toOpaque() {
      let names = (device.takeUnretainedValue().name, inputs.device(index).takeUnretainedValue().name)
      throw ShapeError(op.method, "inputs are on \(names.0) and \(names.1); use moved(to:) to copy one")
    }
  }
}

// Types of the device interface that users of tensors need.
/// The extents of a tensor.
public typealias Shape = ApusDevice.Shape
/// The element type of a tensor.
public typealias DType = ApusDevice.DType
/// The error that evaluation and access throw.
public typealias DeviceError = ApusDevice.DeviceError
/// The type of `ComputeDevice.info`.
public typealias DeviceInfo = ApusDevice.DeviceInfo
/// The record of a plan step or a kernel that ran, as returned by `ComputeDevice.finishProfile`.
public typealias StepRecord = ApusDevice.StepRecord
/// The measurements of the kernels that can run a step, as reported by `ComputeDevice.tune(report:_:)`.
public typealias TuningRecord = ApusDevice.TuningRecord
/// The cost of a step, as in a `StepRecord`.
public typealias StepCost = ApusDevice.StepCost
/// The type of `ComputeDevice.memory`.
public typealias MemoryStatistics = ApusDevice.MemoryStatistics
