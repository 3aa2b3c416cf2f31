import ApusDevice
import Glibc

/// The log of executed steps: lines for `APUS_DEBUG=1`, and records for a profile.
struct StepLog {
  private static let writesLines = HostSystem.environment("APUS_DEBUG").map { $0 != "0" } ?? false
  /// The steps that ran since the profile was started; `nil` without a profile.
  var records: [StepRecord]?

  var isWanted: Bool { records != nil || Self.writesLines }

  mutating func note(_ cost: StepCost, start: Double, duration: Double) {
    records?.append(StepRecord(cost: cost, start: start, duration: duration))
    guard Self.writesLines else { return }
    // One call writes the whole line, so that lines of several threads do not mix.
    let line = Array("apus: cpu: \(cost.line(seconds: duration))\n".utf8)
    line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress!, $0.count) }
  }
}
