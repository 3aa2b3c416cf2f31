import Apus

/// A case of the fixture `recurrent`: a recurrent layer or cell and its call, which returns outputs and states.
struct RecurrentCase: Sendable {
  let name: String
  let make: @Sendable () -> any Module
  var mode = Mode.training
  /// Whether another case uses the same kernels. If so, devices that build kernels skip this case.
  var sharesKernels = false
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

  /// Every recurrent layer and cell, as in `Tests/Conformance/recurrent.py`.
  static let all: [RecurrentCase] =
    sequences + cells + truncated + [
      RecurrentCase(
        name: "lstm-dropout-inference", make: { LSTM(3, 4, layers: 2, dropout: 0.5) }, mode: .inference,
        sharesKernels: true
      ) { module, x, _, _ in
        let found = (module as! LSTM)(x)
        return [found.output, found.state.hidden, found.state.cell]
      }
    ]

  private static let cells: [RecurrentCase] = [
    rnnCell("rnn-cell") { RNNCell(3, 4) },
    rnnCell("rnn-cell-relu-no-bias") { RNNCell(3, 4, nonlinearity: .relu, hasBias: false) },
    lstmCell("lstm-cell") { LSTMCell(3, 4) },
    lstmCell("lstm-cell-no-bias") { LSTMCell(3, 4, hasBias: false) },
    gruCell("gru-cell") { GRUCell(3, 4) },
    gruCell("gru-cell-no-bias") { GRUCell(3, 4, hasBias: false) },
  ]

  private static func rnnCell(_ name: String, _ make: @escaping @Sendable () -> RNNCell) -> RecurrentCase {
    RecurrentCase(name: name, make: make, sharesKernels: name.hasSuffix("no-bias")) { module, x, states, _ in
      [(module as! RNNCell)(x, state: states.first)]
    }
  }

  private static func gruCell(_ name: String, _ make: @escaping @Sendable () -> GRUCell) -> RecurrentCase {
    RecurrentCase(name: name, make: make, sharesKernels: name.hasSuffix("no-bias")) { module, x, states, _ in
      [(module as! GRUCell)(x, state: states.first)]
    }
  }

  private static func lstmCell(_ name: String, _ make: @escaping @Sendable () -> LSTMCell) -> RecurrentCase {
    RecurrentCase(name: name, make: make, sharesKernels: name.hasSuffix("no-bias")) { module, x, states, _ in
      let state = states.isEmpty ? nil : LSTM.State(hidden: states[0], cell: states[1])
      let found = (module as! LSTMCell)(x, state: state)
      return [found.hidden, found.cell]
    }
  }

  /// Two segments of a sequence with gradients truncated between them.
  private static let truncated: [RecurrentCase] = [
    RecurrentCase(name: "rnn-truncated", make: { RNN(3, 4) }, sharesKernels: true) { module, x, _, _ in
      let rnn = module as! RNN
      let first = rnn(x[0..<3])
      let second = rnn(x[3..<6], state: first.state.stopGradient())
      return [.concatenated([first.output, second.output]), second.state]
    },
    RecurrentCase(name: "lstm-truncated", make: { LSTM(3, 4) }) { module, x, _, _ in
      let lstm = module as! LSTM
      let first = lstm(x[0..<3])
      let second = lstm(x[3..<6], state: first.state.stopGradient())
      return [.concatenated([first.output, second.output]), second.state.hidden, second.state.cell]
    },
    RecurrentCase(name: "gru-truncated", make: { GRU(3, 4) }, sharesKernels: true) { module, x, _, _ in
      let gru = module as! GRU
      let first = gru(x[0..<3])
      let second = gru(x[3..<6], state: first.state.stopGradient())
      return [.concatenated([first.output, second.output]), second.state]
    },
  ]

  private static let sequences: [RecurrentCase] =
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
