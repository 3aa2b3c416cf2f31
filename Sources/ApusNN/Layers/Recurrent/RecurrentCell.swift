import ApusTensor

/// The implementation of `RNNCell`, `LSTMCell` and `GRUCell`.
struct RecurrentCell: Sendable {
  let name: String
  let recurrence: Recurrence
  let inputs: Int
  let size: Int
  let weights: RecurrentWeights

  init(_ recurrence: Recurrence, name: String, inputs: Int, size: Int, hasBias: Bool) {
    guard inputs > 0, size > 0 else { fatalError("\(name): inputs \(inputs) and size \(size) must be positive") }
    self.name = name
    self.recurrence = recurrence
    self.inputs = inputs
    self.size = size
    weights = RecurrentWeights(gates: recurrence.gateCount, inputs: inputs, size: size, hasBias: hasBias)
  }

  /// The given states, or `count` states of zeros. Reports an error and returns `nil` if shapes do not fit.
  func states(_ states: [Tensor]?, count: Int, for x: Tensor) -> [Tensor]? {
    guard x.rank == 2, x.shape[1] == inputs else {
      ShapeError(name, "the input \(x.shape) is not [batch, \(inputs)]").report()
      return nil
    }
    let expected: Shape = [x.shape[0], size]
    if let state = states?.first(where: { $0.shape != expected }) {
      ShapeError(name, "the state \(state.shape) is not [batch, size] = \(expected)").report()
      return nil
    }
    return states ?? Array(repeating: .zeros(expected, dtype: x.dtype, device: x.device), count: count)
  }

  /// The states after a time step, for `x: [batch, inputs]`, or `[inputs]` for a single example. Reports an error and
  /// returns `nil` if shapes do not fit.
  func callAsFunction(_ x: Tensor, states given: [Tensor]?, count: Int) -> [Tensor]? {
    guard x.rank == 1 else { return states(given, count: count, for: x).map { next(x, $0) } }
    let batch = x.expandingAxis(at: 0)
    let spread = given?.map { $0.rank == 1 ? $0.expandingAxis(at: 0) : $0 }
    return states(spread, count: count, for: batch).map { next(batch, $0).map { $0.squeezingAxis(at: 0) } }
  }

  /// The states after a time step.
  func next(_ x: Tensor, _ states: [Tensor]) -> [Tensor] {
    recurrence.cell(ofInput(x), ofState(states[0]), states)
  }

  /// `x · W_ihᵀ + b_ih`.
  func ofInput(_ x: Tensor) -> Tensor {
    x.linear(weight: weights.weightIH.value, bias: weights.biasIH?.value)
  }

  /// `h · W_hhᵀ + b_hh`.
  func ofState(_ h: Tensor) -> Tensor {
    h.linear(weight: weights.weightHH.value, bias: weights.biasHH?.value)
  }
}
