import ApusTensor

/// Gated recurrent units over sequences, as `torch.nn.GRU` (Cho et al., 2014; the reset gate applies after the
/// recurrent product):
/// ```text
/// r = σ(W_ir xₜ + b_ir + W_hr hₜ₋₁ + b_hr)
/// z = σ(W_iz xₜ + b_iz + W_hz hₜ₋₁ + b_hz)
/// n = tanh(W_in xₜ + b_in + r · (W_hn hₜ₋₁ + b_hn))
/// hₜ = (1 − z) · n + z · hₜ₋₁
/// ```
/// At time step `t`, `xₜ` is the input and `hₜ` the state. `σ` is the sigmoid, and `·` multiplies element by element.
public struct GRU: Module {
  let stack: RecurrentStack

  /// - Parameters: see `RNN`.
  public init(
    _ inputs: Int, _ size: Int, layers: Int = 1, hasBias: Bool = true, isBatchFirst: Bool = false,
    dropout: Double = 0, isBidirectional: Bool = false
  ) {
    stack = RecurrentStack(
      .gru, name: "GRU", inputs: inputs, size: size, layers: layers, hasBias: hasBias, isBatchFirst: isBatchFirst,
      dropout: dropout, isBidirectional: isBidirectional)
  }

  public var members: [ModuleMember] { stack.members }

  /// - Parameters: see `RNN`.
  /// - Returns: the states of the last layer at all time steps, `[time, batch, directions · size]` (with `isBatchFirst`
  ///   the batch axis comes first), and the last states of all layers, `[layers · directions, batch, size]`.
  public func callAsFunction(
    _ x: Tensor, state: Tensor? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, state: Tensor) {
    run(x, state, lengths.map { .known($0) })
  }

  /// The overload for an array literal of lengths, which would otherwise be interpreted as a tensor. Shapes and results
  /// are as above.
  public func callAsFunction(_ x: Tensor, state: Tensor? = nil, lengths: [Int]) -> (output: Tensor, state: Tensor) {
    self(x, state: state, lengths: Optional(lengths))
  }

  /// The overload for lengths that are computed on the device: integers `[batch]`.
  ///
  /// - Throws (when a value is read): `DeviceError.indexOutOfRange` for a length outside `1 … time`.
  @_disfavoredOverload
  public func callAsFunction(
    _ x: Tensor, state: Tensor? = nil, lengths: Tensor
  ) -> (output: Tensor, state: Tensor) {
    run(x, state, .computed(lengths))
  }

  private func run(_ x: Tensor, _ state: Tensor?, _ lengths: SequenceLengths?) -> (output: Tensor, state: Tensor) {
    LayerTrace.leaf(self, x) {
      let found = stack(x, states: state.map { [$0] }, lengths: lengths)
      return (found.output, found.states.first ?? x)
    }
  }
}
