import ApusDevice
import COpenCL

/// The times of launches: records of finished launches, and events of launches that may still be running.
struct LaunchProfile {
  private(set) var records: [StepRecord] = []
  private var pending: [(event: cl_event, cost: StepCost)] = []
  /// Events are read in batches of this size, so that a long profile retains few of them.
  private static let bunch = 4096

  mutating func add(_ event: cl_event, _ cost: StepCost, _ driver: OpenCLDriver) throws(DeviceError) {
    pending.append((event, cost))
    if pending.count >= Self.bunch { try finish(driver) }
  }

  /// Waits for the pending launches and records their times.
  mutating func finish(_ driver: OpenCLDriver) throws(DeviceError) {
    defer {
      for (event, _) in pending { _ = driver.api.clReleaseEvent(event) }
      pending = []
    }
    try driver.synchronize()
    for (event, cost) in pending { records.append(driver.record(of: event, cost)) }
  }
}

extension OpenCLDriver {
  func startProfile() throws(DeviceError) {
    guard profile == nil else { throw .unsupported(device: info.identifier, feature: "a profile within a profile") }
    try replaceQueue(noting: true)
    profile = LaunchProfile()
  }

  func finishProfile() throws(DeviceError) -> [StepRecord] {
    guard var ended = profile else { return [] }
    profile = nil
    try ended.finish(self)
    try replaceQueue(noting: options.logsLaunches)
    return ended.records
  }

  /// Returns the start time and the duration of a finished launch.
  func record(of event: cl_event, _ cost: StepCost) -> StepRecord {
    var start: cl_ulong = 0
    var end: cl_ulong = 0
    let size = MemoryLayout<cl_ulong>.size
    _ = api.clGetEventProfilingInfo(event, cl_profiling_info(CL_PROFILING_COMMAND_START), size, &start, nil)
    _ = api.clGetEventProfilingInfo(event, cl_profiling_info(CL_PROFILING_COMMAND_END), size, &end, nil)
    return StepRecord(cost: cost, start: Double(start) * 1e-9, duration: Double(max(end, start) - start) * 1e-9)
  }
}
