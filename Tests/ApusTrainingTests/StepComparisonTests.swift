import Apus
import ApusDevice
import ApusTestSupport
import Testing

struct StepComparisonTests {
  private let reference = ComputeDevice(backend: ReferenceDevice())

  /// A loss, its gradients, and random numbers.
  private func step(_ device: ComputeDevice) throws -> [Tensor] {
    withDevice(device) {
      let x = Tensor((0..<24).map { Float($0) / 12 - 1 }, shape: [4, 6])
      let weight = Tensor((0..<18).map { Float($0 % 7) / 5 - 0.4 }, shape: [6, 3])
      return recordingGradients {
        let hidden = x.matmul(weight).tanh()
        let loss = hidden.squared().mean()
        var key = RandomKey(seed: 4)
        let noise = Tensor.uniform([5], key: &key)
        return [loss, noise] + gradients(of: loss, withRespectTo: [weight])
      }
    }
  }

  @Test func equalDevicesAgree() throws {
    let comparison = try StepComparison(
      on: [reference, .named("cpu")], reference: reference, step: step)
    #expect(comparison.divergence == nil, "\(comparison)")
    #expect(comparison.operationCount > 8 && comparison.losses.count == 2)
    #expect(abs(comparison.losses[0] - comparison.losses[1]) < 1e-6)
  }

  /// The faulty operation is named, not an operation that depends on it.
  @Test func theWrongOperationIsNamed() throws {
    let faulty = ComputeDevice(backend: FaultyDevice(replacing: .tanh, by: .sin))
    let comparison = try StepComparison(on: [reference, faulty], reference: reference, step: step)
    let found = try #require(comparison.divergence)
    #expect(found.operation == "tanh" && found.shape == [4, 3] && found.share > 1000)
    #expect(found.device == "faulty" && comparison.largest == found)
  }

  @Test func sumsAreComparedRelativeToTheirTerms() throws {
    // The terms nearly cancel: their sum is about 1146, and the sum of their magnitudes 277,505. The tolerance is
    // proportional to the second sum.
    func step(_ device: ComputeDevice) throws -> [Tensor] {
      let numbers = (0..<1000).map { (index: Int) -> Float in Float(index * 7919 % 1009) * 1.1 - 554 }
      return withDevice(device) { [Tensor(numbers).sum()] }
    }
    let comparison = try StepComparison(on: [.named("cpu")], reference: reference, step: step)
    #expect(comparison.divergence == nil)
    #expect(comparison.largest?.operation == "sum", "the sum is exact: the test tests nothing")
  }
}

/// The reference device, with one elementwise function replaced by another.
private final class FaultyDevice: Device, Sendable {
  private let base = ReferenceDevice()
  private let function: ElementwiseRow
  private let replacement: ElementwiseRow

  init(replacing function: ElementwiseRow, by replacement: ElementwiseRow) {
    self.function = function
    self.replacement = replacement
  }

  var info: DeviceInfo {
    var info = base.info
    info.identifier = "faulty"
    return info
  }

  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable {
    var plan = plan
    for index in plan.steps.indices {
      switch plan.steps[index].step {
      case .elementwise(var step):
        exchange(in: &step.program)
        plan.steps[index].step = .elementwise(step)
      case .matmul(var step):
        exchange(in: &step.epilogue.program)
        plan.steps[index].step = .matmul(step)
      default: break
      }
    }
    return try base.prepare(plan)
  }

  private func exchange(in program: inout Program) {
    for index in program.instructions.indices where program.instructions[index].function == .row(function) {
      program.instructions[index].function = .row(replacement)
    }
  }

  func allocate(byteCount: Int) throws(DeviceError) -> Buffer { try base.allocate(byteCount: byteCount) }

  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) {
    try base.upload(source, to: buffer)
  }

  func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download {
    try base.startDownload(buffer, byteCount: byteCount)
  }

  func run(
    _ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar], areIndicesKnown: Bool
  ) throws(RunFailure) {
    try base.run(
      executable, inputs: inputs, outputs: outputs, scalars: scalars, areIndicesKnown: areIndicesKnown)
  }

  func synchronize() throws(DeviceError) {}
  var memory: MemoryStatistics { base.memory }
  func releaseUnusedMemory() {}
}
