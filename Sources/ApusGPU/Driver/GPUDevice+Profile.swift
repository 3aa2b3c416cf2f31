import ApusDevice
import ApusSystem

/// The launches that ran during a profile.
struct LaunchProfile {
  /// The cost of each launch of each plan that ran, by the tag with which the driver reports the time of the launch.
  private var costs: [Int: StepCost] = [:]
  fileprivate var records: [StepRecord] = []

  mutating func add<Driver: GPUDriver>(_ executable: GPUExecutable<Driver>) {
    guard costs[executable.firstTag] == nil else { return }
    for (launch, cost) in executable.costs.enumerated() { costs[executable.firstTag + launch] = cost }
  }

  mutating func add(_ times: [LaunchTime]) {
    for time in times {
      guard let cost = costs[time.tag] else { continue }
      records.append(StepRecord(cost: cost, start: time.start, duration: time.duration))
    }
  }
}

extension GPUDevice {
  func startProfile() throws(DeviceError) {
    try submission.withLock { state throws(DeviceError) in
      guard state.profile == nil else { throw .unsupported(device: info.identifier, feature: "two profiles at a time") }
      try driver.synchronize(measuring: true)
      state.profile = LaunchProfile()
    }
  }

  func finishProfile() throws(DeviceError) -> [StepRecord] {
    try submission.withLock { state throws(DeviceError) -> [StepRecord] in
      guard var ended = state.profile else { return [] }
      state.profile = nil
      ended.add(try driver.synchronize(measuring: options.logsLaunches))
      return ended.records
    }
  }

  /// With `APUS_DEBUG=1`, waits for the launches that were just started, and logs them. The device then starts launches
  /// one at a time, but all launches of a loop together. If a launch outside of a loop ends the process, the last line
  /// of the log names the launch before it.
  func logLaunches(of executable: GPUExecutable<Driver>, _ state: inout Submission) throws(DeviceError) {
    guard options.logsLaunches else { return }
    let times = try driver.synchronize(measuring: true)
    for time in times where executable.costs.indices.contains(time.tag - executable.firstTag) {
      let cost = executable.costs[time.tag - executable.firstTag]
      warn("\(info.identifier): \(cost.line(seconds: time.duration))")
    }
    state.profile?.add(times)
  }
}
