import Apus
import ApusDevice

/// A device that interprets plans element by element. Its code follows the definitions of the steps, so that it can be
/// the reference for every other device.
///
/// The registers of programs contain `Double` or `Int64` and are rounded or wrapped to their arithmetic type (lane)
/// after each instruction. Sums and products are accumulated in `Double` and rounded once, so that `float32` results
/// have almost no accumulation error.
public final class ReferenceDevice: HostDevice, @unchecked Sendable {
  override public var fastAttentionTypes: [DType] { attentionTypes }
  private let attentionTypes: [DType]

  public init(maximumAllocationByteCount: Int = 1 << 30, fastAttentionTypes: [DType] = []) {
    attentionTypes = fastAttentionTypes
    super.init(name: "reference", maximumAllocationByteCount: maximumAllocationByteCount)
  }

  override public func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    if let problem = plan.problem {
      throw .buildFailed(device: info.identifier, kernel: "plan", log: problem)
    }
    return Prepared(plan)
  }

  override public func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
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
      do throws(DeviceError) { try interpreter.run(planned.step) } catch { throw RunFailure(error) }
    }
  }

  private final class Prepared: Executable {
    let plan: Plan
    init(_ plan: Plan) { self.plan = plan }
  }
}
