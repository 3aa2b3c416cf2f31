import ApusTensor

extension Recurrence {
  /// Defines the fused operation of `Recurrence.callAsFunction` as a loop of ordinary operations, whose custom gradient
  /// is another loop. Each loop computes one matrix product per time step: the gradient reads the products that the
  /// first loop has stored, and computes the gradient of the weight as one product for all time steps. Second
  /// derivatives of the fused operation are computed from this definition.
  ///
  /// - Parameter inputs: the list that `RecurrentInputs` takes.
  /// - Returns: the hidden states `h` after all time steps, then the last states.
  func definition(_ inputs: [Tensor], _ mask: Tensor?, isReversed: Bool) -> [Tensor] {
    let found = withGradient(inputs) { gradients, inputs, outputs in
      differentiate(gradients, RecurrentInputs(inputs, self), outputs, mask, isReversed: isReversed)
    } function: { inputs in
      run(RecurrentInputs(inputs, self), mask, isReversed: isReversed)
    }
    return Array(found.prefix(1 + stateCount))
  }

  /// Returns the hidden states at all time steps, then the last states, then what the gradient needs: the other states
  /// (`c` of an LSTM), and the products of the hidden states and the weight, both at all time steps.
  private func run(_ inputs: RecurrentInputs, _ mask: Tensor?, isReversed: Bool) -> [Tensor] {
    let transposed = inputs.weight.transposed()
    var elements = LoopElements()
    let x = elements.add(inputs.projected)
    let held = elements.add(mask)
    let (last, all) = loop(over: elements.sequences, carrying: inputs.states, isReversed: isReversed) {
      states, elements in
      let p = states[0].matmul(transposed).adding(inputs.bias)
      var next = cell(x(elements)!, p, states)
      if let held = held(elements) { next = zip(next, states).map { held.select($0, $1) } }
      return (next, next + [p])
    }
    return [all[0]] + last + all.dropFirst()
  }

  /// The gradients of the inputs, from the gradients of all results of `run`.
  private func differentiate(
    _ gradients: [Tensor?], _ inputs: RecurrentInputs, _ outputs: [Tensor], _ mask: Tensor?, isReversed: Bool
  ) -> [Tensor?] {
    let rest = (1 + stateCount)..<(2 * stateCount)
    let previous = zip([outputs[0]] + outputs[rest], inputs.states).map {
      previousStates($0, $1, isReversed: isReversed)
    }
    var elements = LoopElements()
    let arguments = ([inputs.projected, outputs.last!] + previous).map { elements.add($0) }
    let ofStates = ([gradients[0]] + gradients[rest]).map { elements.add($0) }
    let ofProduct = elements.add(gradients.last!)
    let held = elements.add(mask)
    let ofLast = inputs.states.indices.map { gradients[1 + $0] ?? inputs.states[$0] * 0 }
    let (first, all) = loop(over: elements.sequences, carrying: ofLast, isReversed: !isReversed) {
      carried, elements in
      let parts = zip(carried, ofStates).map { split($0.adding($1(elements)), by: held(elements)) }
      let arguments = arguments.map { $0(elements)! }
      let next = cell(arguments[0], arguments[1], Array(arguments[2...]))
      let weighted = zip(next, parts).map { ($0 * $1.through).sum() }
      let found = partialGradients(
        of: weighted.dropFirst().reduce(weighted[0]) { $0 + $1 }, withRespectTo: arguments)
      let product = found[1]!.adding(ofProduct(elements))
      // The gradient of a previous state is a sum: for `h`, of the gradient through the product; for all states, of the
      // gradients through the cell and, with a mask, past the cell.
      let terms = inputs.states.indices.map { index in
        [index == 0 ? product.matmul(inputs.weight) : nil, found[2 + index], parts[index].past].compactMap(\.self)
      }
      return (terms.map { $0.dropFirst().reduce($0[0]) { $0 + $1 } }, [found[0]!, product])
    }
    return [all[0]] + first + [weightGradient(all[1], previous[0])]
      + (inputs.bias == nil ? [] : [all[1].sum(axes: [0, 1])])
  }
}

/// The states before each time step, `[T, batch, size]`, from the states after each time step and the initial state.
func previousStates(_ states: Tensor, _ initial: Tensor, isReversed: Bool) -> Tensor {
  let count = states.shape[0]
  let first = initial.expandingAxis(at: 0)
  guard count > 1 else { return first }
  return isReversed
    ? .concatenated([states.slice(axis: 0, from: 1, count: count - 1), first])
    : .concatenated([first, states.slice(axis: 0, from: 0, count: count - 1)])
}

/// `Σₜ gₜᵀ · hₜ`, of shape `[n, size]`, over the `T` time steps as one product. `g` are the gradients, `[T, batch, n]`,
/// and `h` the states, `[T, batch, size]`.
func weightGradient(_ gradients: Tensor, _ states: Tensor) -> Tensor {
  let rows = gradients.shape[0] * gradients.shape[1]
  return gradients.reshaped(to: [rows, gradients.shape[2]]).transposed()
    .matmul(states.reshaped(to: [rows, states.shape[2]]))
}

/// The sequences over which a loop runs. Some of them, such as masks, may be absent.
struct LoopElements {
  private(set) var sequences: [Tensor] = []

  /// Adds a sequence. Returns a function that selects the element of this sequence from the elements of an iteration.
  mutating func add(_ sequence: Tensor?) -> ([Tensor]) -> Tensor? {
    guard let sequence else { return { _ in nil } }
    let index = sequences.count
    sequences.append(sequence)
    return { $0[index] }
  }
}

/// Splits the gradient of a state by a mask, which is true where a sequence has an element. `through` is the gradient
/// there, which flows through the cell. `past` is the gradient after the end of a sequence, which bypasses the cell.
func split(_ gradient: Tensor, by mask: Tensor?) -> (through: Tensor, past: Tensor?) {
  guard let mask else { return (gradient, nil) }
  let zero = Tensor.number(0, dtype: gradient.dtype, device: gradient.device)
  return (mask.select(gradient, zero), mask.select(zero, gradient))
}

extension Tensor {
  func adding(_ other: Tensor?) -> Tensor { other.map { self + $0 } ?? self }
}
