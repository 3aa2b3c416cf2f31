import Apus

/// A recurrent layer of any kind, from a sequence and states to a sequence and states.
struct RecurrentCase: Sendable {
  let name: String
  let make: @Sendable () -> any Module
  let call: @Sendable (any Module, _ x: Tensor, _ states: [Tensor], _ lengths: [Int]?) -> [Tensor]

  private static func rnn(_ name: String, _ make: @escaping @Sendable () -> RNN) -> RecurrentCase {
    RecurrentCase(name: name, make: make) { module, x, states, lengths in
      let found = (module as! RNN)(x, state: states.first, lengths: lengths)
      return [found.output, found.state]
    }
  }

  private static func lstm(_ name: String, _ make: @escaping @Sendable () -> LSTM) -> RecurrentCase {
    RecurrentCase(name: name, make: make) { module, x, states, lengths in
      let state = states.isEmpty ? nil : LSTM.State(hidden: states[0], cell: states[1])
      let found = (module as! LSTM)(x, state: state, lengths: lengths)
      return [found.output, found.state.hidden, found.state.cell]
    }
  }

  private static func gru(_ name: String, _ make: @escaping @Sendable () -> GRU) -> RecurrentCase {
    RecurrentCase(name: name, make: make) { module, x, states, lengths in
      let found = (module as! GRU)(x, state: states.first, lengths: lengths)
      return [found.output, found.state]
    }
  }

  /// Every recurrent layer, as in `Tests/Conformance/recurrent.py`.
  static let all: [RecurrentCase] =
    [
      rnn("rnn") { RNN(3, 4) },
      rnn("rnn-state") { RNN(3, 4) },
      rnn("rnn-no-bias-batch-first") { RNN(3, 4, hasBias: false, isBatchFirst: true) },
      rnn("rnn-deep-both") { RNN(3, 4, layers: 2, isBidirectional: true) },
      rnn("rnn-lengths") { RNN(3, 4, isBidirectional: true) },
      rnn("rnn-one") { RNN(3, 4) },
      rnn("rnn-relu") { RNN(3, 4, nonlinearity: .relu) },
      rnn("rnn-relu-state") { RNN(3, 4, nonlinearity: .relu) },
      rnn("rnn-relu-no-bias-batch-first") { RNN(3, 4, nonlinearity: .relu, hasBias: false, isBatchFirst: true) },
      rnn("rnn-relu-deep-both") { RNN(3, 4, layers: 2, nonlinearity: .relu, isBidirectional: true) },
      rnn("rnn-relu-lengths") { RNN(3, 4, nonlinearity: .relu, isBidirectional: true) },
    ] + [
      lstm("lstm") { LSTM(3, 4) },
      lstm("lstm-state") { LSTM(3, 4) },
      lstm("lstm-no-bias-batch-first") { LSTM(3, 4, hasBias: false, isBatchFirst: true) },
      lstm("lstm-deep-both") { LSTM(3, 4, layers: 2, isBidirectional: true) },
      lstm("lstm-lengths") { LSTM(3, 4, isBidirectional: true) },
    ] + [
      gru("gru") { GRU(3, 4) },
      gru("gru-state") { GRU(3, 4) },
      gru("gru-no-bias-batch-first") { GRU(3, 4, hasBias: false, isBatchFirst: true) },
      gru("gru-deep-both") { GRU(3, 4, layers: 2, isBidirectional: true) },
      gru("gru-lengths") { GRU(3, 4, isBidirectional: true) },
    ]
}
