import ApusDevice
import Synchronization

/// Records the evaluations of a Swift task.
package final class EvaluationRecorder: Sendable {
  @TaskLocal private static var taskLocal: EvaluationRecorder?
  private static let active = Atomic<Int>(0)

  /// The recorder of the Swift task. If no task of the process records, only the counter `active` is read.
  static var current: EvaluationRecorder? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// A run of a plan. The entry is used only under the lock of its device.
  struct Record: @unchecked Sendable {
    let entry: PlanCache.Entry
    let operations: PlanKey
    let inputs: [Node]
    let donatable: [Bool]
    let outputs: [Node]
    let scalars: [Scalar]
    let scalarNodes: [Node?]
  }

  private let stored = Mutex<[Record]>([])
  var records: [Record] { stored.withLock { $0 } }

  func add(_ entry: PlanCache.Entry, _ bound: Bindings, _ operations: PlanKey) {
    func nodes(_ list: [Unmanaged<Node>]) -> [Node] { list.map { $0.takeUnretainedValue() } }
    let record = Record(
      entry: entry, operations: operations, inputs: nodes(bound.inputNodes), donatable: bound.donatable,
      outputs: nodes(bound.outputNodes),
      scalars: bound.scalars, scalarNodes: bound.scalarNodes.map { $0?.takeUnretainedValue() })
    stored.withLock { $0.append(record) }
  }

  /// Runs `body` and records its evaluations. Returns the result of `body` and the recorder.
  package static func record<R>(_ body: () throws -> R) rethrows -> (result: R, recorder: EvaluationRecorder) {
    let recorder = EvaluationRecorder()
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return (try $taskLocal.withValue(recorder, operation: body), recorder)
  }
}

/// Access to the tensors that an evaluation replaces, such as parameters: calls `body` with tensor number `index`.
package typealias StateAccess = (_ index: Int, _ body: (inout Tensor) -> Void) -> Void

/// References to the values of tensors. Unlike a tensor, such a reference lets an evaluation overwrite the memory of
/// its value.
package struct StateSnapshot {
  fileprivate let nodes: [Node]
  /// Whether all tensors had a value.
  fileprivate let isEvaluated: Bool

  package init(count: Int, _ access: StateAccess) {
    var nodes: [Node] = []
    for index in 0..<count { access(index) { nodes.append($0.node) } }
    // The device's lock is taken outside of `access`: a recorded evaluation calls `access` while it holds this lock, so
    // an `access` that waited for the lock could wait forever.
    isEvaluated = nodes.allSatisfy { node in node.device.withEvaluator { _ in node.isMaterialized } }
    self.nodes = nodes
  }
}

