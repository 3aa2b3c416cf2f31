import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// Attention over channels, pixels and patches agrees with PyTorch, and so do the attention maps.
@Suite struct AttendingLayerTests {
  /// Cases of `Tests/Conformance/vision.py`.
  private static let modules = [
    ModuleCase("squeeze-excitation", SqueezeExcitation(6, reduction: 2)),
    ModuleCase("cbam", CBAM(4, reduction: 2)),
    ModuleCase("se-block", ResidualBlock(3, 16, stride: 2, attention: .squeezeExcite())),
    ModuleCase("cbam-bottleneck", BottleneckBlock(16, 4, attention: .cbam())),
    ModuleCase("vision-transformer", transformer()),
  ]

  private static func transformer() -> VisionTransformer {
    VisionTransformer(imageSize: 12, patch: 4, width: 8, depth: 2, heads: 2, hidden: 12, channels: 2, classes: 3)
  }

  @Test(arguments: TestDevice.conformance) func agreeWithPyTorch(_ test: TestDevice) throws {
    let fixture = try Fixture("vision")
    var report = ConformanceReport("attending layers", on: test)
    for module in AttendingLayerTests.modules {
      let problems = try withDevice(test.device) { () throws in try module.problems(fixture, &report) }
      #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
    }
    report.print()
  }

  /// Assigns the parameters of a case to the layer, and the running statistics that PyTorch has after a forward pass in
  /// training mode. Returns the layer and the input of the case.
  private func loaded<L: Layer>(_ layer: L, _ name: String, _ fixture: Fixture) throws -> (L, Tensor) {
    for entry in layer.state.entries {
      let after = "after.\(entry.key)"
      entry.assign(
        try fixture.tensor(name, fixture.contains(name, after) ? after : "state.\(entry.key)").cast(
          to: entry.dtype))
    }
    return (layer, try fixture.tensor(name, "input.0"))
  }

