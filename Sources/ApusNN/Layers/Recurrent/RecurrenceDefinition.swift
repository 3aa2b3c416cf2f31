import ApusTensor

extension Recurrence {
  /// Defines the fused operation of `Recurrence.callAsFunction` as a loop of ordinary operations, whose custom gradient
  /// is another loop. Each loop computes one matrix product per time step. Second derivatives of the fused operation
  /// are computed from this definition.
  ///
  /// - Parameters: see `Recurrence.callAsFunction`.
  /// - Returns: the hidden states `h` after all time steps, then the last states.
  func definition(
    _ projected: Tensor, states: [Tensor], weight: Tensor, bias: Tensor?, mask: Tensor?, isReversed: Bool
  ) -> [Tensor] {
    let found =
      switch self {
      case .rnnTanh, .rnnReLU:
        plainRecurrence(projected, states[0], weight, mask, isReversed: isReversed, isTanh: self == .rnnTanh)
      case .lstm: lstmRecurrence(projected, states[0], states[1], weight, mask, isReversed: isReversed)
      case .gru:
        gruRecurrence(
          projected, states[0], weight,
          bias ?? .zeros([weight.shape[0]], dtype: weight.dtype, device: weight.device), mask, isReversed: isReversed)
      }
    return Array(found.prefix(1 + stateCount))
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
