import ApusDevice
import ApusTestSupport
import Foundation
import Synchronization
import Testing

@testable import ApusGPU

/// A driver that builds other texts than it is given.
private final class AlteringDriver: GPUDriver {
  typealias Memory = OpenCLDriver.Memory
  typealias Module = OpenCLDriver.Module
  typealias Recording = OpenCLDriver.Recording
  typealias Transfer = OpenCLDriver.Transfer

  private let base: OpenCLDriver
  private let alter: @Sendable (String) -> String
  let target: KernelTarget

  init(
    _ base: OpenCLDriver, registerCount: Int? = nil, alter: @escaping @Sendable (String) -> String = { $0 }
  ) {
    (self.base, self.alter) = (base, alter)
    var target = base.target
    if let registerCount { target.registerCount = registerCount }
    self.target = target
  }

  var info: DeviceInfo { base.info }
  var fingerprint: [String] { base.fingerprint }
  func allocate(byteCount: Int) throws(DeviceError) -> Memory { try base.allocate(byteCount: byteCount) }
  func free(_ memory: Memory) { base.free(memory) }
  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    try base.copyIn(source, to: memory)
  }
  func copyOut(_ memory: Memory, to target: UnsafeMutableRawBufferPointer) throws(DeviceError) -> Transfer {
    try base.copyOut(memory, to: target)
  }
  func wait(_ transfer: Transfer) throws(DeviceError) { try base.wait(transfer) }
  func compile(_ text: String, name: String) throws(DeviceError) -> Module {
    try base.compile(alter(text), name: name)
  }
  func load(_ binary: [UInt8]) -> Module? { base.load(binary) }
  func binary(of module: Module) -> [UInt8]? { base.binary(of: module) }
  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    try base.record(launches, loops: loops)
  }
  func replay(_ recording: Recording, memories: [Memory]) throws(DeviceError) {
    try base.replay(recording, memories: memories)
  }
  func synchronize() throws(DeviceError) { try base.synchronize() }
  func startProfile() throws(DeviceError) { try base.startProfile() }
  func finishProfile() throws(DeviceError) -> [StepRecord] { try base.finishProfile() }
}

extension Device {
  /// What is measured while a plan is prepared.
  fileprivate func records(of plan: Plan) throws -> [TuningRecord] {
    let records = Mutex<[TuningRecord]>([])
    try startTuning { record in records.withLock { $0.append(record) } }
    _ = try prepare(plan)
    try finishTuning()
    return records.withLock { $0 }
  }
}

