import ApusData
import ApusNN
import ApusSystem
import ApusTensor

/// The recorded work of a device: each step (one operation, or several that are fused; on OpenCL
/// and CUDA devices each kernel) with its operations, shape and time.
///
/// ```swift
/// let limits = try DeviceLimits.measured(on: .current)
/// let (_, profile) = try Profile.record(on: .current, limits: limits) { for _ in 0..<3 { try train() } }
/// try profile.write(to: "/tmp/profile.json")
/// ```
/// The file is a trace in Chrome's format, for https://ui.perfetto.dev or chrome://tracing.
public struct Profile: Sendable {
  /// The name of the device, such as `cpu`, followed by the name that its vendor gives it.
  public var device: String
  /// The recorded steps, in the order in which they began.
  public var records: [StepRecord]
  /// The limits of the device, if they were measured.
  public var limits: DeviceLimits?

  /// A profile from its parts.
  public init(device: String, records: [StepRecord], limits: DeviceLimits? = nil) {
    self.device = device
    self.records = records
    self.limits = limits
  }

  /// The profile of the records that `finishProfile` of a device returned.
  public init(of device: ComputeDevice, _ records: [StepRecord], limits: DeviceLimits? = nil) {
    self.init(device: "\(device.name), \(device.info.name)", records: records, limits: limits)
  }

  /// Runs `body` and records its work on a device.
  /// - Parameter limits: the limits of the device; see ``DeviceLimits/measured(on:)``.
  /// - Throws: what `body` throws, or `DeviceError.unsupported` if the device cannot record its work.
  public static func record<R>(
    on device: ComputeDevice, limits: DeviceLimits? = nil, _ body: () throws -> R
  ) throws -> (result: R, profile: Profile) {
    try device.startProfile()
    do {
      let result = try body()
      return (result, Profile(of: device, try device.finishProfile(), limits: limits))
    } catch {
      _ = try? device.finishProfile()
      throw error
    }
  }

  // MARK: - Kernels

  /// All executions of one kernel family, shape and variant.
  public struct Kernel: Hashable, Sendable {
    /// Family, shape and variant.
    public var detail: String
    /// How often it ran.
    public var count: Int
    /// The total time.
    public var seconds: Double
    /// The total number of floating-point operations and of bytes.
    public var flops, bytes: Double
  }

  /// The kernels, those with the longest total time first.
  public var kernels: [Kernel] {
    var found: [String: Kernel] = [:]
    for record in records {
      let cost = record.cost
      var kernel = found[cost.label] ?? Kernel(detail: cost.label, count: 0, seconds: 0, flops: 0, bytes: 0)
      kernel.count += 1
      kernel.seconds += record.duration
      kernel.flops += cost.flops
      kernel.bytes += cost.bytes
      found[cost.label] = kernel
    }
    return found.values.sortedArray { ($1.seconds, $0.detail) < ($0.seconds, $1.detail) }
  }

  /// The total time of all records.
  public var seconds: Double { records.reduce(0) { $0 + $1.duration } }

  /// The fraction of the device's limits that is reached: the shortest time that the limits allow, divided by the
  /// measured time. `nil` if the limits are unknown, or if the time or the work is 0.
  public func share(seconds: Double, flops: Double, bytes: Double) -> Double? {
    guard let limits, seconds > 0, flops > 0 || bytes > 0 else { return nil }
    return limits.leastSeconds(flops: flops, bytes: bytes) / seconds
  }

  // MARK: - The file

  /// The trace: an event for each record, with rates and the fraction of the device's limits.
  public var trace: JSON {
    let origin = records.map(\.start).min() ?? 0
    var object: JSONObject = ["displayTimeUnit": "ms"]
    var other: JSONObject = ["device": .string(device)]
    if let limits {
      other["limit_gflops"] = .number(limits.gflops)
      other["limit_gbytes_per_second"] = .number(limits.gbytesPerSecond)
    }
    object["otherData"] = .object(other)
    let name: JSON = ["name": "process_name", "ph": "M", "pid": 1, "args": ["name": .string(device)]]
    object["traceEvents"] = .array([name] + records.map { event($0, origin: origin) })
    return .object(object)
  }

  private func event(_ record: StepRecord, origin: Double) -> JSON {
    let cost = record.cost
    let time = max(record.duration, 1e-9)
    var rates: JSONObject = ["operation": .string(cost.operation)]
    if cost.flops > 0 { rates["gflops"] = .number(cost.flops / time * 1e-9) }
    if cost.bytes > 0 { rates["gbytes_per_second"] = .number(cost.bytes / time * 1e-9) }
    rates["share_of_limit"] = share(seconds: time, flops: cost.flops, bytes: cost.bytes).map { .number($0) }
    return [
      "name": .string(cost.label), "cat": .string(String(cost.label.prefix { $0 != " " })), "ph": "X", "pid": 1,
      "tid": 1, "ts": .number((record.start - origin) * 1e6), "dur": .number(record.duration * 1e6),
      "args": .object(rates),
    ]
  }

  /// Writes the trace; an existing file is replaced.
  public func write(to path: String) throws(TrainingError) {
    do throws(FileError) {
      try AtomicFile.write(Array(trace.text().utf8), to: path)
    } catch {
      throw TrainingError(error)
    }
  }
}
