import ApusDevice
import ApusSystem

extension GPUDevice {
  func startTuning(report: @escaping @Sendable (TuningRecord) -> Void) throws(DeviceError) { tuner.start(report) }
  func finishTuning() throws(DeviceError) { tuner.finish() }
  func forgetTuning() throws(DeviceError) { tuner.forget() }

  /// While tuning is active, measures the candidate kernels of each matrix product and convolution of a plan.
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
    for var decision in lowering.decisions where decision.candidates.count > 1 && tuner.begins(decision.problem) {
      // The candidate that is used without measurements comes first: the shipped one or, if there is none, the default
      // with the lowest estimated cost.
      if let shipped = tuner.shippedChoice(for: decision.problem),
        let index = decision.candidates.firstIndex(of: shipped)
      {
        decision.candidates.swapAt(0, index)
      }
      let cost = plan.cost(of: plan.steps[0])
      do throws(DeviceError) {
        tuner.add(try Measurement(self, plan).record(decision, cost))
      } catch {
        // Copies of the step's operands may not fit in memory although the plan does.
        guard case .outOfMemory(_, let requested, let used, let available) = error else { throw error }
        let reason =
          "out of memory: \(requested.byteText) requested, \(used.byteText) in use, "
          + "\(available.byteText) available in total"
        let candidates = decision.candidates.map { TuningRecord.Candidate(name: $0, outcome: .failed(reason)) }
        tuner.add(TuningRecord(problem: decision.problem, cost: cost, candidates: candidates, chosen: nil))
      }
    }
  }
}

extension Plan {
  /// Returns a plan with only the given step. The step's operands are inputs of the new plan, its results are outputs.
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

/// Whether `shares`, the ratios of a kernel's times to another kernel's times, show that the kernel is clearly faster
/// than the other one: the median is at most 0.95, and at least three quarters of the ratios are below 1. Smaller gains
/// are within the noise.
func isClearlyLess(_ shares: [Double]) -> Bool {
  shares.median <= 0.95 && shares.count { $0 < 1 } * 4 >= 3 * shares.count
}

/// A measurement of the candidate kernels of one step, on arbitrary values.
private struct Measurement<Driver: GPUDriver> {
  private typealias Candidate = (name: String, executable: GPUExecutable<Driver>, digest: [UInt8])

  /// The intended seconds of one timing, the number of rounds over all candidates, and the maximum number of ratios in
  /// a comparison of two candidates.
  private let sample = 0.004
  private let rounds = 8
  private let comparisons = 16

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

  func record(_ choice: KernelChoice, _ cost: StepCost) throws(DeviceError) -> TuningRecord {
    var outcomes: [String: TuningRecord.Candidate.Outcome] = [:]
    var candidates: [Candidate] = []
    for name in choice.candidates {
      do throws(DeviceError) {
        candidates.append(try ready(name, choice.problem))
      } catch {
        // A lack of memory or a lost device is not the kernel's fault.
        switch error {
        case .outOfMemory, .lost: throw error
        default: outcomes[name] = .failed(error.description)
        }
      }
    }
    let right = agreement(candidates.map(\.digest))
    for candidate in candidates where candidate.digest != right { outcomes[candidate.name] = .wrong }
    candidates.removeAll { $0.digest != right }
    let (times, fastest) = try times(candidates)
    for (candidate, time) in zip(candidates, times) { outcomes[candidate.name] = .seconds(time) }
    return TuningRecord(
      problem: choice.problem, cost: cost,
      candidates: choice.candidates.map { TuningRecord.Candidate(name: $0, outcome: outcomes[$0]!) },
      chosen: fastest.map { candidates[$0].name })
  }

  /// Prepares a candidate and runs it once.
  private func ready(_ name: String, _ problem: String) throws(DeviceError) -> Candidate {
    var choices = TuningTable()
    choices[problem] = name
    let executable = try device.executable(of: plan, choices)
    for output in outputs { try device.clear(output) }
    try device.measure(executable, inputs: inputs, outputs: outputs, scalars: scalars)
    var digest = SHA256()
    for output in outputs {
      let download = try device.startDownload(output, byteCount: output.byteCount)
      try download.wait { digest.update($0) }
    }
    return (name, executable, digest.finalize())
  }

  /// Returns the digest of the results that most candidates computed. If several digests tie, returns the first of
  /// them.
  private func agreement(_ digests: [[UInt8]]) -> [UInt8]? {
    var counts: [[UInt8]: Int] = [:]
    for digest in digests { counts[digest, default: 0] += 1 }
    let most = counts.values.max()
    return digests.first { counts[$0] == most }
  }

