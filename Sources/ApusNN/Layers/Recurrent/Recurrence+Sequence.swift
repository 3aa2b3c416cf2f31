import ApusTensor

extension Recurrence {
  private var kind: RecurrentOptions.Kind {
    switch self {
    case .rnnTanh: .tanh
    case .rnnReLU: .relu
    case .lstm: .lstm
    case .gru: .gru
    }
  }

  /// Computes all time steps of a sequence in one direction as one fused operation: one step of a plan for the states,
  /// and another for the gradient. Both compute in `float64` if an input has this type, otherwise in `float32`, also in
  /// mixed precision.
  ///
  /// - Parameters:
  ///   - projected: `[T, batch, gates · size]` for `T` time steps, the products of the inputs and their weights, plus
  ///     the biases.
  ///   - states: the states before the first time step, each `[batch, size]`.
  ///   - weight: `[gates · size, size]`.
  ///   - bias: `b_hh`, `[gates · size]`, if `hasHiddenBias`; otherwise `projected` contains it.
  ///   - mask: `[T, batch, 1]`, true where a sequence has an element; elsewhere states stay unchanged.
  ///   - isReversed: whether the sequence is processed from its end to its start.
  /// - Returns: `[T, batch, size]`, the states `h` at all time steps, and the last states.
  func callAsFunction(
    _ projected: Tensor, states: [Tensor], weight: Tensor, bias: Tensor?, mask: Tensor?, isReversed: Bool
  ) -> (all: Tensor, last: [Tensor]) {
    withPrecision(.float32) {
      let inputs = [projected] + states + [weight] + [bias].compactMap(\.self)
      let lane: DType = inputs.contains { $0.dtype == .float64 } ? .float64 : .float32
      let sequence = RecurrentSequence(
        recurrence: self, options: RecurrentOptions(kind, isReversed: isReversed), keeps: isRecordingGradients)
      let found = sequence.step(inputs.map { $0.cast(to: lane) }, constants: [mask].compactMap(\.self))
        .map { $0.cast(to: states[0].dtype) }
      return (found[0], Array(found.dropFirst()))
    }
  }
}

/// The inputs of a sequence of time steps, from one list: `projected`, the states, the weight and the bias of
/// `Recurrence.callAsFunction`.
struct RecurrentInputs {
  let projected: Tensor
  let states: [Tensor]
  let weight: Tensor
  let bias: Tensor?

  init(_ inputs: [Tensor], _ recurrence: Recurrence) {
    projected = inputs[0]
    states = Array(inputs[1...recurrence.stateCount])
    weight = inputs[recurrence.stateCount + 1]
    bias = inputs.dropFirst(recurrence.stateCount + 2).first
  }
}

/// The fused operation for a sequence. Its inputs are those of `RecurrentInputs`; the mask is a constant.
private struct RecurrentSequence: Sendable {
  let recurrence: Recurrence
  let options: RecurrentOptions
  /// Whether the forward step stores the intermediate values that the gradient needs. It does so only while gradients
  /// are recorded. If it does not, the gradient runs the forward step again.
  let keeps: Bool

  var step: FusedOperation {
    FusedOperation(resultCount: 1 + recurrence.stateCount) { inputs, masks in
      let found = results(RecurrentInputs(inputs, recurrence), masks.first, keeps: keeps)
      return [found.all] + found.last + [found.whole]
    } gradient: { gradients, inputs, masks, results in
      self.gradients(
        gradients, RecurrentInputs(inputs, recurrence), masks.first, all: results[0], whole: results.last!)
    } definition: { inputs, masks in
      recurrence.definition(inputs, masks.first, isReversed: options.isReversed)
    }
  }

  private func flags(_ mask: Tensor?) -> Tensor? { mask.map { $0.reshaped(to: [$0.shape[0], $0.shape[1]]) } }

  private func results(_ inputs: RecurrentInputs, _ mask: Tensor?, keeps: Bool) -> RecurrentResults {
    Tensor.recurrent(
      inputs.projected, states: inputs.states, weight: inputs.weight, bias: inputs.bias, mask: flags(mask),
      keeps: keeps, options)
  }

  private func gradients(
    _ gradients: [Tensor?], _ inputs: RecurrentInputs, _ mask: Tensor?, all: Tensor, whole: Tensor
  ) -> [Tensor] {
    let found = Tensor.recurrentGradients(
      all: gradients[0], last: Array(gradients.dropFirst()), states: inputs.states, weight: inputs.weight,
      mask: flags(mask), whole: keeps ? whole : results(inputs, mask, keeps: true).whole,
      times: inputs.projected.shape[0], options)
    let previous = previousStates(all, inputs.states[0], isReversed: options.isReversed)
    let ofWeight = weightGradient(found.product, previous)
    return [found.input] + found.states + [ofWeight] + (inputs.bias == nil ? [] : [found.product.sum(axes: [0, 1])])
  }
}
