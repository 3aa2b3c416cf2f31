import Apus
import ApusTestSupport
import Testing

/// The initial values of image networks follow torchvision's distributions.
@Suite struct VisionInitializationTests {
  /// The expected initial values of a parameter.
  private enum Start {
    case zeros
    case ones
    /// A distribution with this variance: normal, or uniform if there is a bound.
    case random(variance: Double, bound: Double? = nil)

    static func uniform(_ bound: Double) -> Start { .random(variance: bound * bound / 3, bound: bound) }
    /// PyTorch's default for weights and biases of units with `inputs` inputs.
    static func pytorch(_ inputs: Int) -> Start { .uniform(1 / Double(inputs).squareRoot()) }
  }

  private func check(_ model: any Layer, _ expected: (_ key: String, _ shape: Shape) -> Start?) throws {
    for entry in model.state.entries where entry.parameter != nil {
      let start = try #require(expected(entry.key, entry.shape), "\(entry.key)")
      let values = try entry.value.array(of: Double.self)
      let count = Double(values.count)
      let mean = values.reduce(0, +) / count
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      switch start {
      case .zeros: #expect(values.allSatisfy { $0 == 0 }, "\(entry.key)")
      case .ones: #expect(values.allSatisfy { $0 == 1 }, "\(entry.key)")
      case .random(let expected, let bound):
        // The tolerances are five standard deviations. For n normal numbers of variance v, the mean has the standard
        // deviation √(v/n), and the variance has the standard deviation v · √(2/n).
        #expect(abs(mean) <= 5 * (expected / count).squareRoot(), "\(entry.key): mean \(mean)")
        #expect(abs(variance / expected - 1) <= 5 * (2 / count).squareRoot(), "\(entry.key): \(variance), \(expected)")
        if let bound { #expect(values.allSatisfy { abs($0) <= bound * 1.000001 }, "\(entry.key)") }
      }
    }
  }

  /// `fanOut` and `fanIn` of a weight.
  private func fans(_ shape: Shape) -> (out: Int, in: Int) {
    (shape[0] * shape.dropFirst(2).reduce(1, *), shape.dropFirst().reduce(1, *))
  }

  private func draw(_ body: () throws -> Void) throws {
    try withDevice(.named("cpu")) { () throws in try withRandomKey(RandomKey(seed: 1)) { try body() } }
  }

  @Test(arguments: [ResNet.Attention.none, .squeezeExcite(), .cbam()]) func resNet(_ attention: ResNet.Attention) throws
  {
    try draw {
      for model in [
        ResNet(attention: attention, stem: .smallImage),
        ResNet(blocks: [1, 1, 1, 1], of: .bottleneck, attention: attention),
      ] {
        let features = try #require(model.state.entries.first { $0.key == "fc.weight" }).shape[1]
        try check(model) { key, shape in
          let isNorm = key.contains("bn") || key.contains("downsample.1")
          if key == "fc.weight" || key == "fc.bias" { return .pytorch(features) }
          if key.hasSuffix("SpatialGate.spatial.bn.weight") { return .zeros }
          if key.contains(".mlp.") && key.hasSuffix("weight") { return .pytorch(shape[1]) }
          if key.hasSuffix("bias") { return .zeros }
          return isNorm ? .ones : .random(variance: 2 / Double(fans(shape).out))
        }
      }
    }
  }

  @Test func vgg() throws {
    try draw {
      for isNormalized in [false, true] {
        let model = VGG(convolutions: [1, 1, 2, 2, 2], isNormalized: isNormalized, classes: 10)
        try check(model) { key, shape in
          if key.hasSuffix("bias") { return .zeros }
          if key.hasPrefix("classifier") { return .random(variance: 1e-4) }
          return shape.rank == 1 ? .ones : .random(variance: 2 / Double(fans(shape).out))
        }
      }
    }
  }

  @Test func alexNet() throws {
    try draw {
      let model = AlexNet(columns: 2, classes: 10, stem: .smallImage)
      var inputs = 0
      try check(model) { key, shape in
        if shape.rank > 1 { inputs = fans(shape).in }
        return .pytorch(inputs)
      }
    }
  }

  @Test func denseNet() throws {
    try draw {
      try check(DenseNet(layers: [2, 2, 2, 2])) { key, shape in
        if key.hasSuffix("bias") { return .zeros }
        if key == "classifier.weight" { return .pytorch(shape[1]) }
        return shape.rank == 1 ? .ones : .random(variance: 2 / Double(fans(shape).in))
      }
    }
  }

  @Test func visionTransformer() throws {
    try draw {
      try check(VisionTransformer(imageSize: 32, patch: 4, width: 128, depth: 6, heads: 4, classes: 10)) { key, shape in
        if key.hasSuffix("pos_embedding") { return .random(variance: 4e-4) }
        if key.hasSuffix("conv_proj.weight") { return .random(variance: 1.0 / 48) }
        if key.contains("mlp") {
          let variance = shape.rank == 1 ? 1e-12 : 2 / Double(shape[0] + shape[1])
          return .random(variance: variance, bound: shape.rank == 1 ? nil : (3 * variance).squareRoot())
        }
        if key.hasSuffix("in_proj_weight") { return .uniform((6.0 / 512).squareRoot()) }
        if key.hasSuffix("out_proj.weight") { return .pytorch(128) }
        return key.contains("ln") && key.hasSuffix("weight") ? .ones : .zeros
      }
    }
  }
}
