import ApusTensor

/// One time step of a long short-term memory, as `torch.nn.LSTMCell` (Hochreiter, Schmidhuber, 1997; Gers et
/// al., 2000):
/// ```text
/// (i, f, g, o) = (σ, σ, tanh, σ)(W_ih x + b_ih + W_hh h + b_hh)
/// c′ = f · c + i · g
/// h′ = o · tanh c′
/// ```
/// `σ` is the sigmoid, `·` multiplies element by element, and each of the four functions applies to a quarter of the
/// sum. See `RNNCell` for when to use a cell.
public struct LSTMCell: Module {
  let cell: RecurrentCell

  /// - Parameters: see `RNNCell`.
  public init(_ inputs: Int, _ size: Int, hasBias: Bool = true) {
    cell = RecurrentCell(.lstm, name: "LSTMCell", inputs: inputs, size: size, hasBias: hasBias)
  }

  public var members: [ModuleMember] { cell.weights.members() }

  /// - Parameters:
  ///   - x: `[batch, inputs]`, or `[inputs]` for a single example.
  ///   - state: `h` and `c`, each `[batch, size]` or `[size]`; zeros by default.
  /// - Returns: `h′` and `c′`, in the shape of `h`.
  public func callAsFunction(_ x: Tensor, state: LSTM.State? = nil) -> LSTM.State {
    var next: [Tensor]?
    let hidden = LayerTrace.leaf(self, x) {
      next = cell(x, states: state.map { [$0.hidden, $0.cell] }, count: 2)
      return next?[0] ?? x
    }
    return LSTM.State(hidden: hidden, cell: next?[1] ?? x)
  }
}
