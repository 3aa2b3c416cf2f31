/// What a step of a plan does, or a kernel: for logs, errors and profiles.
public struct StepLabel: Hashable, Sendable {
  /// The operations that it came from.
  public var operation: String
  /// Family, shape and variant.
  public var detail: String
  /// Floating-point operations, 0 where memory is what counts.
  public var flops: Double
  /// Bytes read and written at least.
  public var bytes: Double

  /// A label from its parts.
  public init(operation: String, detail: String, flops: Double, bytes: Double) {
    self.operation = operation
    self.detail = detail
    self.flops = flops
    self.bytes = bytes
  }

  /// A line of `APUS_DEBUG=1`: what was done in which time, and at which rates.
  package func line(seconds: Double) -> String {
    // Operations and bytes in a nanosecond are 10⁹ of them in a second.
    let time = max(1, seconds * 1e9)
    var parts = [detail, "\((time / 1000).text(places: 1)) µs"]
    if flops > 0 { parts.append("\((flops / time).text(places: 1)) GFLOP/s") }
    if bytes > 0 { parts.append("\((bytes / time).text(places: 1)) GB/s") }
    return (parts + [operation]).joined(separator: " · ")
  }
}

/// A step or kernel that ran, and when.
public struct StepRecord: Hashable, Sendable {
  /// What it did.
  public var label: StepLabel
  /// When it began, in seconds of a clock of the device.
  public var start: Double
  /// How long it took, in seconds.
  public var duration: Double

  /// A record from its parts.
  public init(label: StepLabel, start: Double, duration: Double) {
    self.label = label
    self.start = start
    self.duration = duration
  }
}
