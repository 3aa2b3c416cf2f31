import ApusDevice
import ApusSystem

/// The log of the plan steps that ran: lines for `APUS_DEBUG=1`, and records for a profile.
struct StepLog {
  /// The steps that ran since the profile was started; `nil` without a profile.
  var records: [StepRecord]?

  var isWanted: Bool { records != nil || Environment.logsSteps }

  mutating func note(_ cost: StepCost, start: Double, duration: Double) {
    records?.append(StepRecord(cost: cost, start: start, duration: duration))
    guard Environment.logsSteps else { return }
    warn("cpu: \(cost.line(seconds: duration))")
  }
}
