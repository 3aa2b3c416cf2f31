import Apus
import ApusDevice
import ApusTensor
import ApusTestSupport
import Foundation
import Testing

@testable import ApusCPU
@testable import ApusNN

/// Attention as one step: against its definition, and where it is used.
@Suite struct FusedAttentionTests {
  /// Extents and options; every number of a device's blocks and registers is met from below and above.
  struct Setting: Hashable, Sendable, CustomTestStringConvertible {
    var query: Shape
    var key: Shape
    var width: Int
    var isCausal = false
    var offset: Int?
    var mask: Shape?

    var testDescription: String { "\(query) \(key) \(width) \(isCausal) \(offset ?? 0) \(mask ?? [])" }

    func inputs(_ dtype: DType) -> [Tensor] {
      var value = key
      value[value.rank - 1] = width
      return [query, key, value].enumerated().map { place, shape in
        Tensor((0..<shape.elementCount).map { sin(Double($0 * (3 + place)) * 0.37) }, shape: shape).cast(to: dtype)
      }
    }

    /// A third of the keys is closed, and all of them to the second query.
    func masks(_ device: ComputeDevice) -> AttentionMasks {
      let flags = mask.map { shape in
        Tensor(
          (0..<shape.elementCount).map { place in
            place % 3 != 1 && (shape[shape.rank - 2] == 1 || place / shape[shape.rank - 1] % shape[shape.rank - 2] != 1)
          }, shape: shape, device: device)
      }
      let offset = offset.map { Tensor.number(Double($0), dtype: .int32, device: device) }
      return AttentionMasks([flags].compactMap(\.self), isCausal: isCausal, queryOffset: offset)
    }
  }

  static let small = [
    Setting(query: [2, 4, 5, 3], key: [2, 2, 7, 3], width: 6),
    Setting(query: [2, 2, 5, 3], key: [2, 2, 7, 3], width: 2, isCausal: true, mask: [5, 7]),
    Setting(query: [1, 2, 5, 1], key: [1, 2, 4, 1], width: 1, isCausal: true, offset: -2, mask: [1, 2, 1, 4]),
  ]

  static let large = [
    Setting(query: [1, 2, 150, 40], key: [1, 1, 300, 40], width: 24),
    Setting(query: [2, 2, 33, 16], key: [2, 2, 70, 16], width: 16, isCausal: true, offset: 37),
    Setting(query: [1, 2, 150, 9], key: [1, 2, 270, 9], width: 70, isCausal: true, mask: [1, 1, 150, 270]),
    Setting(query: [3, 1, 20, 8], key: [3, 1, 40, 8], width: 8, mask: [3, 1, 1, 40]),
  ]

