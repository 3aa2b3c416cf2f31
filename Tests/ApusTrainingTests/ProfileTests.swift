import Apus
import ApusTestSupport
import Testing

/// The records of the plan steps that devices ran.
@Suite struct ProfileTests {
  /// A small product and its softmax. From run to run, the times of the steps vary, but their names do not.
  private func work() throws {
    let a = Tensor.ones([8, 16])
    _ = try a.matmul(a.transposed([1, 0])).softmax(axis: 1).array()
  }

  /// The CPU and the OpenCL devices, which record their steps. Tests open separate instances, because other tests use
  /// the shared instances at the same time.
  private static let devices = TestDevice.all.filter { $0.name == "cpu" || $0.name.hasPrefix("opencl") }

  @Test(arguments: devices) func recordsWhatRan(shared: TestDevice) throws {
    let device = try shared.reopened()
    try withDevice(device) {
      // Steps that run before or after `record` are not recorded.
      try work()
      let limits = DeviceLimits(gflops: 100, gbytesPerSecond: 10)
      let (_, profile) = try Profile.record(on: device, limits: limits) { try work() }
      try work()
      #expect(profile.records.count { $0.cost.flops == 2 * 8 * 8 * 16 } == 1)
      #expect(profile.records.contains { $0.cost.operation.contains("matmul") && $0.cost.bytes > 0 })
      #expect(profile.records.allSatisfy { $0.duration >= 0 && $0.duration < 10 })
      #expect(zip(profile.records, profile.records.dropFirst()).allSatisfy { $0.start <= $1.start })
      let (_, twice) = try Profile.record(on: device) { for _ in 0..<2 { try work() } }
      #expect(twice.records.count == 2 * profile.records.count)
      #expect(twice.kernels.count == profile.kernels.count && twice.kernels.allSatisfy { $0.count % 2 == 0 })
    }
  }

  /// A profile ends with its body, even if the body throws, and only one profile can be active.
  @Test(arguments: devices) func profilesEnd(shared: TestDevice) throws {
    struct Stop: Error {}
    let device = try shared.reopened()
    #expect(throws: Stop.self) { try Profile.record(on: device) { throw Stop() } }
    _ = try Profile.record(on: device) {
      #expect(throws: DeviceError.self) { try device.startProfile() }
    }
    #expect(try device.finishProfile().isEmpty)
  }

  @Test func tracesHaveRatesAndShares() throws {
    let product = StepCost(operation: "matmul", label: "matmul 2x3", flops: 4e6, bytesRead: 1e3)
    let copy = StepCost(operation: "a \"copy\"", label: "copy 7", bytesWritten: 5e4)
    let records = [
      StepRecord(cost: product, start: 2, duration: 1e-3), StepRecord(cost: copy, start: 2.5, duration: 1e-5),
      StepRecord(cost: product, start: 3, duration: 3e-3),
    ]
    let limits = DeviceLimits(gflops: 8, gbytesPerSecond: 10)
    let profile = Profile(device: "test", records: records, limits: limits)
    let trace = try JSON(parsing: Array(profile.trace.text().utf8))
    let events = try #require(trace.object?["traceEvents"]?.array).compactMap(\.object).filter { $0["ph"] == "X" }
    #expect(events.map { $0["name"] } == ["matmul 2x3", "copy 7", "matmul 2x3"])
    #expect(events.compactMap { $0["ts"]?.number } == [0, 500_000, 1_000_000])
    let shares = events.compactMap { $0["args"]?.object?["share_of_limit"]?.number }
    #expect(zip(shares, [0.5, 0.5, 1.0 / 6]).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(abs((events[0]["args"]?.object?["gflops"]?.number ?? 0) - 4) < 1e-9)
    #expect(events[1]["args"]?.object?["operation"] == "a \"copy\"")
    #expect(profile.kernels.map(\.detail) == ["matmul 2x3", "copy 7"] && profile.kernels[0].count == 2)
    #expect(throws: TrainingError.self) { try profile.write(to: "/nonexistent/profile.json") }
  }

  /// The profile of a run covers at most 20 training steps and leaves out the first two, which build kernels.
  @Test func profilesLeaveOutTheFirstTwoSteps() throws {
    for (steps, expected) in [(2, nil), (5, 3), (40, 20)] as [(Int, Int?)] {
      var run = SmallRun()
      let seen = Seen()
      run.options.length = .steps(steps)
      run.options.onProfile = { seen.profiles.append($0) }
      let cpu = try #require(Self.devices.first { $0.name == "cpu" }).reopened()
      _ = try withDevice(cpu) {
        try Trainer(run.model(), SGD(learningRate: 0.02), on: try Points(count: 43), run.options).run()
      }
      #expect(seen.profiles.count == (expected == nil ? 0 : 1))
      guard let expected, let profile = seen.profiles.first else { continue }
      let updates = profile.kernels.filter { $0.count == expected }
      #expect(!updates.isEmpty, "\(profile.kernels)")
    }
  }

  /// The evaluation of the test set at the end of an epoch is not part of the profile.
  @Test func evaluationIsNotProfiled() throws {
    let counts = try [false, true].map { isTested in
      var run = SmallRun()
      let seen = Seen()
      run.options.length = .steps(40)
      run.options.onProfile = { seen.profiles.append($0) }
      let cpu = try #require(Self.devices.first { $0.name == "cpu" }).reopened()
      _ = try withDevice(cpu) {
        let test = isTested ? try Points(count: 29) : nil
        return try Trainer(
          run.model(), SGD(learningRate: 0.02), on: try Points(count: 43), testing: test, run.options
        ).run()
      }
      return seen.profiles.map(\.records.count)
    }
    #expect(counts[0].count == 1 && counts[0] == counts[1])
  }

  private final class Seen: @unchecked Sendable { var profiles: [Profile] = [] }
}
