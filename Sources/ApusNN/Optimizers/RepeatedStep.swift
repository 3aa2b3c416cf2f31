import ApusTensor

/// A training step that builds its graph for the first batches only, and then runs the recorded plan with new inputs.
///
/// The first steps build their graphs and are recorded. Once three recordings of batches of the same types agree, later
/// steps with such batches only pass the batch, the parameters, the optimizer's state and the numbers of the update
/// (such as the learning rate) to the plan. The results have the same bits as those of steps that build their graphs.
///
/// A step builds its graph, as before, if it cannot be repeated: in scopes that change, record or check operations, if
/// it evaluates several times, with loss scaling, and with update rules whose formula changes (`hasFixedFormula`) or
/// that look ahead. It also builds its graph while the program holds a value that the plan would overwrite.
package final class RepeatedStep<Form> {
  /// Builds and runs one step, with one update of the optimizer. Returns tensors that the update evaluates, and a value
  /// that depends only on the types of the inputs.
  package typealias Body = (_ inputs: [Tensor]) throws -> (results: [Tensor], form: Form)

  private let optimizer: Optimizer
  private let body: Body
  private var recordings: [Signature: Recording] = [:]
  /// The number of steps.
  private var clock = 0
  /// The number of recordings that have to agree before their plan is repeated.
  private static var agreements: Int { 3 }
  /// After this number of recordings without an agreement, `retryDistance` steps that build their graphs are not
  /// recorded between two that are.
  private static var attempts: Int { 12 }
  private static var retryDistance: Int { 64 }
  /// The number of plans that are kept for a signature.
  private static var planCapacity: Int { 4 }
  /// The number of signatures whose recordings are kept.
  private static var capacity: Int { 64 }

  /// What a recording depends on, apart from values and numbers.
  private struct Signature: Hashable {
    var inputs: ArgumentGraph.Structure
    var mode: Mode?
    var modes: [ObjectIdentifier: Mode]
    var isTrainable: [Bool]
    /// For each group, whether its own weight decay is 0; `nil` without one.
    var hasNoDecay: [Bool?]
    /// Whether `Optimizer.momentum` is 0; `nil` if it is not set.
    var hasNoMomentum: Bool?
  }

  /// A recorded step.
  private struct Recorded {
    var evaluation: RecordedEvaluation
    let form: Form
    let formulas: [Optimizer.FormulaType]
  }

  /// The recordings of a signature.
  private struct Recording {
    /// `Optimizer.constraintsVersion` at the time of the recordings.
    let constraintsVersion: Int
    /// The recordings of the step that agreed with others. There are several if the program sometimes holds values that
    /// a plan would overwrite: the step then runs another plan.
    var agreed: [Recorded] = []
    /// Recordings of the same step that did not lead to an agreement yet, and for each the number of recordings that
    /// agree, itself included.
    private var candidates: [(step: Recorded, agreements: Int)] = []
    /// The number of recordings since the last agreement.
    private(set) var attempts = 0
    /// The number of steps since the last recording that were built without a recording.
    var skipped = 0
    /// The value of `clock` at the last step with the signature.
    var lastUse = 0

    init(constraintsVersion: Int) { self.constraintsVersion = constraintsVersion }

    mutating func add(_ new: Recorded?) {
      attempts += 1
      skipped = 0
      guard var new else { return candidates.removeAll() }
      guard agreed.allSatisfy({ $0.evaluation.isSameStep(as: new.evaluation) }),
        candidates.allSatisfy({ $0.step.evaluation.isSameStep(as: new.evaluation) })
      else {
        // The step differs from the earlier recordings, which are dropped.
        (agreed, candidates) = ([], [(new, 1)])
        return
      }
      // The step was recorded again because a value differs that was the same in all earlier recordings. The rest of
      // the step is the same.
      for index in agreed.indices {
        guard let explained = agreed[index].evaluation.explained(by: new.evaluation) else { continue }
        agreed[index].evaluation = explained
        attempts = 0
        return
      }
      var agreements = 1
      for (index, candidate) in candidates.enumerated() {
        guard let explained = candidate.step.evaluation.explained(by: new.evaluation) else { continue }
        (new.evaluation, agreements) = (explained, candidate.agreements + 1)
        candidates.remove(at: index)
        break
      }
      guard agreements < RepeatedStep.agreements else {
        agreed.append(new)
        if agreed.count > RepeatedStep.planCapacity { agreed.removeFirst() }
        attempts = 0
        return
      }
      candidates.append((new, agreements))
      if candidates.count > RepeatedStep.planCapacity { candidates.removeFirst() }
    }
  }

  /// - Parameter body: builds and runs one step. Its operations must depend only on the types of the inputs, on the
  ///   mode, and on which parameters are trained. Tensors that it uses, apart from its inputs and the parameters and
  ///   statistics of the optimizer's model, are taken as constants.
  package init(_ optimizer: Optimizer, _ body: @escaping Body) {
    (self.optimizer, self.body) = (optimizer, body)
  }

  /// Runs one step.
  /// - Throws: what `body` throws, and the errors of `Optimizer.update(_:)`.
  package func callAsFunction(_ inputs: [Tensor]) throws -> (results: [Tensor], form: Form) {
    guard RecordedEvaluation.isPossible, ModelScopes.areClosed, optimizer.hasFixedFormula,
      let arguments = ArgumentGraph(inputs)
    else { return try body(inputs) }
    try optimizer.prepare()
    let signature = Signature(
      inputs: arguments.structure, mode: ModeScope.current, modes: ModeScope.ofLayers,
      isTrainable: optimizer.parameters.map(\.isTrainable),
      hasNoDecay: optimizer.groups.map { $0.weightDecay.map { $0 == 0 } },
      hasNoMomentum: optimizer.momentum.map { $0 == 0 })
    clock += 1
    recordings[signature]?.lastUse = clock
    let recording = recording(of: signature)
    for step in recording.agreed {
      if let results = try run(step.evaluation, arguments, step.formulas) { return (results, step.form) }
    }
    guard recording.attempts < Self.attempts || recording.skipped >= Self.retryDistance else {
      recordings[signature]?.skipped += 1
      return try body(inputs)
    }
    return try record(signature, inputs, arguments)
  }

  /// Repeats a recorded step; `nil` if it has to build its graph.
  private func run(
    _ evaluation: RecordedEvaluation, _ arguments: ArgumentGraph, _ formulas: [Optimizer.FormulaType]
  ) throws(DeviceError) -> [Tensor]? {
    let source = RandomSource.current
    optimizer.step += 1
    do throws(DeviceError) {
      let results = try evaluation.run(
        arguments, given: optimizer.numbers(of: formulas), key: source.key, state: optimizer.withState)
      if results == nil { optimizer.step -= 1 }
      if results != nil, evaluation.draws.count > 0 { source.key.counter &+= evaluation.draws.count }
      return results
    } catch {
      optimizer.step -= 1
      throw error
    }
  }

  /// Runs `body` and compares the step with the recordings of earlier steps.
  private func record(
    _ signature: Signature, _ inputs: [Tensor], _ arguments: ArgumentGraph
  ) throws -> (results: [Tensor], form: Form) {
    let source = RandomSource.current
    let key = source.key
    let before = StateSnapshot(count: optimizer.stateCount, optimizer.withState)
    let numbers = Optimizer.Numbers()
    optimizer.recordedNumbers = numbers
    defer { optimizer.recordedNumbers = nil }
    let (result, recorder) = try EvaluationRecorder.record { try body(inputs) }
    var evaluation: RecordedEvaluation?
    if numbers.isComplete {
      evaluation = RecordedEvaluation(
        recorder, arguments: arguments, before: before,
        after: StateSnapshot(count: optimizer.stateCount, optimizer.withState), results: result.results,
        numbers: numbers.tensors, draws: RecordedEvaluation.Draws(before: key, after: source.key))
    }
    if recordings[signature] == nil, recordings.count >= Self.capacity,
      let oldest = recordings.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      recordings[oldest.key] = nil
    }
    var recording = recording(of: signature)
    recording.add(evaluation.map { Recorded(evaluation: $0, form: result.form, formulas: numbers.formulas) })
    recording.lastUse = clock
    recordings[signature] = recording
    return result
  }

  /// The recordings of a signature with the current constraints.
  private func recording(of signature: Signature) -> Recording {
    let version = optimizer.constraintsVersion
    guard let found = recordings[signature], found.constraintsVersion == version else {
      return Recording(constraintsVersion: version)
    }
    return found
  }
}

/// The scopes of this module that change or record what layers do.
private enum ModelScopes {
  /// Whether the Swift task is outside of all these scopes.
  static var areClosed: Bool {
    Substitution.current == nil && ParameterReads.current == nil && LayerRecorder.current == nil
  }
}

extension Optimizer {
  /// Whether each update applies the same formula, apart from numbers that the host computes.
  fileprivate var hasFixedFormula: Bool {
    rule.hasFixedFormula && lossScaler == nil && !(rule is any GradientPointRule)
  }

  /// The number of tensors that a step may replace: the values of the model and the rule's state.
  fileprivate var stateCount: Int { model.entries.count + slots.count * rule.stateNames.count }

  /// Calls `body` with tensor number `index` of those that a step may replace.
  fileprivate func withState(_ index: Int, _ body: (inout Tensor) -> Void) {
    let entries = model.entries
    if index < entries.count { return entries[index].box.withStoredValue(body) }
    let (parameter, slot) = (index - entries.count).quotientAndRemainder(dividingBy: slots[0].count)
    body(&slots[parameter][slot])
  }
}
