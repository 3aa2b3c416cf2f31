import ApusTensor

/// The parameters of one direction of a recurrent layer, or of a cell.
///
/// `weight_ih: [gates · size, inputs]`, `weight_hh: [gates · size, size]`, `bias_ih`, `bias_hh: [gates · size]`, each
/// initialized uniformly in `±1/√size`, as in PyTorch.
struct RecurrentWeights: Sendable {
  let weightIH: Parameter
  let weightHH: Parameter
  let biasIH: Parameter?
  let biasHH: Parameter?

  init(gates: Int, inputs: Int, size: Int, hasBias: Bool) {
    let start = Initializer.uniform(bound: 1 / Double(size).squareRoot())
    let rows = gates * size
    weightIH = Parameter(start([rows, inputs]))
    weightHH = Parameter(start([rows, size]))
    biasIH = hasBias ? Parameter(start([rows])) : nil
    biasHH = hasBias ? Parameter(start([rows])) : nil
  }

  /// PyTorch's keys, each with `suffix`.
  func members(_ suffix: String = "") -> [ModuleMember] {
    let biases = [("bias_ih", biasIH), ("bias_hh", biasHH)]
    return [.parameter("weight_ih" + suffix, weightIH), .parameter("weight_hh" + suffix, weightHH)]
      + biases.compactMap { key, bias in bias.map { .parameter(key + suffix, $0) } }
  }
}
