import ApusTensor
import Synchronization

/// Records the layers that run, with their inputs and outputs, for summaries.
package final class LayerTrace: Sendable {
  package struct Record: Sendable {
    /// The keys that lead to the layer, joined by dots.
    package var path: String
    package var layer: any Module
    package var input: Tensor
    package var output: Tensor
    /// Whether the layer contains other layers, which are recorded before it.
    package var isContainer: Bool
  }

  private struct State {
    var prefix: [String] = []
    var records: [Record] = []
  }

  private let state = Mutex(State())
  @TaskLocal private static var taskLocal: LayerTrace?
  private static let active = Atomic<Int>(0)

  /// The trace of the task. If the process has no active trace, this costs one load.
  static var current: LayerTrace? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// Runs a layer and records it.
  func record(_ key: String, _ layer: any Layer, _ input: Tensor) -> Tensor {
    record(key, layer, input) { layer($0) }
  }

  /// Runs a component of a model and records it if there is a trace. Anomalies are reported under its key.
  package static func run(
    _ key: String, _ module: any Module, _ input: Tensor, _ body: (Tensor) -> Tensor
  ) -> Tensor {
    current?.record(key, module, input, body)
      ?? namingOperations(after: (key, type(of: module).typeName)) { body(input) }
  }

  /// Runs a layer of a model.
  package static func run(_ key: String, _ layer: any Layer, _ input: Tensor) -> Tensor {
    run(key, layer, input) { layer($0) }
  }

  private func record(
    _ key: String, _ layer: any Module, _ input: Tensor, _ body: (Tensor) -> Tensor
  ) -> Tensor {
    let start = state.withLock { state in
      state.prefix.append(key)
      return state.records.count
    }
    let output = body(input)
    state.withLock { state in
      let path = state.prefix.joined(separator: ".")
      let isContainer = state.records.count > start
      state.records.append(
        Record(path: path, layer: layer, input: input, output: output, isContainer: isContainer))
      state.prefix.removeLast()
    }
    return output
  }

  /// Runs a layer and returns its output and a record of each inner layer that ran, innermost first. A layer that is
  /// not a container is recorded itself.
  package static func run(_ layer: any Layer, _ input: Tensor) -> (records: [Record], output: Tensor) {
    let trace = LayerTrace()
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    let output = $taskLocal.withValue(trace) { layer(input) }
    let records = trace.state.withLock { $0.records }
    if !records.isEmpty { return (records, output) }
    return ([Record(path: "", layer: layer, input: input, output: output, isContainer: false)], output)
  }
}
