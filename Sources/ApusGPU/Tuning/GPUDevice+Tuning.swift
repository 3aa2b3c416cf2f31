import ApusDevice
import ApusFiles

extension GPUDevice {
  func startTuning(report: @escaping @Sendable (TuningRecord) -> Void) throws(DeviceError) { tuner.start(report) }
  func finishTuning() throws(DeviceError) { tuner.finish() }
  func forgetTuning() throws(DeviceError) { tuner.forget() }

  /// Measures the kernels of each step of a plan that has several, if that is asked for.
  func tuneSteps(of plan: Plan) throws(DeviceError) {
    guard tuner.isActive else { return }
    for step in plan.steps {
      switch step.step {
      case .matmul, .convolution: try tune(plan.alone(step))
      default: break
      }
    }
  }

  private func tune(_ plan: Plan) throws(DeviceError) {
    let lowering = try lower(plan, tuner.choices)
    for decision in lowering.decisions where decision.candidates.count > 1 && tuner.begins(decision.problem) {
      let labels = lowering.launches.map(\.label)
      var label = labels.max { $0.flops < $1.flops }!
      label.flops = labels.reduce(0) { $0 + $1.flops }
      do throws(DeviceError) {
        tuner.add(try Measurement(self, plan).record(decision, label))
      } catch {
        // Copies of what the step reads and writes need not fit where the plan does.
        let candidates = decision.candidates.map {
          TuningRecord.Candidate(name: $0, outcome: .failed(error.description))
        }
        tuner.add(TuningRecord(problem: decision.problem, label: label, candidates: candidates, chosen: nil))
      }
    }
  }
}

extension Plan {
  /// A plan of one step, whose values are inputs and outputs of their own.
  func alone(_ step: PlannedStep) -> Plan {
    var plan = Plan(scalars: scalars)
    let written = Set(step.step.results)
    var numbers: [Int: Int] = [:]
    for value in step.step.values where numbers[value] == nil {
      numbers[value] = plan.values.count
      var copy = values[value]
      if written.contains(value) {
        copy.storage = .output(plan.outputs.count)
        plan.outputs.append(Output(byteCount: copy.byteCount))
      } else {
        copy.storage = .input(plan.inputCount)
        plan.inputCount += 1
      }
      plan.values.append(copy)
    }
    plan.steps = [PlannedStep(step: step.step.renumbered { numbers[$0]! }, names: step.names)]
    return plan
  }
}

/// The times of kernels for one step, on numbers without meaning.
private struct Measurement<Driver: GPUDriver> {
  private typealias Candidate = (name: String, executable: GPUExecutable<Driver>, digest: [UInt8])

  /// How long a candidate runs between two looks at the clock, and how often that is done.
  private let sample = 0.004
  private let rounds = 14
  /// What another kernel must save to be taken: less is within the noise.
  private let leastGain = 0.03

  private let device: GPUDevice<Driver>
  private let plan: Plan
  private let inputs, outputs: [Buffer]
  private let scalars: [Scalar]

  init(_ device: GPUDevice<Driver>, _ plan: Plan) throws(DeviceError) {
    self.device = device
    self.plan = plan
    scalars = plan.scalars.map { $0.dtype.isFloatingPoint ? .float(0.5) : .integer(1) }
    var (inputs, outputs): ([Buffer], [Buffer]) = ([], [])
    for value in plan.values {
      guard case .input = value.storage else { continue }
      inputs.append(try device.buffer(of: value))
    }
    for output in plan.outputs { outputs.append(try device.allocate(byteCount: output.byteCount)) }
    (self.inputs, self.outputs) = (inputs, outputs)
  }

  func record(_ choice: KernelChoice, _ label: StepLabel) throws(DeviceError) -> TuningRecord {
    var outcomes: [String: TuningRecord.Candidate.Outcome] = [:]
    var candidates: [Candidate] = []
    for name in choice.candidates {
      do throws(DeviceError) {
        candidates.append(try ready(name, choice.problem))
      } catch {
        outcomes[name] = .failed(error.description)
      }
    }
    let right = agreement(candidates.map(\.digest))
    for candidate in candidates where candidate.digest != right { outcomes[candidate.name] = .wrong }
    candidates.removeAll { $0.digest != right }
    for (name, time) in try times(candidates) { outcomes[name] = .seconds(time) }

    let list = choice.candidates.map { TuningRecord.Candidate(name: $0, outcome: outcomes[$0]!) }
    let timed = list.filter { $0.seconds != nil }
    let fastest = timed.min { $0.seconds! < $1.seconds! }
    let chosen = timed.first { $0.seconds! * (1 - leastGain) <= fastest!.seconds! }
    return TuningRecord(problem: choice.problem, label: label, candidates: list, chosen: chosen?.name)
  }

