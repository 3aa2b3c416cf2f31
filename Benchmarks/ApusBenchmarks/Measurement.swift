import Apus

/// What one benchmark measured: one line of `apus bench`.
public struct Measurement: Sendable {
  /// Work that was done in a time.
  public enum Work: Hashable, Sendable {
    case operations(Int)
    case bytes(Int)
    case images(Int)
  }

  /// `gemm`, `conv`, `ops`, `step` or `loader`.
  public var benchmark: String
  public var problem: String
  /// What else tells one line of a problem from another: `transpose` or `pass`, with its value.
  public var variant: (name: String, value: String)?
  public var device: String
  public var dtype = DType.float32
  public var timing: Timing
  /// What one run does; `nil` where no number of operations or bytes means much.
  public var work: Work?
  /// From the start of the process to the first loss on the host.
  public var firstStepMilliseconds: Double?
  /// What the first step with another batch size costs on top.
  public var otherBatchMilliseconds: Double?
  public var peakByteCount: Int?

  public init(_ benchmark: String, problem: String, device: ComputeDevice, timing: Timing) {
    self.benchmark = benchmark
    self.problem = problem
    self.device = device.name
    self.timing = timing
  }

  /// The line as `--json` prints it. Rates are those of the fastest run.
  public var json: JSONObject {
    var object: JSONObject = ["benchmark": .string(benchmark), "problem": .string(problem)]
    if let variant { object[variant.name] = .string(variant.value) }
    object["device"] = .string(device)
    object["dtype"] = .string(dtype.description)
    object["median_ms"] = rounded(timing.median)
    object["min_ms"] = rounded(timing.minimum)
    object["runs"] = .integer(timing.runs)
    switch work {
    case .operations(let count): object["gflops"] = rounded(Double(count) / timing.minimum / 1e6)
    case .bytes(let count): object["gbytes_per_second"] = rounded(Double(count) / timing.minimum / 1e6)
    case .images(let count): object["images_per_second"] = rounded(Double(count) / timing.minimum * 1e3)
    case nil: break
    }
    if let firstStepMilliseconds { object["first_step_ms"] = rounded(firstStepMilliseconds) }
    if let otherBatchMilliseconds { object["other_batch_ms"] = rounded(otherBatchMilliseconds) }
    if let peakByteCount { object["peak_bytes"] = .integer(peakByteCount) }
    return object
  }

  /// Five digits are more than any clock is worth.
  private func rounded(_ value: Double) -> JSON {
    guard value.isFinite, value != 0 else { return .number(value) }
    var scale = 1.0
    while (value * scale).magnitude < 10_000 { scale *= 10 }
    return .number((value * scale).rounded() / scale)
  }
}
