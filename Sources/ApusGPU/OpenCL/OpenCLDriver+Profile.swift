import ApusDevice
import COpenCL

/// Measured launches: the times of finished launches, and the events of launches that may still be running.
struct TimedLaunches {
  private(set) var times: [LaunchTime] = []
  private var pending: [(event: cl_event, tag: Int)] = []

  mutating func add(_ event: cl_event, tag: Int, _ driver: OpenCLDriver) throws(DeviceError) {
    pending.append((event, tag))
    if pending.count >= LaunchTime.batchSize { try finish(driver) }
  }

  /// Waits for the pending launches and records their times.
  mutating func finish(_ driver: OpenCLDriver) throws(DeviceError) {
    defer {
      for (event, _) in pending { _ = driver.api.clReleaseEvent(event) }
      pending = []
    }
    try driver.finish()
    for (event, tag) in pending {
      let start = driver.time(of: event, CL_PROFILING_COMMAND_START)
      let end = driver.time(of: event, CL_PROFILING_COMMAND_END)
      times.append(LaunchTime(tag: tag, start: Double(start) * 1e-9, duration: Double(max(end, start) - start) * 1e-9))
    }
  }
}

extension OpenCLDriver {
  @discardableResult
  func synchronize(measuring: Bool) throws(DeviceError) -> [LaunchTime] {
    var ended = timed
    timed = nil
    if ended == nil { try finish() } else { try ended!.finish(self) }
    if measuring != (ended != nil) { try replaceQueue(measuresTimes: measuring) }
    if measuring { timed = TimedLaunches() }
    return ended?.times ?? []
  }

  /// Returns the time at which a finished command reached a state, in nanoseconds.
  fileprivate func time(of event: cl_event, _ state: Int32) -> cl_ulong {
    var time: cl_ulong = 0
    _ = api.clGetEventProfilingInfo(event, cl_profiling_info(state), MemoryLayout<cl_ulong>.size, &time, nil)
    return time
  }
}
