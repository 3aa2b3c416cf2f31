import ApusTensor
import Synchronization

/// Records the parameters whose values some code reads, including parameters that reflection over the model's
/// properties does not find.
package final class ParameterReads: Sendable {
  @TaskLocal private static var taskLocal: ParameterReads?
  private static let active = Atomic<Int>(0)
  private let stored = Mutex<(list: [(parameter: Parameter, layer: String?)], known: Set<Parameter>)>(([], []))

  /// The record of the current Swift task; `nil` if the task does not record. While no task of the process records,
  /// reading this property costs one load.
  static var current: ParameterReads? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// Runs `body` and returns the parameters whose values `body` read, each once, with the first layer that read it.
  package static func recording<R>(
    _ body: () throws -> R
  ) rethrows -> (result: R, reads: [(parameter: Parameter, layer: String?)]) {
    let reads = ParameterReads()
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    let result = try $taskLocal.withValue(reads) { try namingLayers(body) }
    return (result, reads.stored.withLock { $0.list })
  }

  func add(_ parameter: Parameter) {
    stored.withLock { stored in
      if stored.known.insert(parameter).inserted { stored.list.append((parameter, currentLayer)) }
    }
  }
}
