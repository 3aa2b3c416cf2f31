import ApusNN
import ApusTensor

/// A recurrent layer of a `LayerList`. It maps `[batch, time, features]` to the last state `[batch, size]` or, if
/// `LayerList.Recurrent.givesAll` is true, to the states of all time steps `[batch, time, size]`. `size` is `units`, or
/// `2 · units` for a bidirectional layer, which concatenates the states of both directions.
public struct RecurrentLayer: Layer {
  private let layer: LayerList.Recurrent
  private let module: any Module
  private let run: @Sendable (Tensor) -> (output: Tensor, state: Tensor)

  /// Creates the layer that an element of a `LayerList` describes, for `inputs` features.
  public init(_ layer: LayerList.Recurrent, inputs: Int) {
    self.layer = layer
    switch layer.kind {
    case .rnn:
      let rnn = RNN(
        inputs, layer.units, layers: layer.layers, hasBias: layer.hasBias, isBatchFirst: true,
        isBidirectional: layer.isBidirectional)
      (module, run) = (rnn, { rnn($0) })
    case .lstm:
      let lstm = LSTM(
        inputs, layer.units, layers: layer.layers, hasBias: layer.hasBias, isBatchFirst: true,
        isBidirectional: layer.isBidirectional)
      module = lstm
      run = { x in
        let found = lstm(x)
        return (found.output, found.state.hidden)
      }
    case .gru:
      let gru = GRU(
        inputs, layer.units, layers: layer.layers, hasBias: layer.hasBias, isBatchFirst: true,
        isBidirectional: layer.isBidirectional)
      (module, run) = (gru, { gru($0) })
    }
  }

  public var members: [ModuleMember] { module.members }

  public static var typeName: String { "Recurrent" }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { result(x) } }

  private func result(_ x: Tensor) -> Tensor {
    let found = run(x)
    if layer.givesAll { return found.output }
    // The states are [layers · directions, batch, units]: select the last layer.
    let count = layer.isBidirectional ? 2 : 1
    let states = found.state.slice(axis: 0, from: found.state.shape[0] - count, count: count)
    return states.transposed([1, 0, 2]).flattened(from: 1)
  }
}
