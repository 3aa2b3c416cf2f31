import ApusTensor

/// The cell of a recurrent layer. The cell computes the next states from two products, each `[batch, gates · size]`:
/// the inputs times their weights, and the hidden state `h` times its weights. The gates are concatenated in PyTorch's
/// order.
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
    case .rnnTanh: [(x + p).tanh()]
    case .rnnReLU: [(x + p).relu()]
    case .lstm: lstmCell(x + p, states[1])
    case .gru: [gruCell(x, p, states[0])]
    }
  }
}

/// Long short-term memory (Hochreiter, Schmidhuber, 1997; forget gates: Gers et al., 2000):
/// ```text
/// (i, f, g, o) = (σ, σ, tanh, σ)(sum)
/// c = f · c + i · g
/// h = o · tanh c
/// ```
/// Each function applies to a quarter of the sum. Returns `h` and `c`.
private func lstmCell(_ sum: Tensor, _ c: Tensor) -> [Tensor] {
  let sums = sum.split(4, axis: 1)
  let (i, f, g, o) = (sums[0].sigmoid(), sums[1].sigmoid(), sums[2].tanh(), sums[3].sigmoid())
  let next = f * c + i * g
  return [o * next.tanh(), next]
}

/// Gated recurrent unit (Cho et al., 2014), in the form of cuDNN and PyTorch: the reset gate applies after the
/// recurrent product.
/// ```text
/// r = σ(xᵣ + pᵣ),  z = σ(x_z + p_z),  n = tanh(xₙ + r · pₙ)
/// h = (1 − z) · n + z · h
/// ```
/// `x` and `p` consist of three parts each: for the reset gate `r`, the update gate `z` and the candidate `n`.
private func gruCell(_ x: Tensor, _ p: Tensor, _ h: Tensor) -> Tensor {
  let (x, p) = (x.split(3, axis: 1), p.split(3, axis: 1))
  let r = (x[0] + p[0]).sigmoid()
  let z = (x[1] + p[1]).sigmoid()
  let n = (x[2] + r * p[2]).tanh()
  return (1 - z) * n + z * h
}
