import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusModels

struct TextModelTests {
  private func network(_ core: TextNetwork.Core, longest: Int = 6) -> TextNetwork {
    TextNetwork(core, width: 8, depth: 2, tokenizer: "character", vocabularySize: 12, sequenceLength: longest)
  }

  private static let cores: [TextNetwork.Core] = [.lstm, .transformer(heads: 2)]

  /// The expected count has three terms: the embeddings, the LSTM layers and the output layer. An LSTM layer has four
  /// gates, each with weights for the inputs and for the state, and two biases.
  @Test func parametersOfLSTMs() throws {
    let model = LSTMLanguageModel(vocabulary: 96, width: 256, depth: 2)
    let count = model.parameters.reduce(0) { $0 + $1.shape.elementCount }
    #expect(count == 96 * 256 + 2 * 4 * 256 * (256 + 256 + 2) + 96 * 256 + 96)
    #expect(
      model.state.entries.map(\.key).filter { !$0.contains("_l") }
        == ["embedding.weight", "output.weight", "output.bias"])
  }

  /// The count by hand: each of 64 tokens is multiplied by two 8 × 32 matrices in each of two layers, and by an 8 × 12
  /// matrix.
  @Test func summariesCountRecurrentSteps() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let model = LSTMLanguageModel(vocabulary: 12, width: 8, depth: 2)
      let summary = try ModelSummary(of: model, input: ModelSummary.Input([64], dtype: .int32))
      #expect(summary.multiplyAccumulates == 64 * (2 * 2 * 8 * 32 + 8 * 12))
      #expect(summary.rows.map(\.type) == ["Embedding", "LSTM", "Linear"])
    }
  }

  /// The count by hand: each of 16 tokens is multiplied by four 8 × 8 matrices, two 8 × 32 matrices, and one 8 × 12
  /// matrix for the outputs. Each pair of tokens needs 8 multiply-adds for the score and 8 for the weighted sum.
  @Test func summariesCountAttention() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let model = TransformerLanguageModel(vocabulary: 12, width: 8, depth: 1, heads: 2, longest: 16)
      let summary = try ModelSummary(of: model, input: ModelSummary.Input([16], dtype: .int32))
      #expect(summary.multiplyAccumulates == 16 * (4 * 64 + 2 * 256 + 96) + 16 * 16 * 16)
    }
  }

  /// The expected count has these terms: embeddings and positions, the Transformer layers, the last norm and the output
  /// layer. A Transformer layer has the four products of the attention, two dense layers and two norms.
  @Test func parametersOfTransformers() throws {
    let model = TransformerLanguageModel(vocabulary: 96, width: 64, depth: 3, heads: 4, longest: 32)
    let count = model.parameters.reduce(0) { $0 + $1.shape.elementCount }
    let layer = 4 * (64 * 64 + 64) + (64 * 256 + 256) + (256 * 64 + 64) + 4 * 64
    #expect(count == (96 + 32) * 64 + 3 * layer + 2 * 64 + 96 * 64 + 96)
    #expect(throws: ModelError.self) { try network(.transformer(heads: 3)).languageModel(vocabulary: 9) }
  }

  /// The prompt and the generated text may be longer than the model's context. When the context is full, the model
  /// clears it, and reads the last tokens again: as many as fill half of the context.
  @Test func textsMayBeLongerThanTheContext() throws {
    let model = try withRandomKey(RandomKey(seed: 5)) {
      try network(.transformer(heads: 2)).languageModel(vocabulary: 12)
    }
    let all = try generateTokens(model, prompt: [2, 3], count: 20, sampling: Sampling(seed: 1))
    #expect(all.count == 20)
    #expect(try generateTokens(model, prompt: [2, 3], count: 20, sampling: Sampling(seed: 1)) == all)
    #expect(try generateTokens(model, prompt: Array(repeating: 4, count: 30), count: 3).count == 3)
  }

  /// On each device, the logits do not depend on how many tokens are read at once, except for rounding.
  @Test(arguments: TestDevice.pairs(TestDevice.conformance, cores))
  func logitsDoNotDependOnHowTokensAreSplit(_ device: TestDevice, _ core: TextNetwork.Core) throws {
    try withDevice(device.device) { () throws in
      let model = try withRandomKey(RandomKey(seed: 5)) { try network(core).languageModel(vocabulary: 12) }
      try agree(model)
    }
  }

  private func agree<Model: LanguageModel>(_ model: Model) throws {
    let tokens: [Int32] = [3, 1, 4, 1, 5]
    try withMode(.inference) {
      let all = try model(Tensor(tokens, shape: [1, 5])).array(of: Float.self)
      var memory = model.memory(batch: 1, capacity: 6)
      for piece in [tokens[0..<2], tokens[2..<3], tokens[3..<5]] {
        let logits = model.read(Tensor(Array(piece), shape: [1, piece.count]), &memory)
        try eval([logits] + model.tensors(of: memory))
        let expected = all[(piece.endIndex - 1) * 12..<piece.endIndex * 12]
        for (value, other) in zip(try logits.array(of: Float.self), expected) { #expect(abs(value - other) < 1e-5) }
      }
    }
  }

  /// Later tokens do not change the logits of earlier tokens.
  @Test(arguments: cores) func languageModelsDoNotLookAhead(_ core: TextNetwork.Core) throws {
    let model = try withRandomKey(RandomKey(seed: 5)) { try network(core).languageModel(vocabulary: 12) }
    try withMode(.inference) {
      let one = try model(Tensor([3, 1, 4, 1] as [Int32], shape: [1, 4])).array(of: Float.self)
      let other = try model(Tensor([3, 1, 9, 2] as [Int32], shape: [1, 4])).array(of: Float.self)
      #expect(one.prefix(24) == other.prefix(24) && one.suffix(24) != other.suffix(24))
    }
  }

  /// Padding does not change the logits.
  @Test(arguments: cores) func classifiersDoNotSeePadding(_ core: TextNetwork.Core) throws {
    let model = try withRandomKey(RandomKey(seed: 5)) {
      try network(core).classifier(vocabulary: 12, classes: 3)
    }
    try withMode(.inference) {
      let short = try model(Tensor([3, 7, 4] as [Int32], shape: [1, 3])).array(of: Float.self)
      let padded = try model(Tensor([3, 7, 4, 0, 0, 0] as [Int32], shape: [1, 6])).array(of: Float.self)
      for (value, other) in zip(short, padded) { #expect(abs(value - other) < 1e-6) }
      let longer = try model(Tensor([3, 7, 4, 1, 0, 0] as [Int32], shape: [1, 6])).array(of: Float.self)
      #expect(longer != padded)
    }
  }

  /// Texts that consist of padding alone have finite logits.
  @Test(arguments: cores) func rowsOfPaddingHaveLogits(_ core: TextNetwork.Core) throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let model = try network(core, longest: 4).classifier(vocabulary: 9, classes: 3)
      let tokens = Tensor([0, 0, 0, 3, 4, 0] as [Int32], shape: [2, 3])
      let logits = try withMode(.inference) { try model(tokens).array(of: Float.self) }
      #expect(logits.count == 6 && logits.allSatisfy(\.isFinite))
    }
  }

  /// Sampling from NaN logits is an error. Generation runs on the device of the weights, here also outside of
  /// `withDevice`.
  @Test(arguments: cores) func samplingFromNaNIsAnError(_ core: TextNetwork.Core) throws {
    let model = try withDevice(TestDevice.reference.device) { () throws in
      try network(core, longest: 5).languageModel(vocabulary: 12)
    }
    #expect(try generateTokens(model, prompt: [2], count: 0) == [])
    #expect(try generateTokens(model, prompt: [2], count: 2).count == 2)
    let weight = model.parameters.last!
    weight.value = weight.value * .nan
    #expect(throws: ModelError.notFinite) { try generateTokens(model, prompt: [2], count: 2) }
  }

  @Test func widthsThatHeadsDoNotDivideAreRefused() {
    for (core, width) in [(.transformer(heads: 0), 8), (.transformer(heads: 3), 8)] as [(TextNetwork.Core, Int)] {
      let network = TextNetwork(
        core, width: width, depth: 1, tokenizer: "word", vocabularySize: 9, sequenceLength: 4)
      #expect(throws: ModelError.self) { try network.languageModel(vocabulary: 9) }
    }
  }

  /// The mean over an empty text is 0, not NaN.
  @Test func textsOfPaddingAlone() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let tokens = Tensor([0, 0, 3, 0] as [Int32], shape: [2, 2])
      let states = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2, 1])
      #expect(try meanOverText(states, isText(tokens)).array() == [0, 3])
    }
  }

  /// The model learns a periodic text and continues it.
  @Test(arguments: cores) func learnsToContinueAText(_ core: TextNetwork.Core) throws {
    let text = (0..<200).map { [2, 3, 4, 3, 5, 6][$0 % 6] as Int32 }
    // The length 5 and the period 6 have no common divisor, so windows begin at every position of the period.
    let windows = try #require(TokenWindows(text, length: 5))
    let model = try withRandomKey(RandomKey(seed: 5)) { try network(core, longest: 5).languageModel(vocabulary: 12) }
    let trainer = Trainer(
      model, Adam(learningRate: 0.02), on: windows, objective: .tokens,
      TrainingOptions(length: .steps(250), batchSize: 8, seed: 1))
    #expect(try trainer.run().trainLoss ?? 9 < 0.5)
    let made = try generateTokens(model, prompt: [2, 3, 4], count: 15, sampling: Sampling(temperature: 0))
    #expect(made == (3..<18).map { [2, 3, 4, 3, 5, 6][$0 % 6] })
    var stopped = 0
    try generateTokens(model, prompt: [2], count: 9) { _ in
      stopped += 1
      return stopped < 3
    }
    #expect(stopped == 3)
  }
}

