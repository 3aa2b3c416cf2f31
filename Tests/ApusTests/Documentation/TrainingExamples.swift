import Apus
import Testing

/// The Swift examples of Documentation/Training.md, word for word. `BookTests` compares the lines between the comments
/// `example` and `end` with the book.
@Suite struct TrainingExamples {
  let device: ComputeDevice

  init() throws { device = try ComputeDevice.named("cpu") }

  @Test func gradientsOfACubic() throws {
    try withDevice(device) { () throws in
      // example
      let x = Tensor([0.5, 1, 2] as [Float])
      let y = (x * x * x).sum()
      let first = gradients(of: y, withRespectTo: [x])[0]
      let second = gradients(of: first, withRespectTo: [x])[0]
      print(try first.array(), try second.array())  // 3x², 6x
      // end
      #expect(try first.array() == [0.75, 3, 12])
      #expect(try second.array() == [3, 6, 12])
    }
  }

  @Test func modules() throws {
    try withDevice(device) { () throws in
      // example
      struct Scale: Layer {
        let factor = Parameter(Tensor.ones([1]))
        func callAsFunction(_ x: Tensor) -> Tensor { x * factor.value }
      }
      let model = Sequential {
        Linear(4, 2)
        Scale()
      }
      try model.state.save(to: "/tmp/scale.safetensors")
      try model.state.load(from: "/tmp/scale.safetensors")
      // end
      #expect(model.state.entries.map(\.key) == ["0.weight", "0.bias", "1.factor"])
    }
  }

  @Test func compiledSteps() throws {
    try withDevice(device) { () throws in
      let model = Linear(4, 3)
      let (images, labels) = (Tensor.ones([2, 4]), Tensor([0, 2] as [Int32]))
      // example
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
      let step = CompiledStep(optimizer) { batch in crossEntropy(model(batch[0]), batch[1]) }
      for _ in 0..<10 {
        let loss = try withMode(.training) { try step([images, labels]) }
        print(try loss.scalar())
      }
      // end
      #expect(optimizer.step == 10)
    }
  }

  /// A user-defined recurrence has the results and gradients of the library's layer with the same weights.
  @Test func recurrence() throws {
    try withDevice(device) { () throws in
      // example
      struct Elman: Module {
        let input = Linear(3, 8)
        let state = Linear(8, 8, hasBias: false)

        /// The hidden states for `x: [time, batch, 3]`.
        func callAsFunction(_ x: Tensor) -> Tensor {
          let start = Tensor.zeros([x.shape[1], 8])
          let (_, states) = loop(over: [x], carrying: [start]) { carried, elements in
            let h = (input(elements[0]) + state(carried[0])).tanh()
            return ([h], [h])
          }
          return states[0]
        }
      }
      // end
      let (own, layer) = (Elman(), RNN(3, 8))
      var key = RandomKey(seed: 1)
      let (x, slope) = (Tensor.normal([9, 2, 3], key: &key), Tensor.normal([9, 2, 8], key: &key))
      let weights = [own.input.weight.value, own.state.weight.value, own.input.bias!.value, Tensor.zeros([8])]
      for (parameter, value) in zip(layer.parameters, weights) { parameter.value = value }
      func results(_ output: Tensor, _ parameters: [Parameter]) throws -> [[Float]] {
        let found = gradients(of: (output * slope).sum(), withRespectTo: [x] + parameters.map(\.value))
        return try ([output] + found).map { try $0.array() }
      }
      let found = try results(own(x), [own.input.weight, own.state.weight, own.input.bias!])
      for (one, other) in zip(found, try results(layer(x).output, layer.parameters)) {
        #expect(zip(one, other).allSatisfy { abs($0 - $1) < 1e-5 })
      }
    }
  }

