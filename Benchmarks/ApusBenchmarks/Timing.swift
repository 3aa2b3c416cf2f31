import Apus
import ApusSystem

/// Milliseconds per execution of a function, measured in several runs.
public struct Timing: Hashable, Sendable {
  public var median: Double
  public var minimum: Double
  public var runs: Int

  /// - Precondition: there is at least one sample.
  init(samples: [Double]) {
    median = samples.median
    minimum = samples.min()!
    runs = samples.count
  }

  /// Measures the time of `body` on a device. After a few warm-up executions, each run executes `body` often enough to
  /// take about `span` milliseconds. At the start and at the end of a run, the device has no work left.
  ///
  /// - Parameters:
  ///   - runs: the number of samples. Each sample is the mean over the executions of a run.
  ///   - span: the approximate minimum time of a run, in milliseconds.
  public static func measure(
    on device: ComputeDevice, runs: Int, span: Double = 50, _ body: () throws -> Void
  ) throws -> Timing {
    func run(_ count: Int) throws -> Double {
      let start = ContinuousClock.seconds
      for _ in 0..<count { try body() }
      try device.synchronize()
      return (ContinuousClock.seconds - start) * 1e3 / Double(count)
    }
    for _ in 0..<3 { _ = try run(1) }
    let count = Int(span / Swift.max(try run(1), span / 100_000)) + 1
    // No capacity is reserved for the samples, because reserving it for very many runs would fail before the first.
    var samples: [Double] = []
    for _ in 0..<Swift.max(runs, 1) { samples.append(try run(count)) }
    return Timing(samples: samples)
  }
}
