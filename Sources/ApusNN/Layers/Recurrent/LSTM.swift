import ApusTensor

/// Long short-term memory over sequences, as `torch.nn.LSTM` (Hochreiter, Schmidhuber, 1997; Gers et al., 2000):
/// ```
/// (i, f, g, o) = (σ, σ, tanh, σ)(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh)
/// cₜ = f · cₜ₋₁ + i · g
/// hₜ = o · tanh cₜ
/// ```
/// Long sequences are trained in pieces: the state of one call goes into the next, and `stopGradient` ends the gradient
/// at the border (truncated back-propagation through time; Williams, Peng, 1990):
/// ```
/// var state: LSTM.State?
/// for piece in pieces {
///   let loss = try optimizer.minimize {
///     let found = lstm(piece.inputs, state: state)
///     state = found.state.stopGradient()
///     return meanSquaredError(head(found.output), piece.targets)
///   }
/// }
/// ```
/// `RNN` and `GRU` have one tensor for a state, whose `stopGradient()` is the same.
public struct LSTM: Module {
  let stack: RecurrentStack

  /// - Parameters: see `RNN`.
  public init(
    _ inputs: Int, _ size: Int, layers: Int = 1, hasBias: Bool = true, isBatchFirst: Bool = false,
    dropout: Double = 0, isBidirectional: Bool = false
  ) {
    stack = RecurrentStack(
      .lstm, name: "LSTM", inputs: inputs, size: size, layers: layers, hasBias: hasBias, isBatchFirst: isBatchFirst,
      dropout: dropout, isBidirectional: isBidirectional)
  }

  public var members: [ModuleMember] { stack.members }

  /// What an LSTM carries: `h` and `c`, `[layers · directions, batch, size]` each, or `[batch, size]` of an `LSTMCell`.
  public struct State: Sendable {
    /// `h`, what the layer gives.
    public var hidden: Tensor
    /// `c`, what it keeps to itself.
    public var cell: Tensor

    public init(hidden: Tensor, cell: Tensor) {
      self.hidden = hidden
      self.cell = cell
    }

    /// The same numbers as constants: gradients end here (truncated back-propagation through time).
    public func stopGradient() -> State { State(hidden: hidden.stopGradient(), cell: cell.stopGradient()) }
  }

  /// - Parameters: see `RNN`.
  /// - Returns: `h` of the last layer at all times, `[time, batch, directions · size]`, and the last states of all layers.
  public func callAsFunction(
    _ x: Tensor, state: State? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, state: State) {
    let found = stack(x, states: state.map { [$0.hidden, $0.cell] }, lengths: lengths.map { .known($0) })
    return (found.output, State(hidden: found.states.first ?? x, cell: found.states.last ?? x))
  }

  /// The same for lengths that are there; a literal is one of these, and not a tensor.
  public func callAsFunction(_ x: Tensor, state: State? = nil, lengths: [Int]) -> (output: Tensor, state: State) {
    self(x, state: state, lengths: Optional(lengths))
  }

  /// With lengths that are computed: integers `[batch]`.
  ///
  /// - Throws (when a value is read): `DeviceError.indexOutOfRange` for a length that is not in `1 … time`.
  @_disfavoredOverload
  public func callAsFunction(
    _ x: Tensor, state: State? = nil, lengths: Tensor
  ) -> (output: Tensor, state: State) {
    let found = stack(x, states: state.map { [$0.hidden, $0.cell] }, lengths: .computed(lengths))
    return (found.output, State(hidden: found.states.first ?? x, cell: found.states.last ?? x))
  }
}
