import Apus
import ApusTestSupport
import Foundation
import Testing

/// Layers against PyTorch: outputs, gradients, statistics and the keys of the state dictionary.
@Suite struct LayerTests {
  static let fixture = Result { try Conformance("nn.json").root }
  let device = ComputeDevice(backend: ReferenceDevice())

  static let layers: [(name: String, make: @Sendable () -> any Layer)] = [
    ("linear", { Linear(5, 3) }),
    ("linear-no-bias", { Linear(5, 3, hasBias: false) }),
    ("conv1d", { Conv1d(4, 6, kernel: 3, stride: 2, padding: 2, dilation: 2, groups: 2) }),
    ("conv2d", { Conv2d(2, 3, kernel: [3, 2], stride: [1, 2], padding: [1, 0]) }),
    ("conv2d-same", { Conv2d(2, 3, kernel: [4, 3], padding: .same, hasBias: false) }),
    ("conv3d", { Conv3d(2, 2, kernel: 2, padding: 1) }),
    ("maxpool1d", { MaxPool1d(3, stride: 2, padding: 1) }),
    ("maxpool2d", { MaxPool2d(2) }),
    ("maxpool2d-ceil", { MaxPool2d(3, stride: 2, padding: 1, roundsUp: true) }),
    ("maxpool3d", { MaxPool3d(2) }),
    ("avgpool2d", { AvgPool2d(3, stride: 2, padding: 1) }),
    ("avgpool2d-no-padding", { AvgPool2d(3, stride: 2, padding: 1, countsPadding: false) }),
    ("batchnorm2d-training", { BatchNorm(3) }),
    ("batchnorm1d-training", { BatchNorm(3, isAffine: false) }),
    ("batchnorm2d-inference", { BatchNorm(3) }),
    ("relu", { ReLU() }), ("leakyrelu", { LeakyReLU(slope: 0.2) }), ("elu", { ELU(alpha: 0.7) }),
    ("selu", { SELU() }), ("gelu", { GELU() }), ("silu", { SiLU() }), ("softplus", { Softplus() }),
    ("sigmoid", { Sigmoid() }), ("tanh", { Tanh() }), ("softmax", { Softmax(axis: 1) }),
  ]

  @Test(arguments: layers.map(\.name)) func agreesWithPyTorch(_ name: String) throws {
    let cases = try Self.fixture.get()["layers"]?.array ?? []
    let expected = try #require(cases.first { $0["name"]?.string == name })
    let make = try #require(Self.layers.first { $0.name == name }).make
    try withDevice(device) { () throws in
      let layer = make()
      let state = layer.state
      let before = try #require(expected["state"]?.object)
      #expect(Set(state.entries.map(\.key)) == Set(before.keys))
      for entry in state.entries { entry.assign(try ExpectedTensor(before[entry.key]).tensor) }
      let x = try ExpectedTensor(expected["input"]).tensor
      var (y, gradients) = (x, [Tensor]())
      for _ in 0..<(name.hasPrefix("batchnorm") ? 2 : 1) {
        withMode(name.hasSuffix("inference") ? .inference : .training) {
          recordingGradients {
            y = layer(x)
            gradients = patternGradients(y, [x] + layer.parameters.map(\.value))
          }
        }
        try eval([y] + gradients)
      }
      #expect(try ExpectedTensor(expected["output"]).misfit(y, tolerance: 1e-5) == nil)
      #expect(try ExpectedTensor(expected["input_gradient"]).misfit(gradients[0], tolerance: 1e-5) == nil)
      for (entry, gradient) in zip(state.entries.filter { $0.parameter != nil }, gradients.dropFirst()) {
        let wanted = try ExpectedTensor(expected["gradients"]?[entry.key])
        #expect(try wanted.misfit(gradient, tolerance: 1e-5) == nil, "gradient of \(entry.key)")
      }
      for entry in state.entries {
        let wanted = try ExpectedTensor(expected["after"]?[entry.key])
        #expect(try wanted.misfit(entry.value, tolerance: 1e-5) == nil, "\(entry.key) afterwards")
      }
    }
  }

  @Test func everyCaseOfTheFixtureIsTested() throws {
    let names = (try Self.fixture.get()["layers"]?.array ?? []).compactMap { $0["name"]?.string }
    #expect(names == Self.layers.map(\.name))
  }
}

/// Layers without a case in the fixture, by hand.
@Suite struct AveragePoolTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  @Test func alongOneAxis() throws {
    try withDevice(device) { () throws in
      let x = Tensor([1, 2, 4, 8, 16, 32, 3, 3, 3, 3, 3, 3] as [Float], shape: [1, 2, 6])
      let plain = AvgPool1d(2)(x)
      #expect(plain.shape == [1, 2, 3] && AvgPool1d.typeName == "AvgPool1d")
      #expect(try plain.array() == [1.5, 6, 24, 3, 3, 3])
      let padded = AvgPool1d(3, stride: 2, padding: 1)(x)
      #expect(try padded.array().prefix(3) == [1, 14 / 3, 56 / 3])
      let uncounted = AvgPool1d(3, stride: 2, padding: 1, countsPadding: false)(x)
      #expect(try uncounted.array() == [1.5, 14 / 3, 56 / 3, 3, 3, 3])
    }
  }

  @Test func alongThreeAxes() throws {
    try withDevice(device) { () throws in
      let x = Tensor((0..<24).map { Float($0) }, shape: [1, 1, 2, 3, 4])
      let y = AvgPool3d([2, 1, 2])(x)
      #expect(y.shape == [1, 1, 1, 3, 2] && AvgPool3d.typeName == "AvgPool3d")
      // Means of i, i + 1, i + 12, i + 13.
      #expect(try y.array() == [6.5, 8.5, 10.5, 12.5, 14.5, 16.5])
      #expect(try AvgPool3d(2, stride: 1)(x).array().prefix(2) == [8.5, 9.5])
    }
  }
}

/// The gradients of the sum of `y` times the pattern of the fixture.
private func patternGradients(_ y: Tensor, _ inputs: [Tensor]) -> [Tensor] {
  gradients(of: y * pattern(y.shape), withRespectTo: inputs)
}

/// `cos(i)` of the row-major place.
func pattern(_ shape: Shape) -> Tensor {
  Tensor((0..<shape.elementCount).map { Float(cos(Double($0))) }, shape: shape)
}