/// An evaluation that can run again with other inputs, without its graph.
///
/// Its inputs are the values of arguments, tensors of the state (which the evaluation may replace), and constants. Its
/// outputs are results and new values of the state.
package struct RecordedEvaluation {
  /// Whether the code that builds graphs in this Swift task depends on nothing but its arguments: it runs outside of
  /// the scopes that change, record or check operations (recorded gradients, gradient checkpointing, other precisions,
  /// search for anomalies, checks of shapes, recording of an evaluation).
  package static var isPossible: Bool {
    GradientScope.current == nil && AnomalyScope.naming == nil && CheckpointRegion.current == 0
      && ShapeRecord.current == nil && PrecisionScope.current == .float32 && EvaluationRecorder.current == nil
  }

  private enum Input: Equatable {
    /// The index in the values of the arguments.
    case argument(Int)
    case state(Int)
    /// The index in `constants`.
    case constant(Int)
  }

  private enum Output: Equatable {
    case result(Int)
    case state(Int)
    /// The value of an argument that was pending. A later run does not store it.
    case argument
  }

  /// Where an entry of the plan's scalar bank comes from.
  fileprivate enum Number: Equatable {
    /// Element `index` of the numbers that are passed to the evaluation, converted to a type.
    case given(index: Int, DType)
    /// The index in the numbers of the arguments, `ArgumentGraph.scalars`.
    case argument(Int)
    case fixed(Scalar)
    /// The counter of the random number source at the start of the step, plus an offset.
    case counter(offset: Int64)
  }

  /// The random numbers that were drawn during an evaluation.
  package struct Draws: Hashable, Sendable {
    package var seed: UInt64
    package var counter: UInt64
    package var count: UInt64

    package init(before: RandomKey, after: RandomKey) {
      (seed, counter) = (before.seed, before.counter)
      count = before.seed == after.seed ? after.counter &- before.counter : 0
    }

    /// If a number follows the random counter, returns `counter` with its offset from the counter at the start of the
    /// step; otherwise `nil`. `own` is the number in a recording with these draws, `new` is the same number in a
    /// recording with the draws `later`.
    fileprivate func explain(_ own: Number, _ new: Number, _ later: Draws) -> Number? {
      guard case .fixed(.integer(let second)) = new else { return nil }
      let offset = second &- Int64(bitPattern: later.counter)
      switch own {
      case .fixed(.integer(let first)) where first &- Int64(bitPattern: counter) == offset: break
      case .counter(let known) where known == offset: break
      default: return nil
      }
      return offset >= 0 && offset < count ? .counter(offset: offset) : nil
    }
  }

  private let device: ComputeDevice
  private let entry: PlanCache.Entry
  /// The operations that the plan computes, in the forms that were recorded: with and without deferred graphs.
  private var operations: Set<PlanKey>
  private let inputs: [Input]
  private let outputs: [Output]
  private var numbers: [Number]
  private let constants: [Tensor]
  /// The types of the state's tensors.
  private let stateTypes: [TensorType]
  /// For each tensor of the state, whether the plan overwrites its memory.
  private let isDonated: [Bool]
  private let resultTypes: [TensorType]
  /// The serials of the values and numbers of the arguments, and of the values of the state that the plan does not
  /// overwrite; `nil` for those that differed between recordings. Where all recordings had the same value, a run must
  /// have it too: the step may also use such a value as a constant, which recordings cannot tell from the argument or
  /// state.
  private var argumentSerials, stateSerials: [UInt64?]
  /// The length of the list `given` of each run.
  private let givenCount: Int
  package let draws: Draws

  /// - Parameters:
  ///   - recorder: the recorder of the step.
  ///   - before: the state before the step.
  ///   - after: the state after the step, in the same order.
  ///   - numbers: scalars whose values each run is given.
  ///   - draws: the random numbers of the step.
  /// - Returns: `nil` if the step cannot be repeated: it ran no plan or several; it used several devices; the state had
  ///   no values before the step; a tensor has two roles (two tensors of the state, or the state and the arguments, share
  ///   it); the plan overwrote an input that is not part of the state; the step has results that the plan did not
  ///   compute, or the plan computed other values than `results` and the state.
  package init?(
    _ recorder: EvaluationRecorder, arguments: ArgumentGraph, before: StateSnapshot, after: StateSnapshot,
    results: [Tensor], numbers given: [Tensor], draws: Draws
  ) {
    let records = recorder.records
    guard before.isEvaluated, records.count == 1, let record = records.first, let device = record.outputs.first?.device
    else { return nil }
    (self.device, entry, self.draws, givenCount) = (device, record.entry, draws, given.count)
    operations = [record.operations]
    argumentSerials = arguments.serials
    // A tensor that has two roles in this step may have only one of them in later steps.
    let roles = before.nodes + arguments.leaves.map(\.node)
    guard Set(roles.map { ObjectIdentifier($0) }).count == roles.count else { return nil }
    guard let (inputs, constants, isDonated) = Self.inputs(of: record, before, arguments),
      let outputs = Self.outputs(of: record, after, results, arguments)
    else { return nil }
    let (known, inArguments) = (Self.positions(given.map(\.node)), Self.positions(arguments.scalarNodes))
    numbers = zip(record.scalarNodes, record.scalars).map { node, value in
      guard let identity = node.map({ ObjectIdentifier($0) }) else { return .fixed(value) }
      if let index = inArguments[identity] { return .argument(index) }
      return known[identity].map { .given(index: $0, given[$0].dtype) } ?? .fixed(value)
    }
    let isComplete =
      results.indices.allSatisfy { outputs.contains(.result($0)) }
      && before.nodes.indices.allSatisfy { before.nodes[$0] === after.nodes[$0] || outputs.contains(.state($0)) }
      && (before.nodes + arguments.roots + results.map(\.node)).allSatisfy { $0.device === device }
    guard isComplete else { return nil }
    (self.inputs, self.outputs, self.constants, self.isDonated) = (inputs, outputs, constants, isDonated)
    stateTypes = before.nodes.map { TensorType($0.shape, $0.dtype) }
    stateSerials = zip(before.nodes, isDonated).map { $1 ? nil : $0.serial }
    resultTypes = results.map { TensorType($0.shape, $0.dtype) }
  }

  /// The index of each node in a list; of nodes that are listed twice, the first index.
  private static func positions(_ nodes: [Node]) -> [ObjectIdentifier: Int] {
    Dictionary(zip(nodes.map { ObjectIdentifier($0) }, nodes.indices)) { first, _ in first }
  }

  /// Where the inputs of a run came from, its constants, and which tensors of the state it overwrote; `nil` if it
  /// overwrote another input, since such a run works only once.
  private static func inputs(
    of record: EvaluationRecorder.Record, _ before: StateSnapshot, _ arguments: ArgumentGraph
  ) -> (inputs: [Input], constants: [Tensor], isDonated: [Bool])? {
    let (state, leaves) = (positions(before.nodes), positions(arguments.leaves.map(\.node)))
    var (inputs, constants) = ([Input](), [Tensor]())
    var isDonated = [Bool](repeating: false, count: before.nodes.count)
    for (node, isDonatable) in zip(record.inputs, record.donatable) {
      if let index = state[ObjectIdentifier(node)] {
        inputs.append(.state(index))
        if isDonatable { isDonated[index] = true }
        continue
      }
      guard !isDonatable else { return nil }
      if let index = leaves[ObjectIdentifier(node)] {
        inputs.append(.argument(index))
      } else {
        inputs.append(.constant(constants.count))
        constants.append(Tensor(node: node))
      }
    }
    return (inputs, constants, isDonated)
  }

  /// What the outputs of a run became; `nil` if one is neither a result, nor a part of the state, nor an argument.
  private static func outputs(
    of record: EvaluationRecorder.Record, _ after: StateSnapshot, _ results: [Tensor], _ arguments: ArgumentGraph
  ) -> [Output]? {
    let (state, results) = (positions(after.nodes), positions(results.map(\.node)))
    var outputs: [Output] = []
    for node in record.outputs {
      if let index = state[ObjectIdentifier(node)] {
        outputs.append(.state(index))
      } else if let index = results[ObjectIdentifier(node)] {
        outputs.append(.result(index))
      } else if arguments.roots.contains(where: { $0 === node }) {
        outputs.append(.argument)
      } else {
        return nil
      }
    }
    return outputs
  }

  /// Compares this recording with a later one of the same plan: numbers that differ must follow the random counter.
  /// - Returns: this evaluation merged with the later one; `nil` if they differ in another way.
  package func explained(by other: RecordedEvaluation) -> RecordedEvaluation? {
    entry === other.entry && isDonated == other.isDonated ? merged(with: other) : nil
  }

  /// Whether both evaluations are recordings of the same step. Their plans may overwrite different tensors of the
  /// state.
  package func isSameStep(as other: RecordedEvaluation) -> Bool {
    (entry === other.entry || !operations.isDisjoint(with: other.operations)) && merged(with: other) != nil
  }

  /// This evaluation, generalized to a later evaluation of the same operations: numbers that follow the random counter
  /// become `counter`, and serials that differ become `nil`. Returns `nil` if anything else differs, if both
  /// evaluations drew the same random numbers, or if a draw is not a number of the plan.
  private func merged(with other: RecordedEvaluation) -> RecordedEvaluation? {
    let sharesConstants = zip(constants, other.constants).allSatisfy { $0.node === $1.node }
    guard givenCount == other.givenCount, inputs == other.inputs, outputs == other.outputs, sharesConstants,
      draws.count == other.draws.count,
      draws.count == 0 || draws.seed == other.draws.seed && draws.counter != other.draws.counter
    else { return nil }
    var result = self
    result.operations.formUnion(other.operations)
    for (index, (own, new)) in zip(numbers, other.numbers).enumerated() where own != new {
      guard let number = draws.explain(own, new, other.draws) else { return nil }
      result.numbers[index] = number
    }
    result.argumentSerials = Self.common(argumentSerials, other.argumentSerials)
    result.stateSerials = Self.common(stateSerials, other.stateSerials)
    return result.usesAllDraws ? result : nil
  }

  /// The serials that are equal in both lists.
  private static func common(_ first: [UInt64?], _ second: [UInt64?]) -> [UInt64?] {
    zip(first, second).map { $0 == $1 ? $0 : nil }
  }

  /// Whether the counter of each random draw is a number of the plan. Otherwise, the code that built the graph may have
  /// used a draw itself, for example to choose operations.
  private var usesAllDraws: Bool {
    var offsets: Set<Int64> = []
    for case .counter(let offset) in numbers { offsets.insert(offset) }
    return offsets.count == Int(clamping: draws.count)
  }

  /// Runs the evaluation.
  /// - Parameters:
  ///   - arguments: arguments with the structure that was recorded.
  ///   - given: the numbers of this run, in the order of `numbers` of the initializer.
  ///   - key: the state of the random number source.
  /// - Returns: the results; `nil` if the step must build its graph, for example because something else refers to a
  ///   tensor of the state that the plan overwrites, a tensor of the state has changed its type or has no value, or a
  ///   value differs that was the same in all recordings. Nothing has changed then.
  package func run(
    _ arguments: ArgumentGraph, given: [Double], key: RandomKey, state access: StateAccess
  ) throws(DeviceError) -> [Tensor]? {
    let hasKnownValues = zip(argumentSerials, arguments.serials).allSatisfy { $0 == nil || $0 == $1 }
    guard given.count == givenCount, hasKnownValues, draws.count == 0 || draws.seed == key.seed else { return nil }
    let scalars = numbers.map { number -> Scalar in
      switch number {
      case .given(let index, let dtype): Scalar(given[index], as: dtype)
      case .argument(let index): arguments.scalars[index]
      case .fixed(let value): value
      case .counter(let offset): .integer(Int64(bitPattern: key.counter) &+ offset)
      }
    }
    return try device.withEvaluator { evaluator throws(DeviceError) in
      // The recorded plan would not compute the attached values.
      guard !evaluator.hasPendingAttachments else { return nil }
      guard let state = bindState(access), let bound = bind(arguments.leaves, state, scalars) else { return nil }
      evaluator.plans.noteUse(of: entry)
      let record = evaluator.recordOfInputs(entry, bound)
      return store(try evaluator.run(entry, bound), record, state, access)
    }
  }

  /// The nodes of the state; `nil` if the evaluation cannot run with them.
  private func bindState(_ access: StateAccess) -> [Node]? {
    var nodes: [Node] = []
    nodes.reserveCapacity(stateTypes.count)
    var isBound = true
    for (index, type) in stateTypes.enumerated() {
      access(index) { tensor in
        let node = tensor.node
        if node.buffer == nil || node.hasFailed || node.dtype != type.dtype || node.shape != type.shape {
          isBound = false
        }
        if isDonated[index], !tensor.isExclusive { isBound = false }
        if let known = stateSerials[index], known != node.serial { isBound = false }
        if node.device !== device { isBound = false }
        nodes.append(node)
      }
      guard isBound else { return nil }
    }
    return nodes
  }

  private func bind(_ arguments: [Tensor], _ state: [Node], _ scalars: [Scalar]) -> Bindings? {
    var bound = Bindings()
    bound.inputs.reserveCapacity(inputs.count)
    bound.inputNodes.reserveCapacity(inputs.count)
    for input in inputs {
      let node =
        switch input {
        case .argument(let index): arguments[index].node
        case .state(let index): state[index]
        case .constant(let index): constants[index].node
        }
      guard let buffer = node.buffer, !node.hasFailed else { return nil }
      bound.inputs.append(buffer)
      bound.inputNodes.append(.passUnretained(node))
      if case .state(let index) = input {
        bound.donatable.append(isDonated[index])
      } else {
        bound.donatable.append(false)
      }
    }
    bound.scalars = scalars
    return bound
  }

  /// Stores the new state and returns the results.
  /// - Parameter record: a record of the run with its inputs.
  private func store(_ buffers: [Buffer], _ record: RunDependencies, _ state: [Node], _ access: StateAccess) -> [Tensor]
  {
    var results: [Tensor?] = Array(repeating: nil, count: resultTypes.count)
    for (number, (output, buffer)) in zip(outputs, buffers).enumerated() {
      func note(_ node: Node) {
        record.append(node.serial, origin: nil)
        node.origin = RunDependencies.Output(record: record, number: Int32(truncatingIfNeeded: number))
      }
      switch output {
      case .result(let index):
        let node = Node(buffer: buffer, type: resultTypes[index], device: device)
        note(node)
        results[index] = Tensor(node: node)
      // The value is dropped: the argument stays pending.
      case .argument: record.append(0, origin: nil)
      case .state(let index):
        access(index) { tensor in
          // Another thread may have copied a donated tensor during the run. The copy refers to the same node, so it
          // gets the new value.
          if isDonated[index] || tensor.isExclusive {
            state[index].replaceValue(with: buffer)
            note(state[index])
          } else {
            let node = Node(buffer: buffer, type: stateTypes[index], device: device)
            note(node)
            tensor = Tensor(node: node)
          }
        }
      }
    }
    return results.map { $0! }
  }
}

extension Tensor {
  /// Whether neither another tensor nor a graph refers to the value.
  fileprivate var isExclusive: Bool {
    mutating get {
      guard isKnownUniquelyReferenced(&handle) else { return false }
      return node.handleCount.load(ordering: .acquiring) == 1 && node.consumerCount.load(ordering: .relaxed) == 0
    }
  }
}
