import ApusDevice
import ApusSystem
import Synchronization

/// The choices of a device (which kernel variant runs each problem), and the state of a tuning run, which measures the
/// variants.
final class Tuner: Sendable {
  private let target: KernelTarget
  private let store: ProgramStore?
  /// The choices that ship with Apus.
  private let shipped: TuningTable
  private let state: Mutex<State>

  private struct State {
    /// The measurements on this machine, which override the shipped choices.
    var measured: TuningTable
    /// Receives each result; `nil` while no tuning run is active.
    var report: (@Sendable (TuningRecord) -> Void)?
    /// The problems that were claimed for measurement since `start`. A problem is the key of a choice: the kernel
    /// family, the types and the size classes (see `KernelChoice`).
    var seen: Set<String> = []
  }

  init(target: KernelTarget, store: ProgramStore?) {
    (self.target, self.store) = (target, store)
    shipped = .shipped(for: target)
    state = Mutex(State(measured: .stored(in: store, target: target)))
  }

  /// The kernel variant to use for each problem.
  var choices: TuningTable {
    state.withLock { shipped.overridden(by: $0.measured) }
  }

  /// Returns the kernel variant that ships with Apus for a problem; `nil` if there is none.
  func shippedChoice(for problem: String) -> String? { shipped[problem] }

  var isActive: Bool {
    state.withLock { $0.report != nil }
  }

  func start(_ report: @escaping @Sendable (TuningRecord) -> Void) {
    state.withLock { state in
      state.report = report
      state.seen = []
    }
  }

  func finish() {
    state.withLock { state in
      state.report = nil
      if store == nil, !state.seen.isEmpty {
        warn("the tuning results apply to this process only: there is no cache folder to store them in")
      }
    }
  }

  func forget() {
    state.withLock { state in
      state.measured = TuningTable()
      state.measured.write(to: store, target: target)
    }
  }

  /// Claims a problem for measurement. Returns `false` if no tuning run is active or the problem was claimed before.
  func begins(_ problem: String) -> Bool {
    state.withLock { $0.report != nil && $0.seen.insert(problem).inserted }
  }

  /// Adopts a choice and stores it at once, because tuning of many problems may be interrupted. A problem that could
  /// not be measured keeps its earlier choice.
  func add(_ record: TuningRecord) {
    let report = state.withLock { state in
      if let chosen = record.chosen {
        state.measured[record.problem] = chosen
        // Another process may have measured other problems meanwhile.
        var all = TuningTable.stored(in: store, target: target)
        all[record.problem] = chosen
        all.write(to: store, target: target)
      }
      return state.report
    }
    report?(record)
  }
}
