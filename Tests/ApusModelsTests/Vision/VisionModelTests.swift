import Apus
import ApusTestSupport
import Foundation
import Testing

/// Image networks: parameter counts, keys, summaries, small images and invalid sizes. The outputs and gradients of
/// ResNet, DenseNet, VGG and AlexNet are compared with those that `Tests/Conformance/vision.py` computed in PyTorch.
@Suite struct VisionModelTests {
  @Test func parameterCountsEqualThePublishedOnes() throws {
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
      // The counts that Hu et al. and the package pytorchcv publish. They include the biases of the two fully connected
      // layers in each attention block.
      let deep = [3, 4, 6, 3]
      #expect(count(ResNet(attention: .squeezeExcite())) == 11_778_592)
      #expect(count(ResNet(blocks: deep, of: .bottleneck, attention: .squeezeExcite())) == 28_088_024)
      #expect(count(ResNet(attention: .cbam())) == 11_779_392)
      #expect(count(ResNet(blocks: deep, of: .bottleneck, attention: .cbam())) == 28_089_624)
      #expect(count(VisionTransformer.base16()) == 86_567_656)
      #expect(count(VisionTransformer(patch: 32, width: 1024, depth: 24, heads: 16)) == 306_535_400)
    }
  }

  @Test func keysEqualTorchvision() throws {
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

  /// Every parameter of a model is counted in one row of its summary.
  @Test func summariesHaveAllParameters() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      for (model, input) in [
        (ResNet(attention: .squeezeExcite()), [3, 224, 224]),
        (ResNet(blocks: [1, 1, 1, 1], of: .bottleneck, attention: .cbam(), stem: .smallImage), [3, 32, 32]),
        (DenseNet(), [3, 224, 224]), (AlexNet(columns: 2), [3, 224, 224]), (VGG(isNormalized: true), [3, 224, 224]),
        (VisionTransformer.base16(), [3, 224, 224]),
        (VisionTransformer(imageSize: [28, 32], patch: 4, width: 8, depth: 2, heads: 2), [3, 28, 32]),
      ] as [(any Layer, [Int])] {
        let summary = try ModelSummary(of: model, input: input)
        #expect(summary.rows.map(\.parameterCount).reduce(0, +) == summary.trainableCount, "\(type(of: model))")
      }
      let base = try ModelSummary(of: VisionTransformer.base16(), input: [3, 224, 224])
      #expect(base.rows.map(\.path).contains("encoder.layers.encoder_layer_11.mlp.3"))
    }
  }

  /// The usual sizes of small images are 28 and 32; 64 is the largest size that counts as small.
  @Test(arguments: [28, 32, 64]) func smallStemsTakeSmallImages(_ size: Int) throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      for name in ["resnet18", "densenet121", "vgg16", "alexnet", "alexnet-2012", "vit-small"] {
        let input = [1, size, size]
        let model = try ModelDescription.find(name).exampleModel(input: input, classes: 10, stem: .smallImage)
        #expect(try ModelSummary(of: model, input: .init(input)).output == [10], "\(name)")
      }
    }
  }

  @Test func sizesOfTransformersThatDoNotFitAreNamed() throws {
    func mistake(_ size: Extents, _ patch: Int, _ width: Int = 8, _ heads: Int = 2) -> String? {
      VisionTransformer.mistake(imageSize: size, patch: patch, width: width, heads: heads)
    }
    #expect(mistake([28, 32], 4) == nil)
    #expect(mistake([28, 30], 4) == "patches of 4 pixels do not divide images of 30")
    #expect(mistake(28, 4, 9) == "2 heads do not divide the width 9")
    #expect(mistake(2, 4) != nil && mistake(0, 4) != nil && mistake(28, 0) != nil && mistake([1, 2, 3], 1) != nil)
    let model = VisionTransformer(imageSize: 32, patch: 4, width: 8, depth: 1, heads: 2)
    let error = #expect(throws: ShapeError.self) { try ModelSummary(of: model, input: [3, 28, 28]) }
    #expect(error?.reason == "[1, 3, 28, 28] is not [batch, channels, 32, 32]")
  }

  private static let mistakes: [(message: String, make: @Sendable () -> any Layer)] = [
    ("AlexNet: the number of columns is 3, not 1 or 2", { AlexNet(columns: 3) }),
    ("ResNet: the numbers of blocks [1, 2] must be four", { ResNet(blocks: [1, 2]) }),
    ("DenseNet: the numbers of layers [2, 0] must be", { DenseNet(layers: [2, 0]) }),
    ("VGG: the numbers of convolutions [1] must be five", { VGG(convolutions: [1]) }),
    ("VisionTransformer: patches of 16 pixels do not divide", { VisionTransformer(imageSize: 100) }),
  ]

  @Test(arguments: mistakes.indices) func invalidSizesOfNetworksStop(_ index: Int) async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [index] in
      withDevice(ComputeDevice(backend: RecordingDevice())) { _ = VisionModelTests.mistakes[index].make() }
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(text.contains(VisionModelTests.mistakes[index].message), "\(text)")
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
    ("alexnet-small", { AlexNet(channels: 1, classes: 10, dropout: 0, stem: .smallImage) }),
    ("alexnet-2012-small", { AlexNet(columns: 2, classes: 10, dropout: 0, stem: .smallImage) }),
    ("vgg11-small", { VGG(convolutions: [1, 1, 2, 2, 2], channels: 1, classes: 10, stem: .smallImage) }),
    ("vgg-imagenet", { VGG(convolutions: [1, 1, 1, 1, 1], classes: 10, dropout: 0) }),
    ("se-resnet18", { ResNet(attention: .squeezeExcite(), classes: 10, stem: .smallImage) }),
    ("cbam-resnet18", { ResNet(attention: .cbam(), classes: 10, stem: .smallImage) }),
  ]

  /// `count` numbers in -1 … 1, computed from their indices and from `number`, as in `Tests/Conformance/vision.py`.
  private func scattered(_ count: Int, _ number: Int) -> [Double] {
    (0..<count).map { place in
      var z = UInt64(place) + UInt64(number) << 32
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      z ^= z >> 31
      return Double(z >> 11) * 0x1p-52 - 1
    }
  }

  /// A tensor of type `dtype`. Its elements are rounded to `float32` first.
  private func tensor(_ numbers: [Double], _ shape: Shape, _ dtype: DType) -> Tensor {
    Tensor(numbers.map { Float($0) }, shape: shape).cast(to: dtype)
  }

  private func fill(_ model: any Layer) {
    for (number, entry) in parameters(of: model).enumerated() {
      let shape = entry.parameter.shape
      let offset: Double = shape.rank == 1 && entry.key.hasSuffix("weight") ? 1 : 0
      let inputs = shape.rank > 1 ? shape.elementCount / shape[0] : 1
      let scale: Double = shape.rank > 1 ? (6 / Double(inputs)).squareRoot() : 0.1
      let values = scattered(shape.elementCount, number + 1).map { scale * $0 + offset }
      entry.parameter.value = tensor(values, shape, entry.parameter.dtype)
    }
  }

  private func parameters(of model: any Layer) -> [(key: String, parameter: Parameter)] {
    model.state.entries.compactMap { entry in entry.parameter.map { (entry.key, $0) } }
  }

  /// Logits and gradients agree with PyTorch's. In float64, logits differ by less than 10⁻¹¹ of the largest logit, and
  /// gradients by less than 10⁻⁹ of their norm (see `gradientErrors`).
  ///
  /// In float32, logits differ by less than 10⁻⁴ of the largest logit, the rounding error of about twenty layers. A
  /// rounding error can change the sign of a ReLU's input or the position of a maximum in max pooling. So the norms of
  /// some gradients may differ by up to 2 %, but the median difference of the norms is less than 0.1 %.
  @Test(arguments: models.map(\.name), [DType.float64, .float32])
  func agreesWithPyTorch(name: String, dtype: DType) throws {
    let fixture = try Fixture("vision")
    try withDevice(.named("cpu")) { () throws in
      let model = VisionModelTests.models.first { $0.name == name }!.make()
      model.convert(to: dtype)
      fill(model)
      let shape = Shape(try fixture.numbers(name, "shape").map { Int($0) })
      let x = tensor(scattered(shape.elementCount, 0), shape, dtype)
      let sources = [x] + model.parameters.map(\.value)
      let (y, found) = recordingGradients { () -> (Tensor, [Tensor]) in
        let y = withMode(.training) { model(x) }
        return (y, gradients(of: patternLoss([y]), withRespectTo: sources))
      }
      try eval([y] + found)
      let expected = try fixture.numbers(name, "output.0")
      let largest = expected.map(abs).max()!
      let worst = zip(try y.array(of: Double.self), expected).map { abs($0 - $1) }.max()! / largest
      let keys = ["input"] + parameters(of: model).map(\.key)
      let errors = try gradientErrors(fixture, name, Array(zip(keys, found))).sorted { $0.error < $1.error }
      let (median, last) = (errors[errors.count / 2].error, errors[errors.count - 1])
      print(
        "conformance: \(name), \(dtype): logits within \(worst) of the largest, gradients within \(last.error) of "
          + "their norm (\(last.key)), half of them within \(median)")
      let isDouble = dtype == .float64
      #expect(worst < (isDouble ? 1e-11 : 1e-4))
      #expect(last.error < (isDouble ? 1e-9 : 2e-2) && median < (isDouble ? 1e-11 : 1e-3))
    }
  }

  /// Returns a relative error for each gradient that is not 0. In float32, it is the error of the gradient's norm,
  /// divided by the norm. In float64, it is the largest of the errors of the norm and of the first four elements,
  /// divided by the norm.
  private func gradientErrors(
    _ fixture: Fixture, _ name: String, _ gradients: [(key: String, value: Tensor)]
  ) throws -> [(error: Double, key: String)] {
    let largest = try gradients.map { try fixture.numbers(name, "gradient.\($0.key)")[0] }.max()!
    var errors: [(error: Double, key: String)] = []
    for (key, gradient) in gradients {
      let isDouble = gradient.dtype == .float64
      let numbers = try gradient.array(of: Double.self)
      let norm = numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let expected = try fixture.numbers(name, "gradient.\(key)")
      if expected[0] < 1e-9 * largest {
        // A bias before a batch norm has the gradient 0.
        #expect(norm < (isDouble ? 1e-11 : 1e-5) * largest, "\(key)")
        continue
      }
      let error = zip(isDouble ? [norm] + numbers.prefix(4) : [norm], expected).map { abs($0 - $1) }.max()!
      errors.append((error / expected[0], key))
    }
    return errors
  }
}
