import ApusTensor

/// One time of an Elman network, as `torch.nn.RNNCell`: `h′ = f(W_ih x + b_ih + W_hh h + b_hh)` (Elman, 1990).
///
/// A cell is for code that goes through the times itself, for example with `loop`; a whole sequence is faster with
/// `RNN`, which multiplies the inputs of all times at once.
public struct RNNCell: Module {
  let cell: RecurrentCell
  /// The function `f`.
  public let nonlinearity: RNN.Nonlinearity

  /// - Parameters:
  ///   - inputs: the extent of `x`.
  ///   - size: the extent of `h`.
  ///   - nonlinearity: `f`.
  public init(_ inputs: Int, _ size: Int, nonlinearity: RNN.Nonlinearity = .tanh, hasBias: Bool = true) {
    cell = RecurrentCell(
      nonlinearity == .tanh ? .rnnTanh : .rnnReLU, name: "RNNCell", inputs: inputs, size: size, hasBias: hasBias)
    self.nonlinearity = nonlinearity
  }

  /// PyTorch's keys: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
  public var members: [ModuleMember] { cell.weights.members() }

  /// - Parameters:
  ///   - x: `[batch, inputs]`, or `[inputs]` of one example.
  ///   - state: `h: [batch, size]` or `[size]`, zeros where left out.
  /// - Returns: `h′`, of the same shape.
  public func callAsFunction(_ x: Tensor, state: Tensor? = nil) -> Tensor {
    cell(x, states: state.map { [$0] }, count: 1)?[0] ?? x
  }
}
