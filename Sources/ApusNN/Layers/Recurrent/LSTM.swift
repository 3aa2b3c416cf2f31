import ApusTensor

/// Long short-term memory over sequences, as `torch.nn.LSTM` (Hochreiter, Schmidhuber, 1997; Gers et al., 2000):
/// ```text
/// (i, f, g, o) = (σ, σ, tanh, σ)(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh)
/// cₜ = f · cₜ₋₁ + i · g
/// hₜ = o · tanh cₜ
/// ```
/// `σ` is the sigmoid, `·` multiplies elements, and each function applies to a quarter of the sum.
///
/// Long sequences can be trained in chunks: the state of one call is passed to the next, and `stopGradient` ends the
/// gradient between the calls (truncated backpropagation through time; Williams, Peng, 1990):
/// ```swift
/// var state: LSTM.State?
/// for chunk in chunks {
///   let loss = try optimizer.minimize {
///     let found = lstm(chunk.inputs, state: state)
///     state = found.state.stopGradient()
///     return meanSquaredError(head(found.output), chunk.targets)
///   }
///   print(try loss.scalar())
/// }
/// ```
/// `RNN` and `GRU` have a single tensor as state; use its `stopGradient()`.
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

  /// The state of an LSTM: `h` and `c`, each `[layers · directions, batch, size]`, or `[batch, size]` for an
  /// `LSTMCell`.
  public struct State: Sendable {
    /// The hidden state `h`, which each layer outputs: `[layers · directions, batch, size]`, or `[batch, size]` for an
    /// `LSTMCell`.
    public var hidden: Tensor
    /// The cell state `c`, in the shape of `hidden`.
    public var cell: Tensor

    public init(hidden: Tensor, cell: Tensor) {
      self.hidden = hidden
      self.cell = cell
    }

    /// The same values as constants, at which gradients end (truncated backpropagation through time).
    public func stopGradient() -> State { State(hidden: hidden.stopGradient(), cell: cell.stopGradient()) }
  }

  /// - Parameters: see `RNN`; both tensors of `state` are `[layers · directions, batch, size]`.
  /// - Returns: `h` of the last layer at all time steps, `[time, batch, directions · size]` (with `isBatchFirst` the
  ///   batch axis comes first), and the last `h` and `c` of all layers, each `[layers · directions, batch, size]`.
  public func callAsFunction(
    _ x: Tensor, state: State? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, state: State) {
    run(x, state, lengths.map { .known($0) })
  }

  /// The overload for an array literal of lengths, which would otherwise be interpreted as a tensor. For shapes and
  /// results, see the overload for `[Int]?`.
  public func callAsFunction(_ x: Tensor, state: State? = nil, lengths: [Int]) -> (output: Tensor, state: State) {
    self(x, state: state, lengths: Optional(lengths))
  }

  /// The overload for lengths that are computed on the device: integers `[batch]`.
  ///
  /// - Throws (when a value is read): `DeviceError.indexOutOfRange` for a length outside `1 … time`.
  @_disfavoredOverload
  public func callAsFunction(
    _ x: Tensor, state: State? = nil, lengths: Tensor
  ) -> (output: Tensor, state: State) {
    run(x, state, .computed(lengths))
  }

  private func run(_ x: Tensor, _ state: State?, _ lengths: SequenceLengths?) -> (output: Tensor, state: State) {
    LayerTrace.leaf(self, x) {
      let found = stack(x, states: state.map { [$0.hidden, $0.cell] }, lengths: lengths)
      return (found.output, State(hidden: found.states.first ?? x, cell: found.states.last ?? x))
    }
  }
}