  @Test func mapsEqualPyTorch() throws {
    let fixture = try Fixture("vision")
    try withDevice(.named("cpu")) { () throws in
      let (block, blockInput) = try loaded(SqueezeExcitation(6, reduction: 2), "squeeze-excitation", fixture)
      let (cbam, cbamInput) = try loaded(CBAM(4, reduction: 2), "cbam", fixture)
      let (transformer, images) = try loaded(AttendingLayerTests.transformer(), "vision-transformer", fixture)
      let channels = AttentionMap.all(of: block, on: blockInput)
      #expect(channels.map(\.path) == [""] && channels.map(\.kind) == [.channels])
      let gates = AttentionMap.all(of: cbam, on: cbamInput)
      #expect(gates.map(\.path) == ["ChannelGate", "SpatialGate"] && gates.map(\.kind) == [.channels, .pixels])
      let tokens = AttentionMap.all(of: transformer, on: images)
      #expect(
        tokens.map(\.path) == (0..<2).map { "encoder.layers.encoder_layer_\($0).self_attention" }
          && tokens.allSatisfy { $0.kind == .tokens && $0.weights.shape == [2, 2, 10, 10] })
      for (name, maps) in [
        ("squeeze-excitation", channels.map(\.weights)), ("cbam", gates.map(\.weights)),
        ("vision-transformer", tokens.map(\.weights) + [transformer.attentionRollout(images)]),
      ] {
        #expect(fixture.keys(of: name, "map.").count == maps.count)
        for (index, map) in maps.enumerated() {
          #expect(try fixture.error(of: map, name, "map.\(index)") <= 1, "\(name) \(index)")
        }
      }
    }
  }

  /// In training, each attention layer runs as one fused forward step and fused backward steps, even with dropout.
  /// These steps do not store the attention weights; only attention maps compute them.
  @Test func trainingHasAttentionAsOneStep() throws {
    let device = RecordingDevice()
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let model = VisionTransformer(
        imageSize: 28, patch: 4, width: 16, depth: 3, heads: 2, dropout: 0.1, attentionDropout: 0.1, channels: 1)
      let found = withMode(.training) {
        recordingGradients {
          gradients(
            of: patternLoss([model(.zeros([4, 1, 28, 28]))]), withRespectTo: model.parameters.map(\.value))
        }
      }
      try eval(found)
      func isAttention(_ step: Step) -> Bool { if case .attention = step { true } else { false } }
      // Each of the three layers has one forward step and at least one backward step.
      #expect(device.lastSteps.filter(isAttention).count >= 6)
    }
  }

  /// The paths of a network's attention maps begin with the names of its blocks. Computing the maps changes neither
  /// outputs nor state.
  @Test func networksHaveMapsOfEachBlock() throws {
    try withDevice(.named("cpu")) { () throws in
      let model = ResNet(blocks: [1, 2, 1, 1], attention: .cbam(reduction: 8), classes: 4, stem: .smallImage)
      let pixels = (0..<2 * 3 * 16 * 16).map { (index: Int) -> Float in Float(index % 13) }
      let x = Tensor(pixels, shape: [2, 3, 16, 16])
      let before = try withMode(.inference) { try model(x).array(of: Float.self) }
      let maps = AttentionMap.all(of: model, on: x)
      #expect(maps.count == 10 && maps[2].path == "layer2.0.cbam.ChannelGate")
      #expect(maps[4].weights.shape == [2, 128] && maps[5].weights.shape == [2, 1, 8, 8])
      // The batch norm in the spatial gate starts with a scale of 0, and sigmoid(0) is 0.5.
      #expect(try maps[5].weights.array(of: Float.self).allSatisfy { $0 == 0.5 })
      #expect(try maps[4].weights.array(of: Float.self).allSatisfy { $0 > 0 && $0 < 1 })
      #expect(try withMode(.inference) { try model(x).array(of: Float.self) } == before)
      #expect(AttentionMap.all(of: ResNet(stem: .smallImage), on: x).isEmpty)
    }
  }

  /// A patch to which all patches attend dominates the rollout, at its position in the image.
  @Test func rolloutPointsAtThePatchAttendedTo() throws {
    try withDevice(.named("cpu")) { () throws in
      let model = VisionTransformer(
        imageSize: [8, 12], patch: 4, width: 4, depth: 3, heads: 1, hidden: 4, channels: 1, classes: 2)
      for entry in model.state.entries where !entry.key.contains(".ln") {
        entry.assign(.zeros(entry.shape))
      }
      // Only the fifth of six patches has a nonzero key. A bias gives all patches the same query, which matches this
      // key.
      func set(_ key: String, _ values: [Float]) throws {
        let entry = try #require(model.state.entries.first { $0.key == key })
        entry.assign(Tensor(values, shape: entry.shape))
      }
      var positions = [Float](repeating: 0, count: 7 * 4)
      positions[5 * 4] = 1
      try set("encoder.pos_embedding", positions)
      for layer in 0..<3 {
        var weight = [Float](repeating: 0, count: 12 * 4)
        weight[4 * 4] = 20
        var bias = [Float](repeating: 0, count: 12)
        bias[0] = 1
        try set("encoder.layers.encoder_layer_\(layer).self_attention.in_proj_weight", weight)
        try set("encoder.layers.encoder_layer_\(layer).self_attention.in_proj_bias", bias)
      }
      let picture = model.attentionRollout(.zeros([1, 1, 8, 12]))
      #expect(picture.shape == [1, 1, 8, 12])
      let numbers = try picture.array(of: Double.self)
      // In each of three layers, half of the attention of a token stays at the token. So the fraction 1 − 1/8 of the
      // class token's attention reaches the patch, which covers the pixels in rows 4 to 7 and columns 4 to 7.
      #expect(abs(numbers[7 * 12 + 5] - numbers[7 * 12 + 6]) < 1e-6)
      #expect(numbers.max()! > 0.7 && numbers.max()! < 0.876 && numbers.firstIndex(of: numbers.max()!)! % 12 / 4 == 1)
      #expect(numbers[0] < 0.01)
    }
  }
}