  /// The output and the gradients of queries, keys and values.
  private func results(_ setting: Setting, _ dtype: DType, isFused: Bool) throws -> [[Double]] {
    let inputs = setting.inputs(dtype)
    let problem = try #require(
      AttentionProblem(
        inputs[0], inputs[1], inputs[2], setting.masks(inputs[0].device), scale: nil,
        dropping: Dropping(0, isAlwaysOn: false, "test")))
    let fused = try #require(problem.fusedOutput())
    let output = isFused ? fused : problem.output(problem.weights(nil))
    let pattern = (0..<output.elementCount).map { cos(Double($0)) }
    let seed = Tensor(pattern, shape: output.shape).cast(to: dtype)
    let found = [output] + gradients(of: output, withRespectTo: inputs, seed: try seed.evaluated())
    try eval(found)
    return try found.map { try $0.array(of: Double.self) }
  }

  @Test(arguments: TestDevice.all, small + large) func equalsItsDefinition(_ test: TestDevice, _ setting: Setting)
    throws
  {
    if test.name == "reference", setting.query.elementCount > 1000 { return }
    // Those that no other test builds kernels for.
    if test.name.hasPrefix("opencl"), ![0, 1].contains(where: { FusedAttentionTests.large[$0] == setting }) { return }
    // The definition's kernels would have to be built for each setting.
    let cpu = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    let expected = try withDevice(cpu) { () throws in try results(setting, .float32, isFused: false) }
    let found = try withDevice(test.device) { () throws in try results(setting, .float32, isFused: true) }
    for (index, (a, b)) in zip(expected, found).enumerated() {
      let bound = Tolerance.gradient(terms: setting.key.elementCount) * a.reduce(0) { max($0, abs($1)) }
      let worst = zip(a, b).reduce(0) { max($0, $1.0 == $1.1 ? 0 : abs($1.0 - $1.1)) }
      #expect(worst <= bound && b.allSatisfy(\.isFinite), "\(test.name), \(index): \(worst) above \(bound)")
    }
  }

  @Test(arguments: small) func computesInFloat64(_ setting: Setting) throws {
    let cpu = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    try withDevice(cpu) { () throws in
      let expected = try results(setting, .float64, isFused: false)
      let found = try results(setting, .float64, isFused: true)
      for (a, b) in zip(expected, found) {
        #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-12 * (1 + abs($0)) })
      }
    }
  }

  /// The narrow types are computed in float32 and rounded once.
  @Test(arguments: [false, true]) func takesNarrowTypes(isBrain: Bool) throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let setting = FusedAttentionTests.small[1]
      let dtype: DType = isBrain ? .bfloat16 : .float16
      let inputs = setting.inputs(dtype)
      let output = scaledDotProductAttention(inputs[0], inputs[1], inputs[2], isCausal: true)
      #expect(output.dtype == dtype)
      let wide = inputs.map { $0.cast(to: .float32) }
      let expected = scaledDotProductAttention(wide[0], wide[1], wide[2], isCausal: true).cast(to: dtype)
      #expect(try output.array(of: Double.self) == expected.array(of: Double.self))
    }
  }

  /// Bits do not depend on the number of threads.
  @Test func bitsAreThoseOfOneThread() throws {
    let found = try [1, 2, 3].map { threads in
      let device = ComputeDevice(backend: try CPUDevice(threadCount: threads, simd: nil, memoryLimit: 1 << 30))
      return try withDevice(device) { () throws in try results(FusedAttentionTests.large[2], .float32, isFused: true) }
    }
    #expect(found[0] == found[1] && found[0] == found[2])
  }

  private func steps(_ body: () -> [Tensor]) throws -> [Attention] {
    var steps: [Step] = []
    try recordingPlans { device in
      try eval(body())
      steps = device.lastSteps
    }
    return steps.compactMap { if case .attention(let step) = $0 { step } else { nil } }
  }

  /// Two steps, forward and backward; projected heads are read where they lie.
  @Test func layersUseIt() throws {
    let steps = try steps {
      let layer = withRandomKey(RandomKey(seed: 1)) { MultiheadAttention(8, heads: 2) }
      let x = Tensor(Array(repeating: Float(1), count: 80), shape: [5, 2, 8])
      let mask = Tensor(Array(repeating: true, count: 10), shape: [2, 5])
      let y = layer(x, keyMask: mask, isCausal: true)
      return gradients(of: y.sum(), withRespectTo: layer.parameters.map(\.value))
    }
    #expect(steps.map(\.pass) == [.forward, .backward])
    #expect(steps.allSatisfy { !$0.query.layout.isContiguous && $0.isCausal && $0.mask != nil })
    #expect(steps[1].mask?.layout.strides == [5, 0, 0, 1])
  }

  /// Odd configurations are those of the definition.
  @Test func theDefinitionStandsIn() throws {
    func count(_ body: @escaping (Tensor, Tensor) -> Tensor) throws -> Int {
      try steps { [body(.ones([1, 2, 3, 4]), .ones([1, 2, 3, 4]))] }.count
    }
    #expect(try count { scaledDotProductAttention($0, $1, $1) } == 1)
    #expect(try count { scaledDotProductAttention($0, $1, $1, mask: Tensor.ones([3, 3])) } == 0)
    #expect(try count { q, k in withMode(.training) { scaledDotProductAttention(q, k, k, dropout: 0.5) } } == 0)
    #expect(try count { q, k in withMode(.inference) { scaledDotProductAttention(q, k, k, dropout: 0.5) } } == 1)
    #expect(
      try steps { [scaledDotProductAttention(.ones([1, 2, 3, 300]), .ones([1, 2, 3, 300]), .ones([3, 3]))] } == [])
  }
}
