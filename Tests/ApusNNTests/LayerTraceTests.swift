import Apus
import ApusTestSupport
import Testing

@Suite struct LayerTraceTests {
  let device = ComputeDevice(backend: RecordingDevice())

  /// A module that calls its members directly, except `dropout`: a trace finds the names of layers by their parameters,
  /// and `dropout` has none.
  private struct Block: Layer {
    let conv1 = Conv2d(2, 4, kernel: 3, padding: 1)
    let normOfBlock = BatchNorm(4)
    let dropout = Dropout(0.5)
    let tail = Sequential {
      ReLU()
      Conv2d(4, 2, kernel: 1)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
      x + tail(LayerTrace.run("dropout", dropout, normOfBlock(conv1(x))))
    }
  }

  private struct Net: Layer {
    let stem = Conv2d(1, 2, kernel: 1)
    let blocks = [Block(), Block()]
    let attention = MultiheadAttention(16, heads: 2, isBatchFirst: true)
    let lstm = LSTM(16, 3, isBatchFirst: true)
    let outside: Captured

    func callAsFunction(_ x: Tensor) -> Tensor {
      var y = stem(x)
      for block in blocks { y = block(y) }
      let (sequence, _) = lstm(attention(y.flattened(from: 2)))
      return outside.head(sequence.flattened(from: 1))
    }
  }

  /// This type is no module, so reflection does not find its layer.
  private struct Captured: Sendable { let head: Linear }

  private func net() -> Net { Net(outside: Captured(head: Linear(6, 5))) }

  @Test func pathsEqualStateKeys() {
    withDevice(device) {
      let (model, x) = (net(), Tensor.zeros([3, 1, 4, 4]))
      let trace = withMode(.inference) { LayerTrace(of: model, on: x) }
      let block = ["conv1", "norm_of_block", "dropout", "tail.0", "tail.1"]
      // `Net` calls its blocks without `LayerTrace.run`, so the blocks are not recorded, and the path of a layer
      // without parameters does not contain the name of its block.
      let first = block.map { $0 == "dropout" ? $0 : "blocks.0.\($0)" }
      let second = block.map { $0 == "dropout" ? $0 : "blocks.1.\($0)" }
      #expect(trace.layers.map(\.path) == ["stem"] + first + second + ["attention", "lstm", ""])
      #expect(trace.layers.map(\.type).suffix(3) == ["MultiheadAttention", "LSTM", "Linear"])
      #expect(trace.records.filter(\.isContainer).map(\.path) == ["blocks.0.tail", "blocks.1.tail"])
      #expect(trace.output.identity == trace.layers.last?.output.identity && trace.output.shape == [3, 5])
      #expect(trace.layers[0].input.identity == x.identity && trace.layers[0].output.shape == [3, 2, 4, 4])
      #expect(trace.layers.first { $0.path == "lstm" }?.output.shape == [3, 2, 3])
    }
  }

  /// A `Sequential` gives every element a name, so the paths of modules without parameters are complete.
  @Test func keysNameModulesWithoutParameters() {
    withDevice(device) {
      let model = Sequential {
        Block()
        Sequential { ReLU() }
      }
      let trace = withMode(.inference) { LayerTrace(of: model, on: .zeros([1, 2, 4, 4])) }
      #expect(
        trace.layers.map(\.path) == ["0.conv1", "0.norm_of_block", "0.dropout", "0.tail.0", "0.tail.1", "1.0"])
      #expect(trace.records.map(\.path).last == "1" && trace.records.last?.isContainer == true)
    }
  }

  /// Each call of a shared layer is recorded, and a model without inner layers is recorded itself.
  @Test func sharedAndSingleLayers() {
    withDevice(device) {
      let linear = Linear(2, 2)
      let x = Tensor.zeros([1, 2])
      let names = LayerTrace(of: Sequential([linear, ReLU(), linear]), on: x).layers.map(\.path)
      #expect(names == ["0", "1", "2"])
      let single = LayerTrace(of: linear, on: x)
      #expect(single.records.count == 1 && single.layers[0].path == "" && single.layers[0].type == "Linear")
      #expect(LayerTrace(of: ReLU(), on: x).layers.map(\.type) == ["ReLU"])
    }
  }
}