  /// A candidate that ran once.
  private func ready(_ name: String, _ problem: String) throws(DeviceError) -> Candidate {
    var choices = TuningTable()
    choices[problem] = name
    let executable = try device.executable(of: plan, choices)
    for output in outputs { try device.clear(output) }
    try device.run(executable, inputs: inputs, outputs: outputs, scalars: scalars, isMeasured: true)
    var digest = SHA256()
    for output in outputs {
      let download = try device.startDownload(output, byteCount: output.byteCount)
      try download.wait { digest.update($0) }
    }
    return (name, executable, digest.finalize())
  }

  /// What most candidates computed; where as many computed something else, what the earlier ones did.
  private func agreement(_ digests: [[UInt8]]) -> [UInt8]? {
    var counts: [[UInt8]: Int] = [:]
    for digest in digests { counts[digest, default: 0] += 1 }
    let most = counts.values.max()
    return digests.first { counts[$0] == most }
  }

  /// The least time of each in some rounds, in which they take turns; those that are far behind after three drop out.
  private func times(_ candidates: [Candidate]) throws(DeviceError) -> [(String, Double)] {
    guard !candidates.isEmpty else { return [] }
    var best = [Double](repeating: .infinity, count: candidates.count)
    var repeats = [Int](repeating: 1, count: candidates.count)
    for round in 0..<rounds {
      let bound = round < 4 ? .infinity : 1.25 * best.min()!
      for (index, candidate) in candidates.enumerated() where best[index] <= bound {
        let time = try time(candidate, repeats: repeats[index])
        // The first round only tells how often to run.
        if round == 0 { repeats[index] = max(1, min(1000, Int(sample / max(time, 1e-9)))) }
        if round > 0 { best[index] = min(best[index], time) }
      }
    }
    return zip(candidates.map(\.name), best).map { ($0, $1) }
  }

  /// Seconds of one of `repeats` runs.
  private func time(_ candidate: Candidate, repeats: Int) throws(DeviceError) -> Double {
    try device.synchronize()
    let began = ContinuousClock.seconds
    for _ in 0..<repeats {
      try device.run(candidate.executable, inputs: inputs, outputs: outputs, scalars: scalars, isMeasured: true)
    }
    try device.synchronize()
    return (ContinuousClock.seconds - began) / Double(repeats)
  }
}

extension GPUDevice {
  /// Zeros, so that a kernel that writes nothing does not show what an earlier one wrote.
  fileprivate func clear(_ buffer: Buffer) throws(DeviceError) {
    let zeros = [UInt8](repeating: 0, count: buffer.byteCount)
    let result = zeros.withUnsafeBytes { bytes in
      Result { () throws(DeviceError) in try upload(bytes, to: buffer) }
    }
    try result.get()
  }

  /// A buffer with the same numbers in each run: from -1 to 1, with digits enough that sums differ in another order, or
  /// small integers.
  fileprivate func buffer(of value: Plan.Value) throws(DeviceError) -> Buffer {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func bytes<T: BitwiseCopyable>(_ convert: (Int) -> T) -> [UInt8] {
      // As many as no power of two is a multiple of, over and over.
      let numbers = (0..<min(value.elementCount, 8191)).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return convert(Int(state >> 33))
      }
      let period = numbers.withUnsafeBytes { Array($0) }
      guard value.elementCount > numbers.count else { return period }
      return (0..<value.byteCount).map { period[$0 % period.count] }
    }
    func number(_ integer: Int) -> Float { Float(integer) * 0x1p-30 - 1 }
    let contents =
      switch value.dtype {
      case .bool: bytes { UInt8($0 & 1) }
      case .int8, .uint8: bytes { UInt8($0 & 0x7F) }
      case .int32: bytes { Int32($0 & 0x7F) }
      case .int64: bytes { Int64($0 & 0x7F) }
      case .float16: bytes { Float16(number($0)) }
      case .bfloat16: bytes { UInt16(number($0).bitPattern >> 16) }
      case .float32: bytes(number)
      case .float64: bytes { Double(number($0)) }
      }
    let buffer = try allocate(byteCount: value.byteCount)
    let result = contents.withUnsafeBytes { bytes in
      Result { () throws(DeviceError) in try upload(bytes, to: buffer) }
    }
    try result.get()
    return buffer
  }
}