struct SamplingTests {
  /// The logits of five tokens. Token 0 is padding and is never sampled.
  private static let logits: [Float] = [9, 1, 3, 2, 3]

  private func shares(_ sampling: (UInt64) -> Sampling) -> [Double] {
    var counts = [Double](repeating: 0, count: 5)
    for position in 0..<4000 { counts[Int(sampling(7).token(Self.logits, position: position))] += 1 }
    return counts.map { $0 / 4000 }
  }

  private func expected(_ weights: [Double]) -> [Double] { weights.map { $0 / weights.reduce(0, +) } }

  @Test func drawsFollowTheProbabilities() {
    func near(_ found: [Double], _ wanted: [Double]) -> Bool { zip(found, wanted).allSatisfy { abs($0 - $1) < 0.03 } }
    #expect(near(shares { Sampling(seed: $0) }, expected([0, exp(1), exp(3), exp(2), exp(3)])))
    #expect(near(shares { Sampling(temperature: 0.5, seed: $0) }, expected([0, exp(2), exp(6), exp(4), exp(6)])))
    #expect(near(shares { Sampling(topK: 2, seed: $0) }, [0, 0, 0.5, 0, 0.5]))
    #expect(near(shares { Sampling(topP: 0.3, seed: $0) }, [0, 0, 1, 0, 0]))
    #expect(near(shares { Sampling(temperature: 0, seed: $0) }, [0, 0, 1, 0, 0]))
  }

  @Test func equalSeedsDrawEqualTokens() {
    let draws = { (seed: UInt64) in (0..<50).map { Sampling(seed: seed).token(Self.logits, position: $0) } }
    #expect(draws(1) == draws(1) && draws(1) != draws(2))
  }
}
