import ApusTensor

/// What a recurrent layer does with a whole sequence, in one direction: from the projected inputs of all times to all
/// states, with one product and one cell for each time, and a gradient of the same kind.
///
/// Gates lie one after the other, in PyTorch's order; `G` is their number.
enum Recurrence: String, Sendable {
  case rnnTanh, rnnReLU, lstm, gru

  var gateCount: Int {
    switch self {
    case .rnnTanh, .rnnReLU: 1
    case .lstm: 4
    case .gru: 3
    }
  }

  /// The number of states that are carried: `h`, and for an LSTM `c`.
  var stateCount: Int { self == .lstm ? 2 : 1 }

  /// Whether the bias of the state's product stands apart from that of the input's.
  var hasHiddenBias: Bool { self == .gru }

  /// - Parameters:
  ///   - projected: `[T, batch, G · size]`, the products of the inputs, with the biases.
  ///   - states: `[batch, size]` each, the states before the first time.
  ///   - weight: `[G · size, size]`.
  ///   - bias: `[G · size]`, where `hasHiddenBias`.
  ///   - mask: `[T, batch, 1]`, true where there is an element; elsewhere states stay as they are.
  ///   - isReversed: whether time runs from the end.
  /// - Returns: `[T, batch, size]`, the states `h` of all times, and the last states.
  func callAsFunction(
    _ projected: Tensor, states: [Tensor], weight: Tensor, bias: Tensor?, mask: Tensor?, isReversed: Bool
  ) -> (all: Tensor, last: [Tensor]) {
    switch self {
    case .rnnTanh, .rnnReLU:
      let found = plainRecurrence(
        projected, states[0], weight, mask, isReversed: isReversed, isTanh: self == .rnnTanh)
      return (found[0], [found[1]])
    case .lstm:
      let found = lstmRecurrence(projected, states[0], states[1], weight, mask, isReversed: isReversed)
      return (found[0], [found[1], found[2]])
    case .gru:
      let zeros = Tensor.zeros([weight.shape[0]], dtype: weight.dtype, device: weight.device)
      let found = gruRecurrence(projected, states[0], weight, bias ?? zeros, mask, isReversed: isReversed)
      return (found[0], [found[1]])
    }
  }
}

/// The states before each time, `[T, batch, size]`, from those after it and the first.
func previousStates(_ states: Tensor, _ initial: Tensor, isReversed: Bool) -> Tensor {
  let count = states.shape[0]
  let first = initial.expandingAxis(at: 0)
  guard count > 1 else { return first }
  return isReversed
    ? .concatenated([states.slice(0, from: 1, count: count - 1), first])
    : .concatenated([first, states.slice(0, from: 0, count: count - 1)])
}

/// `Σₜ gₜᵀ · hₜ` as one product: `[T, batch, n]` and `[T, batch, size]` to `[n, size]`.
func weightGradient(_ gradients: Tensor, _ states: Tensor) -> Tensor {
  let rows = gradients.shape[0] * gradients.shape[1]
  return gradients.reshaped(to: [rows, gradients.shape[2]]).transposed()
    .matmul(states.reshaped(to: [rows, states.shape[2]]))
}

/// Sequences for a loop, some of which may be missing.
struct LoopElements {
  private(set) var sequences: [Tensor] = []

  /// Adds a sequence; returns what picks its element.
  mutating func add(_ sequence: Tensor?) -> ([Tensor]) -> Tensor? {
    guard let sequence else { return { _ in nil } }
    let place = sequences.count
    sequences.append(sequence)
    return { $0[place] }
  }
}

/// The gradient of a state, split in what flows through the cell and what passes by where there is no element.
func split(_ gradient: Tensor, by mask: Tensor?) -> (through: Tensor, past: Tensor?) {
  guard let mask else { return (gradient, nil) }
  let zero = Tensor.number(0, dtype: gradient.dtype, device: gradient.device)
  return (mask.select(gradient, zero), mask.select(zero, gradient))
}

extension Tensor {
  func adding(_ other: Tensor?) -> Tensor { other.map { self + $0 } ?? self }
}
