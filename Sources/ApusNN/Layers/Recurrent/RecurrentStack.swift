import ApusTensor

/// Stacked recurrent layers in one direction or both: the implementation of `RNN`, `LSTM` and `GRU`.
struct RecurrentStack: Sendable {
  let name: String
  let recurrence: Recurrence
  let inputs: Int
  let size: Int
  let isBidirectional: Bool
  let isBatchFirst: Bool
  let dropout: Dropout?
  /// The weights, as `[layer][direction]`.
  let layers: [[RecurrentWeights]]

  init(
    _ recurrence: Recurrence, name: String, inputs: Int, size: Int, layers: Int, hasBias: Bool, isBatchFirst: Bool,
    dropout: Double, isBidirectional: Bool
  ) {
    guard inputs > 0, size > 0, layers > 0 else {
      fatalError("\(name): inputs \(inputs), size \(size) and layers \(layers) must be positive")
    }
    self.name = name
    self.recurrence = recurrence
    self.inputs = inputs
    self.size = size
    self.isBidirectional = isBidirectional
    self.isBatchFirst = isBatchFirst
    self.dropout = dropout == 0 ? nil : Dropout(dropout)
    let directions = isBidirectional ? 2 : 1
    self.layers = (0..<layers).map { layer in
      (0..<directions).map { _ in
        RecurrentWeights(
          gates: recurrence.gateCount, inputs: layer == 0 ? inputs : directions * size, size: size, hasBias: hasBias)
      }
    }
  }

  /// PyTorch's keys, such as `weight_ih_l0`; the keys of the backward direction end in `_reverse`.
  var members: [ModuleMember] {
    layers.enumerated().flatMap { layer, directions in
      directions.enumerated().flatMap { index, weights in
        weights.members("_l\(layer)" + (index == 1 ? "_reverse" : ""))
      }
    }
  }

  /// - Parameters:
  ///   - x: `[T, batch, inputs]` for `T` time steps, or `[batch, T, inputs]` with `isBatchFirst`; `[T, inputs]` for a
  ///     single sequence.
  ///   - states: each `[layers · directions, batch, size]`; zeros by default. For a single sequence states and results
  ///     have no batch axis.
  ///   - lengths: the number of valid elements of each sequence.
  /// - Returns: the outputs of the last layer, `[T, batch, directions · size]` (or `[batch, T, …]`), and the last
  ///   states.
  func callAsFunction(_ x: Tensor, states: [Tensor]?, lengths: SequenceLengths?) -> (output: Tensor, states: [Tensor]) {
    if x.rank == 2 {
      let batch = isBatchFirst ? 0 : 1
      let found = self(
        x.expandingAxis(at: batch), states: states?.map { $0.rank == 2 ? $0.expandingAxis(at: 1) : $0 },
        lengths: lengths)
      return (
        found.output.rank == 3 ? found.output.squeezingAxis(at: batch) : found.output,
        found.states.map { $0.rank == 3 ? $0.squeezingAxis(at: 1) : $0 }
      )
    }
    if let problem = problem(x, states, lengths) {
      ShapeError(name, problem).report()
      return (x, states ?? [])
    }
    var sequence = isBatchFirst ? x.transposed([1, 0, 2]) : x
    let (count, batch) = (sequence.shape[0], sequence.shape[1])
    let mask = lengths.map { $0.mask(count: count, device: x.device) }
    // Elements after the end of a sequence must not affect the result, even if they are NaN.
    if let mask { sequence = mask.select(sequence, zero(sequence)) }
    let number = layers.count * (isBidirectional ? 2 : 1)
    let zeros = Tensor.zeros([number, batch, size], dtype: x.dtype, device: x.device)
    let initial = states ?? Array(repeating: zeros, count: recurrence.stateCount)
    var last: [[Tensor]] = Array(repeating: [], count: recurrence.stateCount)
    for (layer, directions) in layers.enumerated() {
      if layer > 0, let dropout { sequence = dropout(sequence) }
      var outputs: [Tensor] = []
      for (index, direction) in directions.enumerated() {
        let stateIndex = layer * directions.count + index
        let found = recurrence(
          projected(sequence, direction), states: initial.map { $0[stateIndex] }, weight: direction.weightHH.value,
          bias: recurrence.hasHiddenBias ? direction.biasHH?.value : nil, mask: mask, isReversed: index == 1)
        outputs.append(mask.map { $0.select(found.all, zero(found.all)) } ?? found.all)
        for (state, value) in found.last.enumerated() { last[state].append(value) }
      }
      sequence = outputs.count == 1 ? outputs[0] : .concatenated(outputs, axis: 2)
    }
    let states = last.map { $0.count == 1 ? $0[0].expandingAxis(at: 0) : Tensor.stacked($0) }
    return (isBatchFirst ? sequence.transposed([1, 0, 2]) : sequence, states)
  }

  private func zero(_ x: Tensor) -> Tensor { .number(0, dtype: x.dtype, device: x.device) }

  /// Multiplies the inputs of all time steps with `W_ih`, and adds the biases. A GRU's `b_hh` is not among them: it is
  /// added in each time step.
  private func projected(_ x: Tensor, _ direction: RecurrentWeights) -> Tensor {
    let rows = x.shape[0] * x.shape[1]
    var bias = direction.biasIH?.value
    if let other = direction.biasHH, !recurrence.hasHiddenBias { bias = bias?.adding(other.value) }
    let product = x.reshaped(to: [rows, x.shape[2]]).linear(weight: direction.weightIH.value, bias: bias)
    return product.reshaped(to: [x.shape[0], x.shape[1], direction.weightIH.shape[0]])
  }

  private func problem(_ x: Tensor, _ states: [Tensor]?, _ lengths: SequenceLengths?) -> String? {
    let layout = isBatchFirst ? "[batch, time, \(inputs)]" : "[time, batch, \(inputs)]"
    guard x.rank == 3, x.shape[2] == inputs else { return "the input \(x.shape) is not \(layout)" }
    let (count, batch) = isBatchFirst ? (x.shape[1], x.shape[0]) : (x.shape[0], x.shape[1])
    guard count > 0, batch > 0 else { return "the input \(x.shape) has no elements; it should be \(layout)" }
    let expected: Shape = [layers.count * (isBidirectional ? 2 : 1), batch, size]
    guard x.dtype.isFloatingPoint else { return "the input is \(x.dtype), not floating-point" }
    for state in states ?? [] where (state.dtype == .float64) != (x.dtype == .float64) {
      return "the state is \(state.dtype), but the input is \(x.dtype)"
    }
    for state in states ?? [] where state.shape != expected {
      return "the state \(state.shape) is not [layers · directions, batch, size] = \(expected)"
    }
    return lengths?.problem(count: count, batch: batch)
  }
}