@DeviceThread @Suite(.enabled(if: !Harness.isSimulator)) struct TuningTests {
  private func product(m: Int, n: Int, k: Int) -> PlanBuilder {
    var builder = PlanBuilder()
    let a = builder.input([Double](repeating: 0, count: m * k), .float32)
    let b = builder.input([Double](repeating: 0, count: k * n), .float32)
    let c = builder.output(m * n, .float32)
    builder.step(
      .matmul(
        Matmul(
          batch: [], m: m, n: n, k: k, a: Operand(value: a, layout: Layout(contiguous: [m, k])),
          b: Operand(value: b, layout: Layout(contiguous: [k, n])), dtype: .float32,
          epilogue: epilogue(.float32, Operand(value: c, layout: Layout(contiguous: [m, n])), domain: [m, n]))))
    return builder
  }

  /// The gradient of the weights of a convolution, with channels last.
  private func weightGradient() -> PlanBuilder {
    let one = SIMD3(repeating: 1)
    let g = ConvolutionGeometry(
      batch: 2, groups: 1, inputChannels: 20, outputChannels: 40, input: [1, 9, 7], kernel: [1, 3, 3],
      output: [1, 9, 7], stride: one, padding: [0, 1, 1], dilation: one)
    var builder = PlanBuilder()
    let x = builder.input([Double](repeating: 0, count: 2 * 20 * 63), .float32)
    let y = builder.input([Double](repeating: 0, count: 2 * 40 * 63), .float32)
    let w = builder.output(40 * 20 * 9, .float32)
    let domain: Shape = [40, 20, 1, 3, 3]
    builder.step(
      .convolution(
        Convolution(
          pass: .weightGradient, geometry: g, order: .channelsLast, left: x, right: y, dtype: .float32,
          epilogue: epilogue(.float32, Operand(value: w, layout: Layout(contiguous: domain)), domain: domain))))
    return builder
  }

  private func options(_ kernelClass: KernelTarget.Class, cacheDirectory: String? = nil) -> GPUOptions {
    var options = GPUOptions.environment
    options.kernelClass = kernelClass
    options.cacheDirectory = cacheDirectory
    return options
  }

  /// A device whose registers may be fewer, and whose kernels others than it is given.
  private func open(
    _ options: GPUOptions, registerCount: Int? = nil, alter: @escaping @Sendable (String) -> String = { $0 }
  ) throws -> GPUDevice<AlteringDriver> {
    let base = try OpenCLDriver(OpenCLEntry.all()[0], options: options)
    return try GPUDevice(
      driver: AlteringDriver(base, registerCount: registerCount, alter: alter), options: options)
  }

  /// Also the shapes of processors with fewer registers. Most sums of 500 terms differ in another order.
  @Test(arguments: [(KernelTarget.Class.cpu, 32), (.cpu, 8), (.gpu, 32)].filter { Harness.classes.contains($0.0) })
  func everyShapeGivesTheSameBits(kernelClass: KernelTarget.Class, registerCount: Int) throws {
    let device = try open(options(kernelClass), registerCount: registerCount)
    let isWhole = kernelClass == .cpu && registerCount == 32
    for plan in [product(m: 50, n: 72, k: 500).plan] + (isWhole ? [weightGradient().plan] : []) {
      let record = try #require(try device.records(of: plan).first)
      #expect(record.candidates.count > 3 && record.candidates.allSatisfy { $0.seconds != nil }, "\(record)")
      #expect(record.candidates.contains { $0.name == record.chosen })
      #expect(record.label.flops > 0 && Set(record.candidates.map(\.name)).count == record.candidates.count)
    }
  }

  /// A kernel that does not build, and one that adds something, are left out; the choice holds for later processes.
  @Test func unfitKernelsAreLeftOut() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/apus-tuning-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let options = options(.cpu, cacheDirectory: folder)
    func open() throws -> GPUDevice<AlteringDriver> {
      try self.open(options, registerCount: 32) { text in
        if text.contains("sums[8][2]") { return text + "no kernel" }
        guard text.contains("sums[4][4]") else { return text }
        return text.replacing("sums[m][v] = CONSTANT_f32(0x0)", with: "sums[m][v] = CONSTANT_f32(0x3f800000)")
      }
    }
    let device = try open()
    let plan = product(m: 4, n: 70, k: 36).plan
    let record = try #require(try device.records(of: plan).first)
    let outcomes = Dictionary(uniqueKeysWithValues: record.candidates.map { ($0.name, $0.outcome) })
    #expect(record.candidates[0].name == "8x2" && outcomes["4x4"] == .wrong, "\(record)")
    let failure = if case .failed(let reason) = outcomes["8x2"] { reason } else { "" }
    #expect(failure.contains("matmul_vector_"), "\(record)")
    #expect(record.chosen != nil && record.chosen != "8x2" && record.chosen != "4x4")
    #expect(device.tuner.choices[record.problem] == record.chosen)
    #expect(try open().tuner.choices[record.problem] == record.chosen)
    try device.forgetTuning()
    #expect(device.tuner.choices[record.problem] == nil)
    #expect(try open().tuner.choices[record.problem] == nil)
    // Nothing is measured that nobody asks for.
    #expect(throws: DeviceError.self) { try device.prepare(plan) }
  }

  /// Where no kernel works the record says so, and the plan's own error is what is thrown.
  @Test func noKernelFits() throws {
    let device = try open(options(.cpu), registerCount: 32) { $0 + "no kernel" }
    let records = Mutex<[TuningRecord]>([])
    try device.startTuning { record in records.withLock { $0.append(record) } }
    #expect(throws: DeviceError.self) { try device.prepare(product(m: 4, n: 70, k: 36).plan) }
    try device.finishTuning()
    let record = try #require(records.withLock { $0 }.first)
    #expect(record.chosen == nil && record.candidates.allSatisfy { $0.seconds == nil })
    #expect(device.tuner.choices[record.problem] == nil)
  }

  @Test func tablesAreRead() {
    var table = TuningTable("# a = b\nmatmul m1 = 8x2\n\nnothing\nconvolution n2 = 12x2\nmatmul m1 = 6x4\n")
    #expect(table["matmul m1"] == "6x4" && table["convolution n2"] == "12x2" && table["# a"] == nil)
    #expect(table.text == "convolution n2 = 12x2\nmatmul m1 = 6x4\n")
    #expect(TuningTable(table.text) == table)
    #expect(table.overridden(by: TuningTable("matmul m1 = 1x8\n"))["matmul m1"] == "1x8")
    table["matmul m1"] = nil
    #expect(table.text == "convolution n2 = 12x2\n")
  }

  /// A name that no kernel has, from another version or a damaged table, leaves the choice to the model.
  @Test func unknownNamesAreIgnored() throws {
    let plan = product(m: 50, n: 70, k: 36).plan
    let target = try OpenCLEntry.all()[0].target(.cpu)
    func kernels(_ choices: TuningTable?) throws -> [String] {
      var lowering = PlanLowering(plan, target: target, choices: choices, faultNumber: { _ in 1 })
      try lowering.run(device: "opencl:0")
      return lowering.launches.map(\.kernel.name)
    }
    var lowering = PlanLowering(plan, target: target, choices: TuningTable(), faultNumber: { _ in 1 })
    try lowering.run(device: "opencl:0")
    let problem = try #require(lowering.decisions.first?.problem)
    let usual = try kernels(nil)
    #expect(try kernels(TuningTable("\(problem) = 7x7\n")) == usual)
    #expect(try kernels(TuningTable("\(problem) = \(lowering.decisions[0].candidates[1])\n")) != usual)
  }

  @Test func sizesOfAClass() {
    #expect([0, 1, 2, 3, 4, 5, 8, 9, 1024, 1025].map(PlanLowering.sizeClass) == [0, 0, 1, 2, 2, 3, 3, 4, 10, 11])
  }
}
