import ApusTensor

/// One time step of an Elman network, as `torch.nn.RNNCell`: `h′ = f(W_ih x + b_ih + W_hh h + b_hh)` (Elman, 1990).
///
/// Use a cell in code that iterates over the time steps itself, for example with `loop`. For a whole sequence use
/// `RNN`, which multiplies the inputs of all time steps with the weights in one product.
public struct RNNCell: Module {
  let cell: RecurrentCell
  /// The function `f`.
  public let nonlinearity: RNN.Nonlinearity

  /// - Parameters:
  ///   - inputs: the number of features of `x`.
  ///   - size: the number of features of `h`.
  ///   - nonlinearity: the function `f`.
  public init(_ inputs: Int, _ size: Int, nonlinearity: RNN.Nonlinearity = .tanh, hasBias: Bool = true) {
    cell = RecurrentCell(
      nonlinearity == .tanh ? .rnnTanh : .rnnReLU, name: "RNNCell", inputs: inputs, size: size, hasBias: hasBias)
    self.nonlinearity = nonlinearity
  }

  /// PyTorch's keys: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
  public var members: [ModuleMember] { cell.weights.members() }

  /// - Parameters:
  ///   - x: `[batch, inputs]`, or `[inputs]` for a single example.
  ///   - state: `h: [batch, size]` or `[size]`; zeros by default.
  /// - Returns: `h′`, of the shape of `h`.
  public func callAsFunction(_ x: Tensor, state: Tensor? = nil) -> Tensor {
    LayerTrace.leaf(self, x) { cell(x, states: state.map { [$0] }, count: 1)?[0] ?? x }
  }
}
