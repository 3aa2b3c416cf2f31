import Apus
import ApusTestSupport
import Foundation
import Testing

/// Attention: second derivatives, queries without keys, anomaly detection and dropout.
@Suite struct AttentionTests {
  /// Numbers without repetitions.
  private static func numbers(_ shape: Shape, _ start: Int) -> Tensor {
    Tensor((start..<start + shape.elementCount).map { sin(Double($0 * $0)) }, shape: shape)
  }

  private static let kinds = ["plain", "causal", "mask", "added", "grouped", "dropped"]

  /// The sum of the squared gradients of attention with respect to `inputs`. Each gradient depends on all inputs.
  private static func penalty(_ kind: String, _ inputs: [Tensor]) -> Tensor {
    let flags = Tensor([true, false, true, true, true, true, false, false, false], shape: [3, 3])
    let mask = kind == "mask" ? flags : kind == "added" ? inputs[3] : nil
    let y = withRandomKey(RandomKey(seed: 9)) {
      withMode(.training) {
        scaledDotProductAttention(
          inputs[0], inputs[1], inputs[2], mask: mask, isCausal: kind == "causal", dropout: kind == "dropped" ? 0.4 : 0)
      }
    }
    let first = gradients(of: (y * y * y).sum(), withRespectTo: inputs)
    return first.dropFirst().reduce(first[0].squared().sum()) { $0 + $1.squared().sum() }
  }

  private static func inputs(_ kind: String) -> [Tensor] {
    let heads = kind == "grouped" ? 4 : 2
    let shapes: [Shape] = [[1, heads, 3, 2], [1, 2, 3, 2], [1, 2, 3, 2]] + (kind == "added" ? [[3, 3]] : [])
    return shapes.enumerated().map { numbers($0.element, 100 * $0.offset) }
  }

  /// Second derivatives agree with central differences in `float64`.
  @Test(arguments: kinds) func secondDerivativesEqualFiniteDifferences(_ kind: String) throws {
    let device = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    try withDevice(device) { () throws in
      let inputs = AttentionTests.inputs(kind)
      let found = gradients(of: AttentionTests.penalty(kind, inputs), withRespectTo: inputs)
      for (index, input) in inputs.enumerated() {
        let direction = AttentionTests.numbers(input.shape, 1000)
        let slope = try (found[index] * direction).sum().scalar()
        func shifted(_ by: Double) throws -> Double {
          var values = inputs
          values[index] = input + direction * by
          return try AttentionTests.penalty(kind, values).scalar()
        }
        let difference = (try shifted(1e-5) - shifted(-1e-5)) / 2e-5
        #expect(abs(difference - slope) <= 1e-6 * (1 + abs(difference)), "\(index): \(slope), not \(difference)")
      }
    }
  }

  /// Second derivatives on every device agree with those on the CPU. OpenCL runs only one of the kinds, since building
  /// kernels takes time.
  @Test(
    arguments: TestDevice.conformance.flatMap { test in
      (test.name.hasPrefix("opencl") ? ["causal"] : kinds).map { (test, $0) }
    })
  func secondDerivativesAreEqual(_ test: TestDevice, _ kind: String) throws {
    let cpu = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    let results = try [cpu, test.device].map { device in
      try withDevice(device) { () throws in
        let inputs = AttentionTests.inputs(kind).map { $0.cast(to: .float32) }
        return try gradients(of: AttentionTests.penalty(kind, inputs), withRespectTo: inputs)
          .map { try $0.array(of: Double.self) }
      }
    }
    for (expected, found) in zip(results[0], results[1]) {
      let bound = Tolerance.gradient(terms: 64) * expected.reduce(0) { max($0, abs($1)) }
      #expect(zip(expected, found).allSatisfy { abs($0 - $1) <= bound })
    }
  }

