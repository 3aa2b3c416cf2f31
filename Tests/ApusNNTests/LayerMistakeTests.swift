import Apus
import ApusTestSupport
import Testing

/// Errors for wrong sizes name the layer or operation, the violated rule and the sizes.
@Suite struct LayerMistakeTests {
  struct Call: Sendable {
    let operation: String
    /// Substrings of the error's reason: parts of the rule, and the sizes.
    let parts: [String]
    let make: @Sendable () -> Void

    init(_ operation: String, _ parts: [String], _ make: @escaping @autoclosure @Sendable () -> Tensor) {
      (self.operation, self.parts, self.make) = (operation, parts, { _ = make() })
    }
  }

  static func zeros(_ shape: Shape) -> Tensor { .zeros(shape) }

  private static let calls: [Call] = [
    Call("BatchNorm", ["[2, 4, 5]", "3 channels"], BatchNorm(3)(zeros([2, 4, 5]))),
    Call("BatchNorm", ["[1, 3]", "one value"], BatchNorm(3)(zeros([1, 3]))),
    Call("BatchNorm", ["[1, 3, 1, 1]", "one value"], BatchNorm(3, tracksStatistics: false)(zeros([1, 3, 1, 1]))),
    Call("InstanceNorm", ["[2, 4, 1]", "one value"], InstanceNorm(4)(zeros([2, 4, 1]))),
    Call("InstanceNorm", ["[2, 4, 1]", "one value"], InstanceNorm(4, tracksStatistics: true)(zeros([2, 4, 1]))),
    Call("LayerNorm", ["[2, 3]", "not [4]"], LayerNorm(4)(zeros([2, 3]))),
    Call("LayerNorm", ["[3]", "not [2, 3]"], LayerNorm([2, 3])(zeros([3]))),
    Call("RMSNorm", ["[2, 3]", "not [4]"], RMSNorm(4)(zeros([2, 3]))),
    Call("GroupNorm", ["[2, 6]", "4 channels"], GroupNorm(2, channels: 4)(zeros([2, 6]))),
    Call("InstanceNorm", ["[1, 2, 4]", "4 channels"], InstanceNorm(4)(zeros([2, 4]))),
    Call("InstanceNorm", ["[2, 3, 5]", "4 channels"], InstanceNorm(4)(zeros([2, 3, 5]))),
    Call("LocalResponseNorm", ["[2, 3]", "[batch, channels"], LocalResponseNorm(5)(zeros([2, 3]))),
    Call("Bilinear", ["[2, 3]", "[2, 5]", "[batch…, 4]"], Bilinear(3, 4, 2)(zeros([2, 3]), zeros([2, 5]))),
    Call("Bilinear", ["[2, 3]", "[3, 4]"], Bilinear(3, 4, 2)(zeros([2, 3]), zeros([3, 4]))),
    Call("Embedding", ["[2, 3]", "float32"], Embedding(4, 2)(zeros([2, 3]))),
    Call("convolved", ["has 3 channels", "takes 2"], Conv1d(2, 2, kernel: 1)(zeros([1, 3, 4]))),
    Call(
      "padded", ["axis 3 of [1, 2, 4, 3]", "0 to 2"],
      Conv2d(2, 2, kernel: 7, padding: 3, paddingMode: .reflect)(zeros([1, 2, 4, 3]))),
    Call("transposeConvolved", ["has 3 channels", "takes 2"], ConvTranspose1d(2, 2, kernel: 1)(zeros([1, 3, 4]))),
    Call("AdaptiveAvgPool2d", ["[2, 3]", "2 axes"], AdaptiveAvgPool2d(2)(zeros([2, 3]))),
    Call("AdaptiveMaxPool1d", ["[1, 2, 0]", "1 axes"], AdaptiveMaxPool1d(2)(zeros([1, 2, 0]))),
    Call("averagePooled", ["window of 4", "3 elements"], LPPool1d(2, 4)(zeros([1, 2, 3]))),
    Call("Dropout2d", ["[2, 3]", "2 spatial axes"], Dropout2d()(zeros([2, 3]))),
    Call("ConstantPad1d", ["[3]", "1 spatial axes"], ZeroPad1d(1)(zeros([3]))),
    Call("ReflectionPad1d", ["a padding of 3", "[1, 2, 3]", "maximum 2"], ReflectionPad1d(3)(zeros([1, 2, 3]))),
    Call("ReplicationPad1d", ["a padding of 1", "[1, 2, 0]", "maximum 0"], ReplicationPad1d(1)(zeros([1, 2, 0]))),
    Call("CircularPad2d", ["a padding of 4", "[1, 2, 5, 3]", "maximum 3"], CircularPad2d(4)(zeros([1, 2, 5, 3]))),
    Call("Upsample", ["[1, 2, 3]", "2 spatial axes"], Upsample(size: [4, 4])(zeros([1, 2, 3]))),
    Call("Upsample", ["[1, 2, 3]", "becomes [0.0]"], Upsample(scale: 0.1)(zeros([1, 2, 3]))),
    Call("PixelShuffle", ["[1, 6, 2, 2]", "2²"], PixelShuffle(2)(zeros([1, 6, 2, 2]))),
    Call("PixelUnshuffle", ["[1, 1, 2, 3]", "width · 2"], PixelUnshuffle(2)(zeros([1, 1, 2, 3]))),
    Call("Unflatten", ["6 elements of axis 1 of [2, 6]", "[4, -1]"], Unflatten(to: [4, -1])(zeros([2, 6]))),
    Call("Unflatten", ["6 elements of axis 1 of [2, 6]", "[2, 2]"], Unflatten(to: [2, 2])(zeros([2, 6]))),
    Call("Unflatten", ["axis 2", "[2, 6]"], Unflatten(axis: 2, to: [1])(zeros([2, 6]))),
  ]

