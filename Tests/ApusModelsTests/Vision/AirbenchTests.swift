import Apus
import ApusTestSupport
import Testing

/// The shapes, the parameters and the initial values of the network of airbench94.
@Suite struct AirbenchTests {
  /// The expected number of parameters, counted by hand: the first convolution has 24 · 12 + 24, a group from `i` to
  /// `o` channels 9 · i · o + 9 · o · o + 2 · o, and the dense layer 2,560.
  @Test func shapesAndParameters() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let summary = try ModelSummary(of: Airbench(), input: [3, 32, 32])
      #expect(summary.output == [10] && summary.trainableCount == 1_971_640 && summary.frozenCount == 0)
      #expect(summary.statisticCount == 2 * (2 * 64 + 4 * 256) + 6)
      let outputs = Dictionary(uniqueKeysWithValues: summary.rows.map { ($0.path, $0.output) })
      let expected = [
        "0": [24, 31, 31], "2.conv1": [64, 31, 31], "2.pool": [64, 15, 15], "3.norm2": [256, 7, 7],
        "4.norm2": [256, 3, 3], "5": [256, 1, 1],
      ]
      for (path, output) in expected { #expect(outputs[path] == output, "\(path)") }
      let keys = Airbench().state.entries.map(\.key)
      #expect(
        keys.prefix(8) == [
          "0.weight", "0.bias", "2.conv1.weight", "2.norm1.bias", "2.norm1.running_mean", "2.norm1.running_var",
          "2.norm1.num_batches_tracked", "2.conv2.weight",
        ])
      #expect(keys.last == "7.weight")
    }
  }

  /// The smallest images have 25 × 25 pixels. From 49 pixels along an axis on, the dense layer gets two or more pixels
  /// along this axis.
  @Test func sizesOfImages() throws {
    #expect(Airbench.mistake(imageSize: 24) == "images of 24 pixels are smaller than 25")
    #expect(Airbench.mistake(imageSize: [25, 48]) == nil && Airbench.mistake(imageSize: [25, 30, 40]) != nil)
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      for (input, width) in [([1, 28, 28], 256), ([3, 25, 48], 256), ([3, 49, 49], 1024)] {
        let model = try ModelDescription.airbench94.exampleModel(input: input, classes: 7)
        #expect(try ModelSummary(of: model, input: .init(input)).output == [7])
        #expect(model.parameters.last?.shape == [7, width])
        #expect(model.parameters.first?.shape == [8 * input[0], input[0], 2, 2])
      }
      #expect(throws: ModelError.self) { try ModelDescription.airbench94.exampleModel(input: [3, 24, 32]) }
      #expect(throws: ModelError.self) { try ModelDescription.airbench94.exampleModel(stem: .smallImage) }
    }
  }

  /// Each of the first filters of a 3 × 3 convolution passes one input channel on. The others are drawn from PyTorch's
  /// default distribution. The bias of the first convolution is zero.
  @Test func firstFiltersAreTheIdentity() throws {
    try withDevice(.named("cpu")) { () throws in
      let model = withRandomKey(RandomKey(seed: 1)) { Airbench(widths: [32, 32, 32]) }
      func values(_ key: String) throws -> [Float] {
        try #require(model.state.entries.first { $0.key == key }).value.array()
      }
      let first = try values("2.conv1.weight")
      let (size, bound) = (24 * 9, 1 / Float(24 * 9).squareRoot())
      for filter in 0..<32 {
        let own = Array(first[filter * size..<(filter + 1) * size])
        let identity = own.indices.map { $0 == filter * 9 + 4 ? 1 : 0 as Float }
        let isDefault = own.allSatisfy { abs($0) <= bound } && Set(own).count > 100
        #expect(filter < 24 ? own == identity : isDefault, "\(filter)")
      }
      #expect(try values("3.conv2.weight").count { $0 == 1 } == 32)
      #expect(try values("0.bias").allSatisfy { $0 == 0 })
    }
  }
}
