import ApusDevice
import ApusTestSupport
import Foundation
import Synchronization
import Testing

@testable import ApusGPU

extension Device {
  /// The measurements made while a plan is prepared.
  fileprivate func records(of plan: Plan) throws -> [TuningRecord] {
    let records = Mutex<[TuningRecord]>([])
    try startTuning { record in records.withLock { $0.append(record) } }
    _ = try prepare(plan)
    try finishTuning()
    return records.withLock { $0 }
  }
}

@DeviceThread @Suite(.enabled(if: !Harness.isSimulator, "the simulator's times are not those of a device"))
struct TuningTests {
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

  /// The weight gradient of a convolution, with channels last.
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

  /// A device with altered kernel sources and, if `registerCount` is given, with this number of vector registers.
  private func open(
    _ options: GPUOptions, registerCount: Int? = nil, alter: @escaping @Sendable (String) -> String = { $0 }
  ) throws -> GPUDevice<CheckedOpenCL> {
    let driver = try CheckedOpenCL(
      options, adapt: { $0.registerCount = registerCount ?? $0.registerCount }, alter: alter)
    return try GPUDevice(driver: driver, options: options)
  }

  /// Tuning compares the results of the candidate kernels: a candidate whose result has other bits has no time
  /// (`seconds` is `nil`). If a candidate added the terms in another order, most sums of 500 terms would differ.
  /// `registerCount` 8 selects the tile sizes for processors with fewer registers.
  @Test(arguments: [(KernelTarget.Class.cpu, 32), (.cpu, 8), (.gpu, 32)].filter { Harness.classes.contains($0.0) })
  func everyShapeGivesTheSameBits(kernelClass: KernelTarget.Class, registerCount: Int) throws {
    let device = try open(options(kernelClass), registerCount: registerCount)
    let isWhole = kernelClass == .cpu && registerCount == 32
    for plan in [product(m: 50, n: 72, k: 500).plan] + (isWhole ? [weightGradient().plan] : []) {
      let record = try #require(try device.records(of: plan).first)
      #expect(record.candidates.count > 3 && record.candidates.allSatisfy { $0.seconds != nil }, "\(record)")
      #expect(record.candidates.contains { $0.name == record.chosen })
      #expect(record.cost.flops > 0 && Set(record.candidates.map(\.name)).count == record.candidates.count)
    }
  }

  /// Tuning excludes a kernel that does not build and a kernel with a wrong result. Devices that are opened later use
  /// the kernel that tuning chose, until `forgetTuning` removes the choice.
  @Test func unfitKernelsAreLeftOut() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/apus-tuning-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let options = options(.cpu, cacheDirectory: folder)
    func open() throws -> GPUDevice<CheckedOpenCL> {
      try self.open(options, registerCount: 32) { text in
        if text.contains("sums[8][2]") { return text + "no kernel" }
        guard text.contains("sums[4][4]") else { return text }
        return text.replacing(
          "CLEAR_TILE(sums, 4, 4, CONSTANT_f32(0x0))", with: "CLEAR_TILE(sums, 4, 4, CONSTANT_f32(0x3f800000))")
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
    // Without tuning, nothing is measured: the plan uses the default kernel, whose source is invalid.
    #expect(throws: DeviceError.self) { try device.prepare(plan) }
  }

  /// Kernels that are many times slower are not chosen. The test slows down either the default kernel or all other
  /// kernels.
  @Test(arguments: [true, false]) func slowKernelsAreNotTaken(isDefaultSlow: Bool) throws {
    let device = try open(options(.cpu), registerCount: 32) { text in
      guard text.contains("sums[8][2]") == isDefaultSlow else { return text }
      return text.replacing(
        "{ if (at >= 0) matmul_vector_", with: "{ for (int i = 0; i < 50; i += 1) if (at >= 0) matmul_vector_")
    }
    let record = try #require(try device.records(of: product(m: 64, n: 70, k: 64).plan).first)
    #expect(record.candidates[0].name == "8x2" && record.candidates.allSatisfy { $0.seconds != nil }, "\(record)")
    let chosen = try #require(record.chosen)
    #expect((chosen == "8x2") == !isDefaultSlow, "\(record)")
    let times = Dictionary(uniqueKeysWithValues: record.candidates.map { ($0.name, $0.seconds!) })
    #expect(chosen == "8x2" || times[chosen]! < times["8x2"]! / 4, "\(record)")
    #expect(device.tuner.choices[record.problem] == chosen)
  }

  /// A kernel is clearly faster if the median ratio of times is at most 0.95 and at least three quarters of the ratios
  /// are below 1.
  @Test func fivePercentLessTimeIsClear() {
    #expect(isClearlyLess([0.9, 0.94, 0.95, 0.95, 1.2]))
    #expect(!isClearlyLess([0.9, 0.94, 0.96, 0.96, 1.2]))
    // Two of five ratios are above 1.
    #expect(!isClearlyLess([0.5, 0.5, 0.5, 1.1, 1.2]))
    #expect(!isClearlyLess([1]) && !isClearlyLess([0.96]))
  }

  /// A failed measurement does not remove an earlier choice.
  @Test func failuresLeaveChoices() throws {
    let device = try open(options(.cpu), registerCount: 32)
    let plan = product(m: 4, n: 70, k: 36).plan
    let record = try #require(try device.records(of: plan).first)
    let failed = TuningRecord(
      problem: record.problem, cost: record.cost,
      candidates: record.candidates.map { TuningRecord.Candidate(name: $0.name, outcome: .failed("too large")) },
      chosen: nil)
    device.tuner.add(failed)
    #expect(device.tuner.choices[record.problem] == record.chosen && record.chosen != nil)
  }

  /// If no kernel works, the record contains no choice, and preparing the plan throws the error of the build.
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

  /// An unknown kernel name, from another version or a damaged table, leaves the choice to the cost model.
  @Test func unknownNamesAreIgnored() throws {
    let plan = product(m: 50, n: 70, k: 36).plan
    let target = try OpenCLEntry.all()[0].target(.cpu)
    func kernels(_ choices: TuningTable?) throws -> [String] {
      var lowering = PlanLowering(plan, target: target, choices: choices)
      try lowering.run(device: "opencl:0")
      return lowering.launches.map(\.kernel.name)
    }
    var lowering = PlanLowering(plan, target: target, choices: TuningTable())
    try lowering.run(device: "opencl:0")
    let problem = try #require(lowering.decisions.first?.problem)
    let usual = try kernels(nil)
    #expect(try kernels(TuningTable("\(problem) = 7x7\n")) == usual)
    #expect(try kernels(TuningTable("\(problem) = \(lowering.decisions[0].candidates[1])\n")) != usual)
  }

  @Test func sizeClassesEndAtPowersOfTwo() {
    #expect([0, 1, 2, 3, 4, 5, 8, 9, 1024, 1025].map(PlanLowering.sizeClass) == [0, 0, 1, 2, 2, 3, 3, 4, 10, 11])
  }
}