  @Test(arguments: calls.indices) func inputsThatDoNotFit(_ index: Int) throws {
    try check(LayerMistakeTests.calls[index])
  }

  func check(_ call: Call) throws {
    let error = #expect(throws: ShapeError.self) {
      try withDevice(ComputeDevice(backend: RecordingDevice())) {
        try checkingShapes { withMode(.training) { call.make() } }
      }
    }
    let found = try #require(error)
    #expect(found.operation == call.operation, "\(found)")
    for part in call.parts { #expect(found.reason.contains(part), "\(found)") }
  }

  private struct Construction: Sendable {
    let message: String
    let make: @Sendable () -> Any

    init(_ message: String, _ make: @escaping @autoclosure @Sendable () -> Any) {
      (self.message, self.make) = (message, make)
    }
  }

  private static let constructions: [Construction] = [
    Construction("LayerNorm: the normalized shape [2, 0] must have axes", LayerNorm([2, 0])),
    Construction("RMSNorm: the normalized shape [] must have axes", RMSNorm([])),
    Construction("GroupNorm: 3 groups do not divide 4 channels", GroupNorm(3, channels: 4)),
    Construction("LocalResponseNorm: a window of 0 channels", LocalResponseNorm(0)),
    Construction("Embedding: the padding index 4 is not one of 4 rows", Embedding(4, 2, paddingIndex: 4)),
    Construction("Embedding: the weight [3] is not [count, width]", Embedding(weight: Parameter(.zeros([3])))),
    Construction("Conv1d: 2 groups do not divide 3 input and 4 output", Conv1d(3, 4, kernel: 1, groups: 2)),
    Construction("ConvTranspose2d: 2 groups do not divide 3 input", ConvTranspose2d(3, 4, kernel: 1, groups: 2)),
    Construction(
      "ConvTranspose1d: outputPadding 2 must be below stride 2 or dilation 1",
      ConvTranspose1d(1, 1, kernel: 3, stride: 2, outputPadding: 2)),
    Construction("AdaptiveAvgPool2d: expected 2 sizes of 1 or more, got [\"1\"]", AdaptiveAvgPool2d([1])),
    Construction("AdaptiveMaxPool1d: expected 1 size of 1 or more, got [\"0\"]", AdaptiveMaxPool1d(0)),
    Construction("LPPool1d: the power 0.0 must be above 0", LPPool1d(0, 2)),
    Construction("Dropout: the rate 1.0 is not in 0 ..< 1", Dropout(1)),
    Construction("Dropout3d: the rate -0.5 is not in 0 ..< 1", Dropout3d(-0.5)),
    Construction("AlphaDropout: the rate 1.0 is not in 0 ..< 1", AlphaDropout(1)),
    Construction("ReflectionPad2d: [1, 2, 3] must be one number or 2", ReflectionPad2d([1, 2, 3])),
    Construction("CircularPad1d: padding .same needs a kernel", CircularPad1d(.same)),
    Construction("Upsample: the scales [0.0] must be finite and above 0", Upsample(scale: 0)),
    Construction("Upsample: the size [0] must be 1 or more", Upsample(size: 0)),
    Construction("PixelShuffle: the factor 0 must be at least 1", PixelShuffle(0)),
    Construction("Unflatten: the sizes [-1, -1] must be", Unflatten(to: [-1, -1])),
    Construction(
      "MultiheadAttention: the number of heads 3 must be positive and divide the size 4",
      MultiheadAttention(4, heads: 3)),
    Construction(
      "MultiheadAttention: the number of heads of keys and values 2 must be positive and divide 3",
      MultiheadAttention(6, heads: 3, keyValueHeads: 2)),
    Construction(
      "MultiheadAttention: rotary positions of size 4 do not fit heads of size 2",
      MultiheadAttention(4, heads: 2, rotary: RotaryPositions(4, capacity: 2))),
    Construction("RotaryPositions: size 3 must be positive and even", RotaryPositions(3, capacity: 2)),
    Construction("TransformerEncoder: a count of -1", TransformerEncoder(-1) { TransformerEncoderLayer(4, heads: 2) }),
    Construction("Optimizer: adam has a learning rate of nan", Optimizer(Adam(learningRate: .nan), for: Linear(1, 1))),
    Construction("Optimizer: adam has a momentum of 2.0", Optimizer(Adam(beta1: 2), for: Linear(1, 1))),
    Construction(
      "Optimizer: sgd has a weight decay of -1.0", Optimizer(SGD(learningRate: 1, weightDecay: -1), for: Linear(1, 1))),
    Construction("dirac: 2 groups do not divide the 3 outputs", Initializer.dirac(groups: 2)([3, 1, 1])),
    Construction("orthogonal: [3] must have at least two axes", Initializer.orthogonal()([3])),
  ]

  /// Constructors with invalid sizes stop the process, with a message on standard error.
  @Test(arguments: constructions.indices) func invalidSizesOfLayersStop(_ index: Int) async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [index] in
      withDevice(ComputeDevice(backend: ReferenceDevice())) {
        _ = LayerMistakeTests.constructions[index].make()
      }
    }
    let said = try #require(result).standardErrorContent
    let text = String(decoding: said, as: UTF8.self)
    let message = LayerMistakeTests.constructions[index].message
    #expect(text.contains(message), "\(text)")
  }

  /// Indices outside of the table, also negative ones, are errors on every device.
  @Test(arguments: TestDevice.all, [4, -1]) func embeddingsCheckIndices(_ test: TestDevice, _ wrong: Int) throws {
    let device = try test.reopened()
    try withDevice(device) { () throws in
      let layer = Embedding(4, 2, initializer: .ones)
      #expect(try layer(Tensor([3, 0])).array() == [1, 1, 1, 1])
      let error = #expect(throws: DeviceError.self) { try layer(Tensor([0, wrong])).array() }
      if case .indexOutOfRange = error { return }
      Issue.record("\(error.map(String.init(describing:)) ?? "no error")")
    }
  }
}
