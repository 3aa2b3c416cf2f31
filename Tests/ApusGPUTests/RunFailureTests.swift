import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

/// A failed run says whether it may have overwritten its inputs.
@DeviceThread @Suite struct RunFailureTests {
  /// Gathers rows of a table, then overwrites the table with its negation.
  private func plan(_ indices: [Double]) -> PlanBuilder {
    var builder = PlanBuilder()
    let table = builder.input([1, 2, 3, 4], .float32)
    let list = builder.input(indices, .int32)
    let rows = builder.output(2, .float32)
    let opposite = builder.output(over: table)
    builder.step(
      .gather(
        Gather(
          outer: 1, extent: 4, count: 2, inner: 1, dtype: .float32, source: table,
          indices: Operand(value: list, layout: Layout(shape: [1, 2, 1], strides: [2, 1, 0])), result: rows)))
    let layout = Layout(contiguous: [4])
    let program = Program(
      inputs: [.tensor(.float32)], instructions: [Instruction(.negate, lane: .float32, operands: [0])],
      outputs: [Program.Output(register: 1, dtype: .float32)])
    let binding = Binding(
      domain: [4], arguments: [.tensor(Operand(value: table, layout: layout))],
      results: [Operand(value: opposite, layout: layout)])
    builder.step(.elementwise(Elementwise(program: program, segments: [binding])))
    return builder
  }

  private func buffer<T: BitwiseCopyable>(_ values: [T], _ device: any Device) throws -> Buffer {
    let buffer = try device.allocate(byteCount: 64)
    try values.withUnsafeBytes { try device.upload($0, to: buffer) }
    return buffer
  }

  /// Runs the plan in replays of its recorded launches. After `replaysLeft` replays, the next one fails; `nil` for no
  /// failure. Returns the error, whether the run says that it may have overwritten its inputs, and the table.
  private func outcome(
    _ indices: [Int32], replaysLeft: Int? = nil, areIndicesKnown: Bool = false
  ) throws -> (error: DeviceError?, hasOverwritten: Bool, table: [Float]) {
    let driver = try CheckedOpenCL(GPUOptions())
    let device = try GPUDevice(driver: driver, options: GPUOptions())
    let executable = try device.prepare(plan(indices.map(Double.init)).plan)
    let table = try buffer([1, 2, 3, 4] as [Float], device)
    let (list, rows) = (try buffer(indices, device), try device.allocate(byteCount: 64))
    driver.failReplay(after: replaysLeft)
    var failure: RunFailure?
    do throws(RunFailure) {
      try device.run(
        executable, inputs: [table, list], outputs: [rows, table], scalars: [], areIndicesKnown: areIndicesKnown)
    } catch {
      failure = error
    }
    let found = try device.startDownload(table, byteCount: 16).wait { Array($0.bindMemory(to: Float.self)) }
    return (failure?.error, failure?.hasOverwritten ?? false, found)
  }

  @Test func failedRunsSayWhetherInputsAreOverwritten() throws {
    let expected: [Float] = [-1, -2, -3, -4]
    for isKnown in [false, true] {
      let good = try outcome([3, 0], areIndicesKnown: isKnown)
      #expect(good.error == nil && !good.hasOverwritten && good.table == expected)
    }
    let bad = try outcome([3, 9])
    let fault = IndexFault(value: 9, position: [1], extent: 4)
    #expect(bad.error == .indexOutOfRange(device: "opencl:0", operation: "test", fault: fault))
    #expect(!bad.hasOverwritten && bad.table == [1, 2, 3, 4])
    let early = try outcome([3, 0], replaysLeft: 0)
    #expect(early.error != nil && !early.hasOverwritten && early.table == [1, 2, 3, 4])
    let late = try outcome([3, 0], replaysLeft: 1)
    #expect(late.error != nil && late.hasOverwritten)
  }
}
