import Apus
import ApusDevice
import ApusTestSupport
import Foundation
import Testing

/// Convolutions with channels last, and the operations that keep this order.
@Suite struct ChannelsLastTests {
  /// A small residual network with its parameters: a first convolution, a residual block with normalization, and
  /// pooling.
  struct Network {
    let input: Tensor
    let weights: [Tensor]
    let scales: [Tensor]

    init(batch: Int = 3, side: Int = 9) {
      func numbers(_ shape: Shape, _ factor: Double) -> Tensor {
        Tensor((0..<shape.elementCount).map { Float(cos(Double($0 * $0 % 101) * factor)) }, shape: shape)
      }
      input = numbers([batch, 3, side, side], 0.3)
      weights = [
        numbers([16, 3, 3, 3], 0.7), numbers([32, 16, 3, 3], 0.9), numbers([32, 32, 3, 3], 1.1),
        numbers([32, 16, 1, 1], 1.3),
      ].map { $0 * 0.1 }
      scales = [16, 32, 32].map { numbers([$0], 0.5) + 1.5 }
    }

    func normalized(_ x: Tensor, _ scale: Tensor) -> Tensor {
      let mean = x.mean(axes: [0, 2, 3], keepingAxes: true)
      let variance = (x - mean).squared().mean(axes: [0, 2, 3], keepingAxes: true)
      return (x - mean) * (variance + 1e-5).rsqrt() * scale.reshaped(to: [scale.shape[0], 1, 1])
    }

    func callAsFunction() -> Tensor {
      let stem = normalized(input.convolved(with: weights[0], padding: [(1, 1)]), scales[0]).relu()
      let first = stem.convolved(with: weights[1], stride: [2], padding: [(1, 1)])
      let second = normalized(first, scales[1]).relu().convolved(with: weights[2], padding: [(1, 1)])
      let short = stem.convolved(with: weights[3], stride: [2])
      let sum = (normalized(second, scales[2]) + short).relu()
      let pooled =
        sum.maxPooled([3], stride: [2], padding: [(1, 1)]) + sum.averagePooled([2], stride: [2], roundsUp: true)
      return pooled.mean(axes: [2, 3])
    }

    /// The result, the gradients with respect to all inputs, and the second derivatives: the gradients of `Σ g²` over
    /// the elements `g` of the first gradients.
    func results() throws -> [[Double]] {
      let sources = [input] + weights + scales
      let (y, first, second) = recordingGradients { () -> (Tensor, [Tensor], [Tensor]) in
        let y = self()
        let found = gradients(of: y.squared().sum(), withRespectTo: sources)
        let penalty = found.map { $0.squared().sum() }.reduce(Tensor.zeros([])) { $0 + $1 }
        return (y, found, gradients(of: penalty, withRespectTo: sources))
      }
      try eval([y] + first + second)
      return try ([y] + first + second).map { try $0.array(of: Double.self) }
    }
  }

  /// Values and first and second derivatives on the CPU agree with those of the reference device, which computes
  /// channels-first.
  @Test(arguments: [1, 3], [5, 9, 32]) func agreesWithTheReference(batch: Int, side: Int) throws {
    func results(_ device: ComputeDevice) throws -> [[Double]] {
      try withDevice(device) { () throws in try Network(batch: batch, side: side).results() }
    }
    let (expected, found) = (try results(TestDevice.reference.device), try results(.named("cpu")))
    for (index, (expected, found)) in zip(expected, found).enumerated() {
      let largest = expected.reduce(1e-20) { max($0, abs($1)) }
      let worst = zip(expected, found).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
      #expect(worst < 2e-4, "tensor \(index)")
    }
  }

