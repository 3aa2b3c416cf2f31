import ApusTensor

/// Elman networks over sequences, as `torch.nn.RNN`: `hₜ = f(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh)` (Elman, 1990).
public struct RNN: Module {
  /// The function `f`.
  public enum Nonlinearity: Sendable { case tanh, relu }

  let stack: RecurrentStack

  /// - Parameters:
  ///   - inputs: the number of input features.
  ///   - size: the size of the hidden state.
  ///   - layers: the number of layers; each layer after the first reads the outputs of the previous one.
  ///   - isBatchFirst: whether inputs and outputs are `[batch, time, …]`.
  ///   - dropout: the rate of the dropout after each layer except the last.
  ///   - isBidirectional: whether each layer also runs backward in time, with separate weights.
  public init(
    _ inputs: Int, _ size: Int, layers: Int = 1, nonlinearity: Nonlinearity = .tanh, hasBias: Bool = true,
    isBatchFirst: Bool = false, dropout: Double = 0, isBidirectional: Bool = false
  ) {
    stack = RecurrentStack(
      nonlinearity == .tanh ? .rnnTanh : .rnnReLU, name: "RNN", inputs: inputs, size: size, layers: layers,
      hasBias: hasBias, isBatchFirst: isBatchFirst, dropout: dropout, isBidirectional: isBidirectional)
  }

  public var members: [ModuleMember] { stack.members }

  /// - Parameters:
  ///   - x: `[time, batch, inputs]`, or `[batch, time, inputs]` with `isBatchFirst`; `[time, inputs]` is a single
  ///     sequence, and no tensor has a batch axis then. `x` is floating-point, with at least one time step.
  ///   - state: `[layers · directions, batch, size]`; zeros by default.
  ///   - lengths: the number of valid elements of each sequence in the batch, in `1 … time`; by default all. After the
  ///     end of a sequence outputs are zeros and states stay unchanged; input elements there are ignored.
  /// - Returns: the states of the last layer at all time steps, `[time, batch, directions · size]` (with `isBatchFirst`
  ///   the batch axis comes first), and the last states of all layers, `[layers · directions, batch, size]`.
  public func callAsFunction(
    _ x: Tensor, state: Tensor? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, state: Tensor) {
    run(x, state, lengths.map { .known($0) })
  }

  /// The overload for an array literal of lengths, which would otherwise be interpreted as a tensor. Shapes and results
  /// are the same as in the overload for an optional array.
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
