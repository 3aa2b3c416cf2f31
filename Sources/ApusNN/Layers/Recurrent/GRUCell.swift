import ApusTensor

/// One time step of a gated recurrent unit, as `torch.nn.GRUCell` (Cho et al., 2014; the reset gate applies after the
/// recurrent product):
/// ```text
/// r = σ(W_ir x + b_ir + W_hr h + b_hr)
/// z = σ(W_iz x + b_iz + W_hz h + b_hz)
/// n = tanh(W_in x + b_in + r · (W_hn h + b_hn))
/// h′ = (1 − z) · n + z · h
/// ```
/// `x` is the input, `h` the hidden state and `h′` the new hidden state; `σ` is the sigmoid, and `·` multiplies
/// elements. See `RNNCell` for when to use a cell.
public struct GRUCell: Module {
  let cell: RecurrentCell

  /// - Parameters: see `RNNCell`.
  public init(_ inputs: Int, _ size: Int, hasBias: Bool = true) {
    cell = RecurrentCell(.gru, name: "GRUCell", inputs: inputs, size: size, hasBias: hasBias)
  }

  public var members: [ModuleMember] { cell.weights.members() }

  /// - Parameters: see `RNNCell`.
  /// - Returns: `h′: [batch, size]`, or `[size]` for a single example.
  public func callAsFunction(_ x: Tensor, state: Tensor? = nil) -> Tensor {
    LayerTrace.leaf(self, x) { cell(x, states: state.map { [$0] }, count: 1)?[0] ?? x }
  }
}
