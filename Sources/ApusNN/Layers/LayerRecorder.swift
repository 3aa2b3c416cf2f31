import ApusTensor
import Synchronization

/// Records the runs (calls) of layers, for `LayerTrace` and `LSUV`.
final class LayerRecorder: Sendable {
  /// A module that is running.
  struct Frame: Sendable {
    /// The key in the surrounding module; `nil` if the module was called directly.
    var key: String?
    var module: any Module
    /// Whether the module counts as one layer: `LayerTrace` shows none of the layers inside of it.
    var isLeaf: Bool
    /// The number of runs that finished before this module started.
    var start = 0
  }

  /// A run of a module that has finished.
  struct Run: Sendable {
    /// The modules around `module`, from the outermost inwards, then `module`.
    var frames: [Frame]
    var module: any Module
    var input: Tensor
    var output: Tensor
    /// Whether other runs are inside of this run; `false` for a leaf.
    var isContainer: Bool
    /// Whether this run is inside of the run of a leaf.
    var isInsideLeaf: Bool
  }

  private struct State {
    var frames: [Frame] = []
    var runs: [Run] = []
  }

  private let state = Mutex(State())
  @TaskLocal private static var taskLocal: LayerRecorder?
  private static let active = Atomic<Int>(0)

  /// The recorder of the Swift task. While no recorder is active in the process, reading this property costs one load.
  @inline(__always) static var current: LayerRecorder? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// Runs `body`, which calls `model` if one is given. Returns the runs of modules inside `body`, in the order in which
  /// they finished, and the result of `body`.
  static func recording(
    _ model: (any Module)? = nil, body: () -> Tensor
  ) -> (runs: [Run], output: Tensor) {
    let recorder = LayerRecorder()
    if let model {
      recorder.state.withLock { $0.frames.append(Frame(key: nil, module: model, isLeaf: false)) }
    }
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    let output = $taskLocal.withValue(recorder, operation: body)
    return (recorder.state.withLock { $0.runs }, output)
  }

  /// Runs a module and records it.
  func run(
    _ module: any Module, key: String? = nil, isLeaf: Bool = false, _ input: Tensor, _ body: () -> Tensor
  ) -> Tensor {
    run(module, key: key, isLeaf: isLeaf, input, body) { $0 }
  }

  /// Runs a module with several results and records one of the results as the output.
  func run<R>(
    _ module: any Module, key: String? = nil, isLeaf: Bool = false, _ input: Tensor, _ body: () -> R,
    output: (R) -> Tensor
  ) -> R {
    guard enter(Frame(key: key, module: module, isLeaf: isLeaf)) else { return body() }
    let result = body()
    leave(input, output(result))
    return result
  }

  /// Starts the run of a module, unless the run has started already. Returns whether this call started it.
  ///
  /// The run has started already if the module is the innermost running module and `frame.key` is `nil`:
  /// `LayerTrace.run` started it with a key and called the module, which reports itself without a key.
  private func enter(_ frame: Frame) -> Bool {
    state.withLock { state in
      if frame.key == nil, let last = state.frames.last, ModuleIdentity.areEqual(last.module, frame.module) {
        if frame.isLeaf { state.frames[state.frames.count - 1].isLeaf = true }
        return false
      }
      var frame = frame
      frame.start = state.runs.count
      state.frames.append(frame)
      return true
    }
  }

  private func leave(_ input: Tensor, _ output: Tensor) {
    state.withLock { state in
      let frames = state.frames
      let frame = state.frames.removeLast()
      state.runs.append(
        Run(
          frames: frames, module: frame.module, input: input, output: output,
          isContainer: !frame.isLeaf && state.runs.count > frame.start,
          isInsideLeaf: state.frames.contains(where: \.isLeaf)))
    }
  }
}

/// Identifies a module by its type and by its parameters and statistics.
struct ModuleIdentity: Hashable {
  private let type: String
  private let boxes: [ObjectIdentifier]

  /// `nil` for a module without parameters and statistics.
  init?(_ module: any Module) {
    self.init(type: Swift.type(of: module).typeName, module)
    if boxes.isEmpty { return nil }
  }

  private init(type: String, _ module: any Module) {
    self.type = type
    boxes = module.state.entries.map { ObjectIdentifier($0.box) }
  }

  /// Whether both modules have the same type, parameters and statistics.
  static func areEqual(_ first: any Module, _ second: any Module) -> Bool {
    let (one, other) = (Swift.type(of: first).typeName, Swift.type(of: second).typeName)
    return one == other && ModuleIdentity(type: one, first) == ModuleIdentity(type: other, second)
  }
}