  /// Returns the times of candidates and the index of the candidate to use: the first candidate, unless another
  /// candidate is clearly faster. The index is `nil` if there are no candidates.
  ///
  /// The speed of a machine varies over time. So each round times the first candidate along with the others, and
  /// candidates are compared by the ratios of their times to the times of the first candidate. After three rounds, only
  /// candidates whose median ratio is at most 1.25 times the least median stay in the comparison. At the end, the
  /// fastest candidates, at most three, are compared with the first candidate again.
  private func times(_ candidates: [Candidate]) throws(DeviceError) -> (seconds: [Double], fastest: Int?) {
    guard !candidates.isEmpty else { return ([], nil) }
    var repeats: [Int] = []
    for candidate in candidates {
      repeats.append(max(1, min(1000, Int(sample / max(try time(candidate, repeats: 1), 1e-9)))))
    }
    var least = Double.infinity
    var shares = [[Double]](repeating: [], count: candidates.count)
    for round in 0..<rounds {
      let bound = round < 3 ? .infinity : 1.25 * shares.map(\.median).min()!
      let first = try time(candidates[0], repeats: repeats[0])
      least = min(least, first)
      shares[0].append(1)
      for index in candidates.indices.dropFirst() where round < 3 || shares[index].median <= bound {
        shares[index].append(try time(candidates[index], repeats: repeats[index]) / first)
      }
    }
    var results = shares.map(\.median)
    var fastest = 0
    for index in results.indices.sortedArray(by: { results[$0] < results[$1] }).prefix(3) where results[index] < 1 {
      let share = try compare((candidates[index], repeats[index]), to: (candidates[0], repeats[0]))
      results[index] = share.median
      if isClearlyLess(share), share.median < results[fastest] { fastest = index }
    }
    return (results.map { $0 * least }, fastest)
  }

  /// Returns ratios of the time of `one` to the time of `other`. A ratio is computed from two timings of `one` between
  /// two timings of `other`. Stops once at least five ratios have a median of 0.98 or more.
  private func compare(
    _ one: (candidate: Candidate, repeats: Int), to other: (candidate: Candidate, repeats: Int)
  ) throws(DeviceError) -> [Double] {
    var shares: [Double] = []
    for _ in 0..<comparisons where shares.count < 5 || shares.median < 0.98 {
      let before = try time(other.candidate, repeats: other.repeats)
      let time = try time(one.candidate, repeats: one.repeats) + time(one.candidate, repeats: one.repeats)
      shares.append(time / (before + (try self.time(other.candidate, repeats: other.repeats))))
    }
    return shares
  }

  /// Returns the average time of a run in seconds, over `repeats` runs.
  private func time(_ candidate: Candidate, repeats: Int) throws(DeviceError) -> Double {
    try device.synchronize()
    let began = ContinuousClock.seconds
    for _ in 0..<repeats {
      try device.measure(candidate.executable, inputs: inputs, outputs: outputs, scalars: scalars)
    }
    try device.synchronize()
    return (ContinuousClock.seconds - began) / Double(repeats)
  }
}

extension [Double] {
  /// The median; for an even count, the upper of the two middle elements.
  fileprivate var median: Double { sorted()[count / 2] }
}

extension GPUDevice {
  /// Fills a buffer with zeros, so that the results of an earlier kernel are not taken for those of a kernel that
  /// writes nothing.
  fileprivate func clear(_ buffer: Buffer) throws(DeviceError) {
    let zeros = [UInt8](repeating: 0, count: buffer.byteCount)
    let result = zeros.withUnsafeBytes { bytes in
      Result { () throws(DeviceError) in try upload(bytes, to: buffer) }
    }
    try result.get()
  }

  /// Returns a buffer with pseudorandom values, the same in each run. Floating-point numbers are from −1 to 1 and have
  /// up to 24 significant bits: sums in float32 then depend on the order of additions, so that a kernel with a wrong
  /// order is found. Integers are from 0 to 127.
  fileprivate func buffer(of value: Plan.Value) throws(DeviceError) -> Buffer {
    var random = SplitMix64(state: 0)
    func bytes<T: BitwiseCopyable>(_ convert: (Int) -> T) -> [UInt8] {
      // The period is a prime, so that rows whose length is a power of two differ.
      let numbers = (0..<min(value.elementCount, 8191)).map { _ in convert(Int(random.next() >> 33)) }
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
      case .bfloat16: bytes { bfloat16Bits(number($0)) }
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
