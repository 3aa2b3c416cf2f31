import ApusDevice
import Glibc

/// What is noted of the steps that run: lines of `APUS_DEBUG=1`, and records where a profile is wanted.
struct StepLog {
  private static let writesLines = HostSystem.environment("APUS_DEBUG").map { $0 != "0" } ?? false
  /// What ran since the profile was started; `nil` where there is none.
  var records: [StepRecord]?

  var isWanted: Bool { records != nil || Self.writesLines }

  mutating func note(_ cost: StepCost, start: Double, duration: Double) {
    records?.append(StepRecord(cost: cost, start: start, duration: duration))
    guard Self.writesLines else { return }
    // In one call, so that lines of several threads do not mix.
    let line = Array("apus: cpu: \(cost.line(seconds: duration))\n".utf8)
    line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress!, $0.count) }
  }
}
