/// The description of a step of a plan or of a kernel, for logs, errors and profiles.
public struct StepLabel: Hashable, Sendable {
  /// The operations that were lowered to the step.
  public var operation: String
  /// The family, shape and variant of the step.
  public var detail: String
  /// The number of floating-point operations; 0 for memory-bound steps.
  public var flops: Double
  /// The minimum number of bytes read and written.
  public var bytes: Double

  /// Creates a label from its fields.
  public init(operation: String, detail: String, flops: Double, bytes: Double) {
    self.operation = operation
    self.detail = detail
    self.flops = flops
    self.bytes = bytes
  }

  /// A log line of `APUS_DEBUG=1`: the step with its duration and rates.
  package func line(seconds: Double) -> String {
    // Operations or bytes per nanosecond are 10⁹ per second.
    let time = max(1, seconds * 1e9)
    var parts = [detail, "\((time / 1000).text(places: 1)) µs"]
    if flops > 0 { parts.append("\((flops / time).text(places: 1)) GFLOP/s") }
    if bytes > 0 { parts.append("\((bytes / time).text(places: 1)) GB/s") }
    return (parts + [operation]).joined(separator: " · ")
  }
}

/// The record of an executed step or kernel.
public struct StepRecord: Hashable, Sendable {
  /// The description of the step.
  public var label: StepLabel
  /// The start time, in seconds of a device clock.
  public var start: Double
  /// The duration in seconds.
  public var duration: Double

  /// Creates a record from its fields.
  public init(label: StepLabel, start: Double, duration: Double) {
    self.label = label
    self.start = start
    self.duration = duration
  }
}
