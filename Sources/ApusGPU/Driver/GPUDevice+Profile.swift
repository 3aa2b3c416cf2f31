import ApusDevice
import ApusSystem

/// The record of launches during a profile.
struct LaunchProfile {
  /// The costs of the launches that ran, by tag.
  fileprivate var costs: [Int: StepCost] = [:]
  fileprivate var records: [StepRecord] = []

  fileprivate mutating func add(_ times: [LaunchTime]) {
    for time in times {
      guard let cost = costs[time.tag] else { continue }
      records.append(StepRecord(cost: cost, start: time.start, duration: time.duration))
    }
  }
}

extension GPUDevice {
  func startProfile() throws(DeviceError) {
    try lock.withLock { () throws(DeviceError) in
      guard profile == nil else { throw .unsupported(device: info.identifier, feature: "two profiles at a time") }
      _ = try driver.launchTimes(continuing: true)
      profile = LaunchProfile()
    }
  }

  func finishProfile() throws(DeviceError) -> [StepRecord] {
    try lock.withLock { () throws(DeviceError) -> [StepRecord] in
      guard var ended = profile else { return [] }
      profile = nil
      ended.add(try driver.launchTimes(continuing: options.logsLaunches))
      return ended.records
    }
  }

  /// Starts a range of an executable's launches, and records their costs while a profile is active. With
  /// `APUS_DEBUG=1`, it waits for each launch and logs it. If a launch ends the process, the last line of the log names
  /// the launch before it.
  func replay(
    _ executable: GPUExecutable<Driver>, _ launches: Range<Int>, memories: [Driver.Memory]
  ) throws(DeviceError) {
    guard !launches.isEmpty else { return }
    if profile != nil {
      for launch in launches { profile!.costs[executable.tag(of: launch)] = executable.costs[launch] }
    }
    guard options.logsLaunches else {
      return try driver.replay(executable.recording, launches, memories: memories)
    }
    var next = launches.lowerBound
    while next < launches.upperBound {
      // The launches of a loop run together.
      let end = executable.loops.first { $0.range.lowerBound == next }?.range.upperBound ?? next + 1
      try driver.replay(executable.recording, next..<end, memories: memories)
      let times = try driver.launchTimes(continuing: true)
      for time in times {
        let cost = executable.costs[time.tag - executable.firstTag]
        warn("\(info.identifier): \(cost.line(seconds: time.duration))")
      }
      profile?.add(times)
      next = end
    }
  }
}
