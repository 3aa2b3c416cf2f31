import ApusTensor

/// Elman networks over sequences, as `torch.nn.RNN`: `hₜ = f(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh)` (Elman, 1990).
public struct RNN: Module {
  /// The function `f`.
  public enum Nonlinearity: Sendable { case tanh, relu }

  let stack: RecurrentStack

  /// - Parameters:
  ///   - inputs: the extent of an element.
  ///   - size: the extent of a state.
  ///   - layers: each after the first reads the states of the one before.
  ///   - isBatchFirst: whether inputs and outputs are `[batch, time, …]`.
  ///   - dropout: the rate of a dropout behind each layer but the last.
  ///   - isBidirectional: whether each layer also runs from the end, with weights of its own.
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
  ///   - x: `[time, batch, inputs]`.
  ///   - state: `[layers · directions, batch, size]`, zeros where left out.
  ///   - lengths: how many elements of each sequence of the batch count, all where left out: outputs behind are zeros,
  ///     states stay, and what lies there changes nothing.
  /// - Returns: the states of the last layer at all times, `[time, batch, directions · size]`, and the last states of
  ///   all layers.
  public func callAsFunction(
    _ x: Tensor, state: Tensor? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, state: Tensor) {
    let found = stack(x, states: state.map { [$0] }, lengths: lengths.map { .known($0) })
    return (found.output, found.states.first ?? x)
  }

  /// The same for lengths that are there; a literal is one of these, and not a tensor.
  public func callAsFunction(_ x: Tensor, state: Tensor? = nil, lengths: [Int]) -> (output: Tensor, state: Tensor) {
    self(x, state: state, lengths: Optional(lengths))
  }

  /// With lengths that are computed: integers `[batch]`.
  ///
  /// - Throws (when a value is read): `DeviceError.indexOutOfRange` for a length that is not in `1 … time`.
  @_disfavoredOverload
  public func callAsFunction(
    _ x: Tensor, state: Tensor? = nil, lengths: Tensor
  ) -> (output: Tensor, state: Tensor) {
    let found = stack(x, states: state.map { [$0] }, lengths: .computed(lengths))
    return (found.output, found.states.first ?? x)
  }
}
