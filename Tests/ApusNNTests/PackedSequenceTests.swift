import Apus
import ApusTestSupport
import Foundation
import Testing

/// Recurrent layers give the same results for a batch of sequences with different lengths as for each sequence alone.
@Suite struct PackedSequenceTests {
  enum Kind: String, CaseIterable, Sendable { case rnn, lstm, gru }

  /// A recurrent layer and its call, which takes a batch of sequences and returns outputs and states.
  struct Layer: Sendable {
    let module: any Module
    let run: @Sendable (_ x: Tensor, _ lengths: [Int]?) -> [Tensor]

    init(_ kind: Kind, _ inputs: Int, _ size: Int) {
      switch kind {
      case .rnn:
        let rnn = RNN(inputs, size, layers: 2, isBidirectional: true)
        (module, run) = (
          rnn,
          {
            let found = rnn($0, lengths: $1)
            return [found.output, found.state]
          }
        )
      case .lstm:
        let lstm = LSTM(inputs, size, layers: 2, isBidirectional: true)
        (module, run) = (
          lstm,
          {
            let found = lstm($0, lengths: $1)
            return [found.output, found.state.hidden, found.state.cell]
          }
        )
      case .gru:
        let gru = GRU(inputs, size, layers: 2, isBidirectional: true)
        (module, run) = (
          gru,
          {
            let found = gru($0, lengths: $1)
            return [found.output, found.state]
          }
        )
      }
    }
  }

  /// Outputs and states, and the gradients of their weighted sum. `slopes` are the weights of the sum.
  struct Result {
    var outputs: [Tensor]
    var gradients: [Tensor]

    init(_ layer: Layer, _ x: Tensor, lengths: [Int]?, slopes: [Tensor]) throws {
      (outputs, gradients) = recordingGradients {
        let found = layer.run(x, lengths)
        let loss = zip(found, slopes).map { ($0 * $1).sum() }.reduce(Tensor.zeros([])) { $0 + $1 }
        return (found, Apus.gradients(of: loss, withRespectTo: [x] + layer.module.parameters.map(\.value)))
      }
      try eval(outputs + gradients)
    }
  }

  static let lengths = [6, 2, 4]

  /// A batch `[time, batch, 3]`, with `padding` after the end of each sequence.
  private func batch(padding: Float) -> Tensor {
    let values = (0..<6 * 3 * 3).map { place -> Float in
      let (time, sequence) = (place / 9, place / 3 % 3)
      return time < PackedSequenceTests.lengths[sequence] ? Float(sin(Double(place * place))) : padding
    }
    return Tensor(values, shape: [6, 3, 3])
  }

  private func slopes(_ outputs: [Tensor]) -> [Tensor] {
    outputs.map { output in
      Tensor((0..<output.elementCount).map { Float(cos(Double($0))) }, shape: output.shape)
    }
  }

  /// On each device, outputs and states of a batch have the same bits as in runs of the single sequences, because a row
  /// of a matrix product does not depend on the other rows. Gradients agree except for rounding.
  @Test(arguments: TestDevice.conformance, Kind.allCases)
  func aBatchEqualsItsSequencesOneByOne(_ test: TestDevice, _ kind: Kind) throws {
    try withDevice(test.device) { () throws in
      let layer = withRandomKey(RandomKey(seed: 1)) { Layer(kind, 3, 5) }
      let x = batch(padding: 0)
      let slopes = slopes(layer.run(x, nil))
      let together = try Result(layer, x, lengths: PackedSequenceTests.lengths, slopes: slopes)
      var (worst, sums) = (0.0, [[Double]]())
      for (place, length) in PackedSequenceTests.lengths.enumerated() {
        let slopesOfOne = try slopes.enumerated().map { index, slopes in
          try sequence(place, of: slopes, length: index == 0 ? length : nil)
        }
        let single = try Result(
          layer, sequence(place, of: x, length: length), lengths: nil, slopes: slopesOfOne)
        for (index, (all, other)) in zip(together.outputs, single.outputs).enumerated() {
          let one = try sequence(place, of: all, length: index == 0 ? length : nil)
          for (found, expected) in zip(try one.array(of: Double.self), try other.array(of: Double.self)) {
            worst = max(worst, unitsInLastPlace(found, expected, .float32))
          }
        }
        var gradients = try single.gradients.map { try $0.array(of: Double.self) }
        let expected = gradients.removeFirst()
        let found = try sequence(place, of: together.gradients[0], length: length).array(of: Double.self)
        check(found, expected, "\(test.name) \(kind): the input of sequence \(place)")
        sums = sums.isEmpty ? gradients : zip(sums, gradients).map { zip($0, $1).map(+) }
      }
      for (index, sum) in sums.enumerated() {
        check(try together.gradients[index + 1].array(of: Double.self), sum, "\(test.name) \(kind): parameter \(index)")
      }
      #expect(worst == 0, "\(test.name) \(kind): \(worst) units in the last place")
      print("acceptance: packed \(kind) on \(test.name): outputs and states within \(worst) ULP of single runs")
    }
  }

  /// The first `length` elements of one sequence of a batch, or all of them, as `[time, 1, …]`.
  private func sequence(_ place: Int, of x: Tensor, length: Int?) throws -> Tensor {
    let (count, batch, size) = (length ?? x.shape[0], x.shape[1], x.shape[2])
    let values = try x.array()
    let picked = (0..<count).flatMap { (time: Int) -> ArraySlice<Float> in
      let start = (time * batch + place) * size
      return values[start..<start + size]
    }
    return Tensor(picked, shape: [count, 1, size])
  }

  private func check(_ found: [Double], _ expected: [Double], _ place: String) {
    let largest = expected.reduce(1e-30) { max($0, abs($1)) }
    let worst = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1) / largest) }
    #expect(worst <= 1e-6, "\(place): \(worst) of the largest gradient")
  }

  /// Padding after the end of a sequence changes no bit of outputs, states and gradients.
  @Test(arguments: TestDevice.conformance, Kind.allCases)
  func paddingChangesNoBit(_ test: TestDevice, _ kind: Kind) throws {
    try withDevice(test.device) { () throws in
      let layer = withRandomKey(RandomKey(seed: 1)) { Layer(kind, 3, 5) }
      let slopes = slopes(layer.run(batch(padding: 0), nil))
      var found: [[[Float]]] = []
      for padding in [0, Float.nan, .infinity] {
        let result = try Result(layer, batch(padding: padding), lengths: PackedSequenceTests.lengths, slopes: slopes)
        found.append(try (result.outputs + result.gradients).map { try $0.array() })
      }
      #expect(found[1] == found[0] && found[2] == found[0], "\(test.name) \(kind)")
      // After the end of a sequence, outputs and the gradients of inputs are zero.
      let (outputs, slopesOfX) = (found[0][0], found[0][slopes.count])
      for time in 0..<6 {
        for (sequence, length) in PackedSequenceTests.lengths.enumerated() where time >= length {
          let row = time * 3 + sequence
          #expect(outputs[row * 10..<row * 10 + 10].allSatisfy { $0 == 0 })
          #expect(slopesOfX[row * 3..<row * 3 + 3].allSatisfy { $0 == 0 })
        }
      }
    }
  }
}
