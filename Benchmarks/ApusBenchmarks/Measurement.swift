import Apus

/// The result of one benchmark: one line of `apus bench`.
public struct Measurement: Sendable {
  /// The amount of work of one execution of the workload.
  public enum Work: Hashable, Sendable {
    case operations(Int)
    case bytes(Int)
    case images(Int)
  }

  /// The kind of benchmark: `gemm`, `conv`, `ops`, `step` or `loader`.
  public var benchmark: String
  /// The name of the workload.
  public var problem: String
  /// The property that distinguishes lines of the same problem: `transpose`, `pass` or `precision`, with its value.
  public var variant: (name: String, value: String)?
  public var device: String
  public var dtype = DType.float32
  public var timing: Timing
  /// The work of one execution; `nil` if no number of operations, bytes or images describes it well.
  public var work: Work?
  /// The time from the start of the process until the host has read the first loss; `nil` except for the first workload
  /// of `step` in a process.
  public var firstStepMilliseconds: Double?
  /// The time of the first step with a new batch size minus the time of the second step with the same batch size: the
  /// median over three batch sizes, and at least 0. `nil` in the same cases as `firstStepMilliseconds`.
  public var otherBatchMilliseconds: Double?
  /// The peak memory of the workload, in bytes; `nil` in the same cases as `firstStepMilliseconds`,
  /// and if the system does not report it.
  public var peakByteCount: Int?

  public init(_ benchmark: String, problem: String, device: ComputeDevice, timing: Timing) {
    self.benchmark = benchmark
    self.problem = problem
    self.device = device.name
    self.timing = timing
  }

  /// The line as `--json` prints it. Rates are computed from the fastest run.
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

  /// Rounds to five significant digits. Numbers that have more than five digits before the decimal point are rounded to
  /// integers.
  private func rounded(_ value: Double) -> JSON {
    guard value.isFinite, value != 0 else { return .number(value) }
    var scale = 1.0
    while (value * scale).magnitude < 10_000 { scale *= 10 }
    return .number((value * scale).rounded() / scale)
  }
}