  /// Only the input of the network is copied into channels-last order; nothing is copied between layers.
  @Test func nothingIsCopiedBetweenLayers() throws {
    let device = RecordingDevice(channelsLast: { _, _ in .init(.always) })
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let network = Network()
      try eval([network.input] + network.weights + network.scales)
      try eval(gradients(of: network().squared().sum(), withRespectTo: network.weights + network.scales))
    }
    let plan = try #require(device.runs.last).plan
    let convolutions = plan.steps.compactMap { if case .convolution(let step) = $0.step { step } else { nil } }
    #expect(convolutions.count == 4 + 3 + 4 && convolutions.allSatisfy { $0.order == .channelsLast })
    let reordered = plan.steps.flatMap(\.step.argumentsOfCopies).filter { layout in
      !layout.isContiguous && !layout.strides.contains(0)
    }
    #expect(reordered.map(\.shape) == [[3, 9, 9, 3]])
  }

  /// A convolution that reads channels-first images at no cost (`readsChannelsFirst`) causes no copy of its input or
  /// result. Its order is `.mixed` (channels-first images, channels-last result) if an operation that keeps
  /// channels-last order reads the result, and `.channelsFirst` if the result is only returned. If the device prefers
  /// channels last only `.ifChained`, the order is `.mixed` only if another convolution follows.
  @Test func imagesOfFewChannelsStayAsTheyAre() throws {
    let device = RecordingDevice(channelsLast: { geometry, _ in
      let isNarrow = geometry.inputChannels <= 4
      return .init(isNarrow && geometry.stride.z == 1 ? .ifChained : .always, readsChannelsFirst: isNarrow)
    })
    func orders(_ results: (Tensor, Tensor) -> [Tensor]) throws -> [ApusDevice.Convolution.Order] {
      try withDevice(ComputeDevice(backend: device)) { () throws in
        let (x, w) = (Tensor.zeros([2, 3, 17, 17]), Tensor.zeros([16, 3, 5, 5]))
        try eval([x, w])
        try eval(results(x, w))
      }
      let steps = try #require(device.runs.last).plan.steps.map(\.step)
      #expect(steps.flatMap(\.argumentsOfCopies).allSatisfy { $0.isContiguous || $0.shape[0] != 2 })
      return steps.compactMap { if case .convolution(let step) = $0 { step.order } else { nil } }
    }
    func pooled(_ x: Tensor, _ w: Tensor, stride: Int) -> Tensor {
      x.convolved(with: w, stride: [stride]).relu().maxPooled([2]).mean(axes: [2, 3])
    }
    #expect(try orders { x, w in [x.convolved(with: w, stride: [2])] } == [.channelsFirst])
    #expect(try orders { x, w in [pooled(x, w, stride: 2)] } == [.mixed])
    let training = try orders { x, w in gradients(of: pooled(x, w, stride: 2).sum(), withRespectTo: [w]) }
    #expect(training == [.mixed, .mixed])
    #expect(try orders { x, w in [x.convolved(with: w)] } == [.channelsFirst])
    #expect(try orders { x, w in [pooled(x, w, stride: 1)] } == [.channelsFirst])
    let deeper = try orders { x, w in
      [x.convolved(with: w).relu().convolved(with: Tensor.zeros([16, 16, 3, 3])).mean(axes: [2, 3])]
    }
    #expect(deeper == [.mixed, .channelsLast])
  }

  /// The preference `.ifChained` also works without the order `.mixed` (`readsChannelsFirst` is false): channels-first
  /// images are converted only if another forward convolution follows.
  @Test func stridedPixelsStayAsTheyAre() throws {
    let device = RecordingDevice(channelsLast: { geometry, _ in
      .init(geometry.kernel.z == 1 ? .ifChained : .always)
    })
    func orders(_ results: (Tensor, Tensor) -> [Tensor]) throws -> [ApusDevice.Convolution.Order] {
      try withDevice(ComputeDevice(backend: device)) { () throws in
        let (x, w) = (Tensor.zeros([2, 16, 9, 9]), Tensor.zeros([16, 16, 1, 1]))
        try eval([x, w])
        try eval(results(x, w))
      }
      return try #require(device.runs.last).plan.steps.compactMap {
        if case .convolution(let step) = $0.step { step.order } else { nil }
      }
    }
    #expect(try orders { x, w in [x.convolved(with: w, stride: [2])] } == [.channelsFirst])
    let training = try orders { x, w in
      gradients(of: x.convolved(with: w, stride: [2]).squared().sum(), withRespectTo: [x, w])
    }
    #expect(training.count == 3 && training.allSatisfy { $0 == .channelsFirst })
    let deeper = try orders { x, w in
      [x.convolved(with: w, stride: [2]).relu().convolved(with: Tensor.zeros([16, 16, 3, 3])).mean(axes: [2, 3])]
    }
    #expect(deeper == [.channelsLast, .channelsLast])
  }

  /// A device without a preference for channels last keeps channels first.
  @Test func channelsFirstStaysWithoutAPreference() throws {
    let device = RecordingDevice()
    _ = try withDevice(ComputeDevice(backend: device)) { () throws in try eval(Network()()) }
    let steps = device.lastSteps.compactMap { if case .convolution(let step) = $0 { step } else { nil } }
    #expect(steps.count == 4 && steps.allSatisfy { $0.order == .channelsFirst })
  }

  /// Operations on channels-last images agree with the reference device: reductions over various axes, including the
  /// channels, broadcasting with tensors of fewer axes, and operations that depend on the order of the axes.
  @Test func orderedReductionsAndBroadcasts() throws {
    func results(_ device: ComputeDevice) throws -> [[Double]] {
      try withDevice(device) { () throws in
        let network = Network()
        let y = network.input.convolved(with: network.weights[0]).convolved(with: network.weights[1])
        let places = Tensor((0..<25).map { Float($0) }, shape: [5, 5])
        let tensors = [
          y.sum(axis: 0), y.sum(axis: 1), y.sum(axis: 0, keepingAxes: true), y.max(axes: [1, 3], keepingAxes: true),
          y.sum(),
          y.sum(axis: 2, keepingAxes: true) * y, y.argmax(axis: 1), y.argmax().cast(to: .float32), y + places,
          y.reshaped(to: [3, 800]), y.transposed([0, 2, 3, 1]), y[0], y.softmax(axis: 1),
        ]
        try eval(tensors)
        return try tensors.map { try $0.array(of: Double.self) }
      }
    }
    let (expected, found) = (try results(TestDevice.reference.device), try results(.named("cpu")))
    for (index, (expected, found)) in zip(expected, found).enumerated() {
      #expect(expected.count == found.count)
      let largest = expected.reduce(1e-20) { max($0, abs($1)) }
      #expect(zip(expected, found).allSatisfy { abs($0 - $1) <= 1e-5 * largest }, "tensor \(index)")
    }
  }
}

extension Step {
  /// The layouts that the step reads if it is an elementwise copy; empty for other steps.
  fileprivate var argumentsOfCopies: [Layout] {
    guard case .elementwise(let step) = self, step.program.instructions.isEmpty else { return [] }
    return step.segments.flatMap(\.arguments).compactMap { argument in
      if case .tensor(let operand) = argument { operand.layout } else { nil }
    }
  }
}
