import ApusDevice
import ApusSystem

/// The kernel choices of a device, and the state of a tuning run.
final class Tuner: @unchecked Sendable {
  private let target: KernelTarget
  private let store: ProgramStore?
  private let lock = Lock()
  /// The choices that ship with Apus, and the measurements on this machine, which override them.
  private let shipped: TuningTable
  private var measured: TuningTable
  private var report: (@Sendable (TuningRecord) -> Void)?
  /// The problems that were measured since `start`.
  private var seen: Set<String> = []

  init(target: KernelTarget, store: ProgramStore?) {
    (self.target, self.store) = (target, store)
    shipped = .shipped(for: target)
    measured = .stored(in: store, target: target)
  }

  /// The kernel shapes to use.
  var choices: TuningTable {
    lock.withLock { shipped.overridden(by: measured) }
  }

  /// Returns the shape that ships with Apus for a problem.
  func shippedChoice(for problem: String) -> String? { shipped[problem] }

  var isActive: Bool {
    lock.withLock { report != nil }
  }

  func start(_ report: @escaping @Sendable (TuningRecord) -> Void) {
    lock.withLock {
      self.report = report
      seen = []
    }
  }

  func finish() {
    lock.withLock {
      report = nil
      if store == nil, !seen.isEmpty {
        warn("the tuning results apply to this process only: there is no cache folder to store them in")
      }
    }
  }

  func forget() {
    lock.withLock {
      measured = TuningTable()
      measured.write(to: store, target: target)
    }
  }

  /// Returns whether a problem is not measured yet, and marks it as measured.
  func begins(_ problem: String) -> Bool {
    lock.withLock { report != nil && seen.insert(problem).inserted }
  }

  /// Adopts a choice and stores it at once, because tuning of many problems may be interrupted. A problem that could
  /// not be measured keeps its earlier choice.
  func add(_ record: TuningRecord) {
    let report = lock.withLock { () -> (@Sendable (TuningRecord) -> Void)? in
      if let chosen = record.chosen {
        measured[record.problem] = chosen
        // Another process may have measured other problems meanwhile.
        var all = TuningTable.stored(in: store, target: target)
        all[record.problem] = chosen
        all.write(to: store, target: target)
      }
      return self.report
    }
    report?(record)
  }
}
