import ApusTensor

/// The cell of a recurrent layer. The cell computes the next states from two products, each `[batch, gates · size]`:
/// the inputs times their weights, and the state times its weights. The gates are concatenated in PyTorch's order.
enum Recurrence: Sendable {
  case rnnTanh, rnnReLU, lstm, gru

  var gateCount: Int {
    switch self {
    case .rnnTanh, .rnnReLU: 1
    case .lstm: 4
    case .gru: 3
    }
  }

  /// The number of states: `h`, and for an LSTM also `c`.
  var stateCount: Int { self == .lstm ? 2 : 1 }

  /// Whether the bias of the state's product is separate from the bias of the input's product.
  var hasHiddenBias: Bool { self == .gru }

  /// One time step.
  /// - Parameters:
  ///   - x: the products of the inputs and their weights, plus the biases (for a GRU only `b_ih`).
  ///   - p: the products of `h` and its weights; for a GRU plus `b_hh`.
  ///   - states: the states, each `[batch, size]`.
  func cell(_ x: Tensor, _ p: Tensor, _ states: [Tensor]) -> [Tensor] {
    switch self {
    case .rnnTanh: return [plainStep(x + p, isTanh: true)]
    case .rnnReLU: return [plainStep(x + p, isTanh: false)]
    case .lstm:
      let (h, c, _) = lstmStep(x + p, cell: states[1])
      return [h, c]
    case .gru: return [gruStep(x, p, state: states[0])]
    }
  }
}

extension Tensor {
  func adding(_ other: Tensor?) -> Tensor { other.map { self + $0 } ?? self }
}