  @Test func segmentsOfASequence() throws {
    try withDevice(device) { () throws in
      // example
      let model = LSTM(3, 8)
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
      var key = RandomKey(seed: 2)
      let sequence = Tensor.normal([60, 4, 3], key: &key)  // [time, batch, width]
      let targets = Tensor.zeros([60, 4, 8])
      var state: LSTM.State?
      for start in stride(from: 0, to: 60, by: 20) {
        let loss = try withMode(.training) {
          try optimizer.minimize {
            let found = model(sequence[start..<start + 20], state: state)
            state = found.state.stopGradient()
            return meanSquaredError(found.output, targets[start..<start + 20])
          }
        }
        print(try loss.scalar())
      }
      // end
      #expect(try #require(state).hidden.array().contains { $0 != 0 })
    }
  }

  @Test func attentionToWords() throws {
    try withDevice(device) { () throws in
      // example
      let encoder = TransformerEncoder(2, norm: LayerNorm(16)) {
        TransformerEncoderLayer(16, heads: 4, hidden: 32, isBatchFirst: true, isNormFirst: true)
      }
      let attention = MultiheadAttention(16, heads: 4, isBatchFirst: true)
      var key = RandomKey(seed: 3)
      let words = Tensor.normal([2, 5, 16], key: &key)  // [batch, length, width]
      // [batch, length]: false for the padding after the end of a text
      let isWord = Tensor([true, true, true, true, true, true, true, false, false, false], shape: [2, 5])
      let (found, weights) = withMode(.inference) {
        attention.withWeights(encoder(words, keyMask: isWord), keyMask: isWord)
      }
      print(found.shape, weights.shape)  // [2, 5, 16] [2, 5, 5]
      // end
      #expect(found.shape == [2, 5, 16] && weights.shape == [2, 5, 5])
      // No query attends to the padding.
      #expect(try weights[1..<2, .all, 2..<5].array().allSatisfy { $0 == 0 })
    }
  }

  @Test func languageModel() throws {
    try withDevice(device) { () throws in
      // example
      let text = String(repeating: "In the beginning was the Word, and the Word was with God. ", count: 8)
      let tokenizer = BytePairTokenizer(learning: text, size: 280)
      let tokens = tokenizer.encode(text)
      let model = TransformerLanguageModel(vocabulary: tokenizer.count, width: 32, depth: 1, heads: 4, longest: 64)
      let optimizer = Optimizer(Adam(learningRate: 1e-2), for: model)
      let inputs = Tensor(Array(tokens[..<60]), shape: [1, 60])
      let targets = Tensor(Array(tokens[1...60]), shape: [1, 60])
      for _ in 0..<60 {
        _ = try withMode(.training) {
          try optimizer.minimize { crossEntropy(model(inputs).transposed(), targets) }
        }
      }
      let prompt = tokenizer.encode("In the beginning")
      let next = try generateTokens(model, prompt: prompt, count: 8, sampling: Sampling(temperature: 0))
      print(tokenizer.decode(prompt + next))
      // end
      #expect(text.hasPrefix(tokenizer.decode(prompt + next)))
    }
  }

  @Test func customOperation() throws {
    for device in [device, try ComputeDevice.named("opencl:0")] {
      try withDevice(device) { () throws in
        // example
        let softCap = CustomOperation(
          "softCap", inputs: ["x"], results: ["y"],
          types: { [$0[0]] },
          text: "y[i] = x[i] / (1 + fabs(x[i]) / 30);",
          host: { items in
            let (x, y) = (items.input(0, of: Float.self), items.result(0, of: Float.self))
            for i in items.range { y[i] = x[i] / (1 + abs(x[i]) / 30) }
          },
          gradient: { gradients, _, results in [gradients[0]! * (1 - results[0].abs() / 30).squared()] })
        let x = Tensor([-40, 2, 60] as [Float])
        print(try softCap([x])[0].array())
        // end
        let found = try [softCap([x])[0], x / (x.abs() / 30 + 1)].map { y in
          let slope = gradients(of: y.sum(), withRespectTo: [x])[0]
          try eval([y, slope])
          return try y.array() + slope.array()
        }
        for (one, other) in zip(found[0], found[1]) { #expect(abs(one - other) < 1e-5) }
      }
    }
  }
}
