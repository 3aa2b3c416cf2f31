import ApusDevice

/// The choices of a device among kernels, and the state of a measurement of more of them.
final class Tuner: @unchecked Sendable {
  private let target: KernelTarget
  private let fingerprint: [String]
  private let store: ProgramStore?
  private let lock = Lock()
  /// What ships with the engine, overridden by what was measured here.
  private let shipped: TuningTable
  private var measured: TuningTable
  private var report: (@Sendable (TuningRecord) -> Void)?
  /// The problems that were measured since `start`.
  private var seen: Set<String> = []

  init(target: KernelTarget, fingerprint: [String], store: ProgramStore?) {
    (self.target, self.fingerprint, self.store) = (target, fingerprint, store)
    shipped = .shipped(for: target)
    measured = .stored(in: store, fingerprint: fingerprint, target: target)
  }

  /// The shapes to take.
  var choices: TuningTable {
    lock.lock()
    defer { lock.unlock() }
    return shipped.overridden(by: measured)
  }

  /// The shape that ships with the engine for a problem.
  func usual(_ problem: String) -> String? { shipped[problem] }

  var isActive: Bool {
    lock.lock()
    defer { lock.unlock() }
    return report != nil
  }

  func start(_ report: @escaping @Sendable (TuningRecord) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    self.report = report
    seen = []
  }

  /// Ends the measurement.
  func finish() {
    lock.lock()
    defer { lock.unlock() }
    report = nil
    if store == nil, !seen.isEmpty {
      warn("the choices hold for this process alone: there is no directory to keep them in")
    }
  }

  func forget() {
    lock.lock()
    defer { lock.unlock() }
    measured = TuningTable()
    measured.write(to: store, fingerprint: fingerprint, target: target)
  }

  /// Whether a problem was not measured yet; from then on it was.
  func begins(_ problem: String) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    return report != nil && seen.insert(problem).inserted
  }

  /// Takes a choice and keeps it at once: a measurement of many problems may be interrupted. What could not be measured
  /// leaves an earlier choice as it is.
  func add(_ record: TuningRecord) {
    lock.lock()
    if let chosen = record.chosen {
      measured[record.problem] = chosen
      // Another process may have measured other problems meanwhile.
      var all = TuningTable.stored(in: store, fingerprint: fingerprint, target: target)
      all[record.problem] = chosen
      all.write(to: store, fingerprint: fingerprint, target: target)
    }
    let report = report
    lock.unlock()
    report?(record)
  }
}
