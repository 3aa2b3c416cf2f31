import Apus
import ApusTestSupport
import Foundation
import Testing

/// ResNet, DenseNet, VGG and AlexNet against PyTorch's, in `Tests/Conformance/vision.py`.
@Suite struct VisionModelTests {
  @Test func parameterCountsAreThePublishedOnes() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      func count(_ model: any Layer) -> Int { model.parameters.reduce(0) { $0 + $1.value.elementCount } }
      #expect(count(ResNet()) == 11_689_512)
      #expect(count(ResNet(blocks: [3, 4, 6, 3])) == 21_797_672)
      #expect(count(ResNet(blocks: [3, 4, 6, 3], of: .bottleneck)) == 25_557_032)
      #expect(count(DenseNet()) == 7_978_856)
      #expect(count(VGG()) == 138_357_544)
      #expect(count(VGG(convolutions: [1, 1, 2, 2, 2], isNormalized: true)) == 132_868_840)
      #expect(count(AlexNet()) == 61_100_840)
      #expect(count(AlexNet(columns: 2)) == 60_965_224)
    }
  }

  @Test func keysAreThoseOfTorchvision() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      let keys = ResNet().state.entries.map(\.key)
      for key in ["conv1.weight", "bn1.running_mean", "layer2.0.downsample.0.weight", "layer4.1.bn2.bias", "fc.bias"] {
        #expect(keys.contains(key))
      }
      let deep = ResNet(blocks: [3, 4, 6, 3], of: .bottleneck).state.entries.map(\.key)
      #expect(deep.contains("layer1.0.downsample.1.running_var") && deep.contains("layer4.2.conv3.weight"))
      let dense = DenseNet().state.entries.map(\.key)
      for key in [
        "features.conv0.weight", "features.norm0.running_mean", "features.denseblock3.denselayer24.conv2.weight",
        "features.transition3.norm.bias", "features.transition1.conv.weight", "features.norm5.weight",
        "classifier.bias",
      ] {
        #expect(dense.contains(key), "\(key)")
      }
      #expect(VGG(isNormalized: true).state.entries.map(\.key).contains("features.41.running_var"))
      #expect(AlexNet().state.entries.map(\.key).contains("classifier.6.weight"))
    }
  }

  static let models: [(name: String, make: @Sendable () -> any Layer)] = [
    ("resnet18", { ResNet(classes: 10, stem: .smallImage) }),
    ("resnet18-imagenet", { ResNet(classes: 20) }),
    ("resnet-bottleneck", { ResNet(blocks: [1, 1, 2, 1], of: .bottleneck, classes: 10, stem: .smallImage) }),
    ("densenet", { DenseNet(layers: [2, 3, 2], growth: 12, width: 16, classes: 10, stem: .smallImage) }),
    ("densenet-imagenet", { DenseNet(layers: [2, 2, 2, 2], classes: 20) }),
    ("vgg16bn", { VGG(isNormalized: true, classes: 10, stem: .smallImage) }),
    ("alexnet", { AlexNet(classes: 20, dropout: 0) }),
    ("alexnet-2012", { AlexNet(columns: 2, classes: 20, dropout: 0) }),
  ]

  /// `count` numbers in -1 … 1 that follow from their places, as in the script.
  private func scattered(_ count: Int, _ number: Int) -> [Double] {
    (0..<count).map { place in
      var z = UInt64(place) + UInt64(number) << 32
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      z ^= z >> 31
      return Double(z >> 11) * 0x1p-52 - 1
    }
  }

  private func fill(_ model: any Layer) {
    for (number, entry) in parameters(of: model).enumerated() {
      let shape = entry.parameter.value.shape
      let offset: Double = shape.rank == 1 && entry.key.hasSuffix("weight") ? 1 : 0
      let inputs = shape.rank > 1 ? shape.elementCount / shape[0] : 1
      let scale: Double = shape.rank > 1 ? (6 / Double(inputs)).squareRoot() : 0.1
      let values = scattered(shape.elementCount, number + 1).map { Float(scale * $0 + offset) }
      entry.parameter.value = Tensor(values, shape: shape)
    }
  }

  private func parameters(of model: any Layer) -> [(key: String, parameter: Parameter)] {
    model.state.entries.compactMap { entry in entry.parameter.map { (entry.key, $0) } }
  }

  /// Logits and gradients: within a share of the largest one, which rounding in float32 reaches over some twenty layers.
  /// A rectifier or a maximum that rounding turns moves single numbers of a gradient further.
  @Test(arguments: models.map(\.name)) func agreesWithPyTorch(name: String) throws {
    let fixture = try Fixture("vision")
    try withDevice(.named("cpu")) { () throws in
      let model = VisionModelTests.models.first { $0.name == name }!.make()
      fill(model)
      let shape = Shape(try fixture.numbers(name, "shape").map { Int($0) })
      let x = Tensor(scattered(shape.elementCount, 0).map { Float($0) }, shape: shape)
      let sources = [x] + model.parameters.map(\.value)
      let (y, found) = recordingGradients { () -> (Tensor, [Tensor]) in
        let y = withMode(.training) { model(x) }
        let pattern = Tensor((0..<y.elementCount).map { Float(cos(Double($0))) }, shape: y.shape)
        return (y, gradients(of: (y * pattern).sum(), withRespectTo: sources))
      }
      try eval([y] + found)
      let expected = try fixture.numbers(name, "output.0")
      let largest = expected.map(abs).max()!
      let worst = zip(try y.array(of: Double.self), expected).map { abs($0 - $1) }.max()! / largest
      var worstGradient = (0.0, "")
      let largestNorm = try fixture.keys(of: name, "gradient.").map { try fixture.numbers(name, "gradient.\($0)")[0] }
        .max()!
      for (key, gradient) in zip(["input"] + parameters(of: model).map(\.key), found) {
        let numbers = try gradient.array(of: Double.self)
        let norm = numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let expected = try fixture.numbers(name, "gradient.\(key)")
        if expected[0] < 1e-9 * largestNorm {
          // A bias ahead of normalization.
          #expect(norm < 1e-5 * largestNorm, "\(key)")
          continue
        }
        let error = zip([norm] + numbers.prefix(4), expected).map { abs($0 - $1) }.max()! / expected[0]
        if error > worstGradient.0 { worstGradient = (error, key) }
      }
      print("conformance: \(name): logits within \(worst) of the largest, gradients within \(worstGradient)")
      #expect(worst < 1e-4 && worstGradient.0 < 5e-3)
    }
  }
}
