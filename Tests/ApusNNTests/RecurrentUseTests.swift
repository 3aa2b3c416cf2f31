import Apus
import ApusTestSupport
import Foundation
import Testing

/// Uses of recurrent layers: cells in a loop, dropout between layers, and second derivatives.
@Suite struct RecurrentUseTests {
  static let hosts = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }

  /// A cell in a `loop` equals the layer, in outputs, states and gradients.
  @Test(arguments: hosts) func cellsInALoopEqualTheLayers(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      var key = RandomKey(seed: 3)
      let x = Tensor.normal([7, 2, 3], key: &key)
      let zeros = Tensor.zeros([2, 4])
      func compare<Cell: Module, Layer: Module>(
        _ cell: Cell, _ layer: Layer, _ byCell: () -> [Tensor], _ byLayer: () -> [Tensor]
      ) throws {
        for (own, other) in zip(cell.parameters, layer.parameters) { other.value = own.value }
        func results(_ parameters: [Parameter], _ body: () -> [Tensor]) -> [Tensor] {
          recordingGradients {
            let outputs = body()
            return outputs + gradients(of: patternLoss(outputs), withRespectTo: [x] + parameters.map(\.value))
          }
        }
        let (found, expected) = (results(cell.parameters, byCell), results(layer.parameters, byLayer))
        #expect(found.count == expected.count && found.count >= 7)
        for (one, other) in zip(found, expected) {
          let (one, other) = (try one.array(of: Double.self), try other.array(of: Double.self))
          let largest = other.reduce(0) { max($0, abs($1)) }
          #expect(zip(one, other).allSatisfy { abs($0 - $1) <= 1e-6 * largest }, "\(Cell.self) on \(test.name)")
        }
      }
      let (rnnCell, rnn) = (RNNCell(3, 4, nonlinearity: .relu), RNN(3, 4, nonlinearity: .relu))
      try compare(rnnCell, rnn) {
        let (last, states) = loop(over: [x], carrying: [zeros]) { carried, elements in
          let h = rnnCell(elements[0], state: carried[0])
          return ([h], [h])
        }
        return [states[0], last[0].expandingAxis(at: 0)]
      } _: {
        let found = rnn(x)
        return [found.output, found.state]
      }
      let (lstmCell, lstm) = (LSTMCell(3, 4), LSTM(3, 4))
      try compare(lstmCell, lstm) {
        let (last, states) = loop(over: [x], carrying: [zeros, zeros]) { carried, elements in
          let state = lstmCell(elements[0], state: LSTM.State(hidden: carried[0], cell: carried[1]))
          return ([state.hidden, state.cell], [state.hidden])
        }
        return states + last.map { $0.expandingAxis(at: 0) }
      } _: {
        let found = lstm(x)
        return [found.output, found.state.hidden, found.state.cell]
      }
      let (gruCell, gru) = (GRUCell(3, 4), GRU(3, 4))
      try compare(gruCell, gru) {
        let (last, states) = loop(over: [x], carrying: [zeros]) { carried, elements in
          let h = gruCell(elements[0], state: carried[0])
          return ([h], [h])
        }
        return [states[0], last[0].expandingAxis(at: 0)]
      } _: {
        let found = gru(x)
        return [found.output, found.state]
      }
    }
  }

  /// Dropout between layers drops elements at random in training, with a new mask for each time step, and scales the
  /// others. It does nothing in inference or after the last layer.
  @Test(arguments: hosts) func dropoutBetweenLayers(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      func layer(_ dropout: Double, layers: Int) -> RNN {
        withRandomKey(RandomKey(seed: 1)) {
          RNN(40, 40, layers: layers, nonlinearity: .relu, hasBias: false, dropout: dropout)
        }
      }
      func run(_ layer: RNN, _ x: Tensor, _ mode: Mode = .training, seed: UInt64 = 7) throws -> [Float] {
        try withMode(mode) { try withRandomKey(RandomKey(seed: seed)) { try layer(x).output.array() } }
      }
      var key = RandomKey(seed: 2)
      let x = Tensor.uniform([30, 20, 40], lower: 0.5, key: &key)
      let plain = try run(layer(0, layers: 2), x)
      let dropped = try run(layer(0.4, layers: 2), x)
      #expect(plain != dropped)
      #expect(try run(layer(0.4, layers: 2), x) == dropped, "the same seed drops the same")
      #expect(try run(layer(0.4, layers: 2), x, seed: 8) != dropped)
      #expect(try run(layer(0.4, layers: 2), x, .inference) == plain)
      // There is no dropout after the last layer, hence none in a single layer.
      #expect(try run(layer(0.4, layers: 1), x) == run(layer(0, layers: 1), x))
      // Both layers return positive inputs unchanged. So outputs divided by inputs are 0 for dropped elements and 1/0.6
      // for kept elements.
      let passing = layer(0.4, layers: 2)
      passing.parameters[0].value = Tensor.eye(40)
      passing.parameters[1].value = .zeros([40, 40])
      passing.parameters[2].value = Tensor.eye(40)
      passing.parameters[3].value = .zeros([40, 40])
      let shares = zip(try run(passing, x), try x.array()).map { $0 / $1 }
      #expect(shares.allSatisfy { abs($0) < 1e-6 || abs($0 - 1 / 0.6) < 1e-5 })
      let share = Double(shares.count { $0 == 0 }) / 24_000
      // The share of dropped elements has a mean of 0.4 and a standard deviation of 0.0032.
      #expect(abs(share - 0.4) < 0.0128)
      // Each time step has a different mask.
      let patterns = (0..<30).map { (time: Int) -> [Bool] in shares[time * 800..<time * 800 + 800].map { $0 == 0 } }
      #expect(Set(patterns).count == 30)
      let mean: Float = shares.reduce(0, +) / 24_000
      #expect(abs(mean - 1) < 0.02)
    }
  }

  /// Each device gives the same second derivatives as the CPU, within a tolerance. `RecurrentTests` compares the CPU
  /// with finite differences.
  @Test(arguments: ["lstm", "gru"]) func secondDerivativesOfDevicesAgree(_ kind: String) throws {
    var found: [String: [[Double]]] = [:]
    for test in TestDevice.conformance {
      found[test.name] = try withDevice(test.device) { () throws in
        let (lstm, gru) = withRandomKey(RandomKey(seed: 4)) { (LSTM(3, 4), GRU(3, 4)) }
        let parameters = (kind == "lstm" ? lstm.parameters : gru.parameters).map(\.value)
        let x = Tensor((0..<24).map { Float(sin(Double($0 * $0))) }, shape: [4, 2, 3])
        let second = recordingGradients {
          let output = kind == "lstm" ? lstm(x).output : gru(x).output
          let first = gradients(of: patternLoss([output]), withRespectTo: [x])[0]
          return gradients(of: first.squared().sum(), withRespectTo: [x] + parameters)
        }
        try eval(second)
        return try second.map { try $0.array(of: Double.self) }
      }
    }
    let expected = try #require(found["cpu"])
    var worst = 0.0
    for (name, tensors) in found {
      for (one, other) in zip(tensors, expected) {
        let largest = other.reduce(1e-30) { max($0, abs($1)) }
        let error = zip(one, other).reduce(0) { max($0, abs($1.0 - $1.1) / largest) }
        worst = max(worst, error)
        #expect(error <= Tolerance.gradient(terms: 24), "\(kind) on \(name): \(error)")
      }
    }
    print("acceptance: second derivatives through \(kind): devices differ by \(worst) of the largest")
  }
}