  /// A query whose keys are all masked gives zeros, and its gradient is zero. No result is infinite or NaN, although
  /// queries and keys are large. OpenCL runs only the test with a Boolean mask.
  @Test(
    arguments: TestDevice.conformance.flatMap { test in
      (test.name.hasPrefix("opencl") ? [false] : [false, true]).map { (test, $0) }
    })
  func queriesWithoutKeysGiveZeros(_ test: TestDevice, isAdded: Bool) throws {
    try withDevice(test.device) { () throws in
      let q = AttentionTests.numbers([1, 2, 3, 4], 0).cast(to: .float32) * 100
      let k = AttentionTests.numbers([1, 2, 3, 4], 50).cast(to: .float32) * 100
      let v = AttentionTests.numbers([1, 2, 3, 4], 90).cast(to: .float32)
      let flags = [true, true, false, false, false, false, true, false, true]
      let mask =
        isAdded
        ? Tensor(flags.map { $0 ? Float(0) : -.infinity }, shape: [3, 3]) : Tensor(flags, shape: [3, 3])
      let y = scaledDotProductAttention(q, k, v, mask: mask)
      let slopes = gradients(of: y.squared().sum(), withRespectTo: [q, k, v])
      try eval([y] + slopes)
      #expect(try y[.ellipsis, 1, .all].array() == Array(repeating: Float(0), count: 8))
      #expect(try slopes[0][.ellipsis, 1, .all].array() == Array(repeating: Float(0), count: 8))
      for tensor in [y] + slopes { #expect(try tensor.array().allSatisfy(\.isFinite), "\(test.name)") }
      #expect(try y.abs().sum().scalar() > 0.1)
    }
  }

  /// For a sequence that is all padding, the module returns the bias of its output projection.
  @Test func sequencesOfPaddingGiveTheBias() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let attention = withRandomKey(RandomKey(seed: 1)) { MultiheadAttention(4, heads: 2, isBatchFirst: true) }
      let bias: [Float] = [0.5, -1, 2, 0.25]
      attention.outProj.bias!.value = Tensor(bias)
      let x = AttentionTests.numbers([2, 3, 4], 0).cast(to: .float32)
      let keyMask = Tensor([true, true, false, false, false, false], shape: [2, 3])
      let (y, weights) = attention.withWeights(x, keyMask: keyMask)
      #expect(try y[1].array() == bias + bias + bias)
      #expect(try weights[1].array().allSatisfy { $0 == 0 })
      #expect(try weights[0].sum(axis: -1).array().allSatisfy { abs($0 - 1) < 1e-6 })
      #expect(try (attention(x, keyMask: keyMask) - y).abs().max().scalar() < 1e-6)
    }
  }

  /// Anomaly detection finds no infinities in masked elements, neither in the fused step nor in the unfused definition.
  @Test func anomalyDetectionIgnoresMaskedElements() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let attention = withRandomKey(RandomKey(seed: 1)) { MultiheadAttention(4, heads: 2, isBatchFirst: true) }
      let x = AttentionTests.numbers([2, 3, 4], 0).cast(to: .float32)
      let keyMask = Tensor([true, true, false, false, false, false], shape: [2, 3])
      try detectingAnomalies {
        let (y, _) = attention.withWeights(x, keyMask: keyMask, isCausal: true)
        let loss = (attention(x, keyMask: keyMask, isCausal: true) + y).sum()
        try eval(gradients(of: loss, withRespectTo: attention.parameters.map(\.value)))
      }
    }
  }

  /// In training, dropout sets attention weights to zero at the given rate and scales the remaining weights up.
  @Test func dropoutDropsWeights() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let attention = withRandomKey(RandomKey(seed: 1)) { MultiheadAttention(4, heads: 2, dropout: 0.25) }
      let x = AttentionTests.numbers([20, 4, 4], 0).cast(to: .float32)
      func weights(_ mode: Mode, seed: UInt64) throws -> [Float] {
        try withMode(mode) {
          try withRandomKey(RandomKey(seed: seed)) {
            try attention.withWeights(x, averagesHeads: false).weights.array()
          }
        }
      }
      let plain = try weights(.inference, seed: 1)
      let dropped = try weights(.training, seed: 1)
      let share = Double(dropped.count { $0 == 0 }) / Double(dropped.count)
      #expect(abs(share - 0.25) < 0.03, "\(share)")
      #expect(zip(plain, dropped).allSatisfy { $1 == 0 || abs($1 - $0 / 0.75) < 1e-6 })
      #expect(try weights(.training, seed: 1) == dropped)
      #expect(try weights(.training, seed: 2) != dropped)
      #expect(plain.allSatisfy { $0 > 0 })
    }
  }
}
