import Apus
import ApusDevice

/// A device that interprets plans element by element: slow and obvious, the oracle of every other device.
///
/// Registers hold `Double` or `Int64` and are rounded or wrapped to their lane after each instruction;
/// sums and products are accumulated in `Double` and rounded once, so that float results are those of exact
/// accumulation.
public final class ReferenceDevice: HostDevice, @unchecked Sendable {
  public init(maximumAllocationByteCount: Int = 1 << 30) {
    super.init(name: "reference", maximumAllocationByteCount: maximumAllocationByteCount)
  }

  override public func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    if let problem = plan.problem {
      throw .buildFailed(device: info.identifier, kernel: "plan", log: problem)
    }
    return Prepared(plan)
  }

  override public func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]
  ) throws(DeviceError) {
    let plan = (executable as! Prepared).plan
    precondition(inputs.count == plan.inputCount && outputs.count == plan.outputs.count)
    precondition(scalars.count == plan.scalars.count)
    for (output, buffer) in zip(plan.outputs, outputs) {
      precondition(buffer.byteCount >= output.byteCount)
      if let donated = output.donatedInput { precondition(inputs[donated] === buffer) }
    }
    let slabs = plan.slabs.map { HostBuffer(byteCount: $0) }
    var interpreter = Interpreter(
      device: info.identifier,
      arrays: plan.values.map { value in
        switch value.storage {
        case .input(let index): HostArray(value, in: inputs[index] as! HostBuffer, at: 0)
        case .output(let index): HostArray(value, in: outputs[index] as! HostBuffer, at: 0)
        case .scratch(let slab, let offset): HostArray(value, in: slabs[slab], at: offset)
        }
      },
      scalars: scalars)
    for planned in plan.steps {
      interpreter.names = planned.names
      try interpreter.run(planned.step)
    }
  }

  private final class Prepared: Executable {
    let plan: Plan
    init(_ plan: Plan) { self.plan = plan }
  }
}

/// Elements of one type in host memory.
struct HostArray {
  let dtype: DType
  let count: Int
  private let buffer: HostBuffer
  private let offset: Int

  init(_ value: Plan.Value, in buffer: HostBuffer, at offset: Int) {
    precondition(offset + value.byteCount <= buffer.byteCount)
    (dtype, count, self.buffer, self.offset) = (value.dtype, value.elementCount, buffer, offset)
  }

  /// The address of the first element.
  var pointer: UnsafeMutableRawPointer { buffer.bytes.baseAddress! + offset }

  /// A value in the memory of this one, from an element of it on.
  func part(_ value: Plan.Value, at element: Int) -> HostArray {
    HostArray(value, in: buffer, at: offset + element * dtype.byteCount)
  }

  /// The element, in the lane of its type.
  subscript(index: Int) -> Scalar {
    get {
      precondition(index >= 0 && index < count)
      let byte = offset + index * dtype.byteCount
      func load<T: BitwiseCopyable>(_ type: T.Type) -> T {
        buffer.bytes.loadUnaligned(fromByteOffset: byte, as: T.self)
      }
      switch dtype {
      case .bool, .uint8: return .integer(Int64(load(UInt8.self)))
      case .int8: return .integer(Int64(load(Int8.self)))
      case .int32: return .integer(Int64(load(Int32.self)))
      case .int64: return .integer(load(Int64.self))
      case .float16: return .float(Rounding.float16.value(ofBits: load(UInt16.self)))
      case .bfloat16: return .float(Rounding.bfloat16.value(ofBits: load(UInt16.self)))
      case .float32: return .float(Double(load(Float.self)))
      case .float64: return .float(load(Double.self))
      }
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      let byte = offset + index * dtype.byteCount
      func store(_ value: some BitwiseCopyable) {
        buffer.bytes.storeBytes(of: value, toByteOffset: byte, as: type(of: value))
      }
      switch dtype {
      // Programs round and wrap before they store: what does not fit is a defect of the plan.
      case .bool:
        precondition((0...1).contains(newValue.integer), "\(newValue) stored as bool")
        store(UInt8(newValue.integer))
      case .uint8: store(UInt8(newValue.integer))
      case .int8: store(Int8(newValue.integer))
      case .int32: store(Int32(newValue.integer))
      case .int64: store(newValue.integer)
      case .float16: store(Rounding.float16.bits(of: newValue.double))
      case .bfloat16: store(Rounding.bfloat16.bits(of: newValue.double))
      case .float32: store(Float(newValue.double))
      case .float64: store(newValue.double)
      }
    }
  }
}
