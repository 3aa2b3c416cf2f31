import Apus
import ApusDevice
import ApusTensor
import ApusTestSupport
import Foundation
import Testing

@testable import ApusCPU
@testable import ApusNN

/// Attention as one fused step agrees with the unfused definition. Layers use the step where it supports the shapes.
@Suite struct FusedAttentionTests {
  /// Extents and options of attention. The CPU computes blocks of 128 queries and 256 keys: the settings in `small` fit
  /// into one block, and most settings in `large` need several.
  struct Setting: Hashable, Sendable, CustomTestStringConvertible {
    var query: Shape
    var key: Shape
    var width: Int
    var isCausal = false
    var offset: Int?
    var mask: Shape?
    var added: Shape?
    var dropout = 0.0

    var testDescription: String {
      "\(query) \(key) \(width) \(isCausal) \(offset ?? 0) \(mask ?? []) \(added ?? []) \(dropout)"
    }

    func inputs(_ dtype: DType) -> [Tensor] {
      var value = key
      value[value.rank - 1] = width
      return [query, key, value].enumerated().map { place, shape in
        Tensor((0..<shape.elementCount).map { sin(Double($0 * (3 + place)) * 0.37) }, shape: shape).cast(to: dtype)
      }
    }

    /// An additive mask that hides some keys.
    func added(_ dtype: DType) -> Tensor? {
      added.map { shape in
        let numbers = (0..<shape.elementCount).map { (index: Int) -> Double in
          index % 7 == 3 ? -.infinity : cos(Double(index * index))
        }
        return Tensor(numbers, shape: shape).cast(to: dtype)
      }
    }

    /// All masks of the setting. A third of the elements of the Boolean mask are false. If the mask has a row for each
    /// query, the whole row of the second query is false.
    func masks(_ device: ComputeDevice, _ added: Tensor?) -> AttentionMasks {
      let flags = mask.map { shape in
        Tensor(
          (0..<shape.elementCount).map { place in
            place % 3 != 1 && (shape[shape.rank - 2] == 1 || place / shape[shape.rank - 1] % shape[shape.rank - 2] != 1)
          }, shape: shape, device: device)
      }
      let offset = offset.map { Tensor.number(Double($0), dtype: .int32, device: device) }
      return AttentionMasks([flags, added].compactMap(\.self), isCausal: isCausal, queryOffset: offset)
    }
  }

  static let small = [
    Setting(query: [2, 4, 5, 3], key: [2, 2, 7, 3], width: 6),
    Setting(query: [2, 2, 5, 3], key: [2, 2, 7, 3], width: 2, isCausal: true, mask: [5, 7]),
    Setting(query: [1, 2, 5, 1], key: [1, 2, 4, 1], width: 1, isCausal: true, offset: -2, mask: [1, 2, 1, 4]),
    Setting(query: [2, 4, 5, 3], key: [2, 2, 7, 3], width: 6, isCausal: true, offset: 2, dropout: 0.3),
    Setting(query: [2, 2, 5, 3], key: [2, 2, 7, 3], width: 2, mask: [5, 7], added: [2, 1, 1, 7], dropout: 0.1),
    Setting(query: [1, 2, 6, 2], key: [1, 2, 5, 2], width: 3, added: [2, 6, 5]),
  ]

  static let large = [
    Setting(query: [1, 2, 150, 40], key: [1, 1, 300, 40], width: 24),
    Setting(query: [2, 2, 33, 16], key: [2, 2, 70, 16], width: 16, isCausal: true, offset: 37),
    Setting(query: [1, 2, 150, 9], key: [1, 2, 270, 9], width: 70, isCausal: true, mask: [1, 1, 150, 270]),
    Setting(query: [3, 1, 20, 8], key: [3, 1, 40, 8], width: 8, mask: [3, 1, 1, 40]),
    Setting(query: [1, 2, 150, 40], key: [1, 1, 301, 40], width: 24, dropout: 0.5),
    Setting(
      query: [1, 2, 145, 9], key: [1, 2, 270, 9], width: 70, isCausal: true, added: [2, 145, 270], dropout: 0.1),
  ]

  /// The output, and the gradients of queries, keys, values and the added mask.
  private func results(_ setting: Setting, _ dtype: DType, isFused: Bool) throws -> [[Double]] {
    let inputs = setting.inputs(dtype)
    let added = setting.added(dtype)
    let key = setting.dropout > 0 ? RandomKey(seed: 5, counter: 1 << 33) : nil
    let problem = try #require(
      AttentionProblem(
        inputs[0], inputs[1], inputs[2], setting.masks(inputs[0].device, added), scale: nil,
        dropping: Dropping(setting.dropout, isAlwaysOn: false, "test")))
    let fused = try #require(problem.fusedOutput(key))
    let output = isFused ? fused : problem.output(problem.weights(key))
    let pattern = (0..<output.elementCount).map { cos(Double($0)) }
    let seed = Tensor(pattern, shape: output.shape).cast(to: dtype)
    let targets = inputs + [added].compactMap(\.self)
    let found = [output] + gradients(of: output, withRespectTo: targets, seed: try eval(seed))
    try eval(found)
    return try found.map { try $0.array(of: Double.self) }
  }

  /// The reference device computes one element at a time, so it runs only settings with at most 1000 query elements. On
  /// OpenCL, other tests build the kernels of the remaining settings.
  static let pairs = TestDevice.all.flatMap { test in
    let settings = test.name.hasPrefix("opencl") ? [large[0], large[1]] : small + large
    return settings.filter { test.name != "reference" || $0.query.elementCount <= 1000 }.map { (test, $0) }
  }

  @Test(arguments: pairs) func equalsItsDefinition(_ test: TestDevice, _ setting: Setting) throws {
    // The definition runs on the CPU: other devices would have to build its kernels for each setting.
    let cpu = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    let expected = try withDevice(cpu) { () throws in try results(setting, .float32, isFused: false) }
    let found = try withDevice(test.device) { () throws in try results(setting, .float32, isFused: true) }
    for (index, (a, b)) in zip(expected, found).enumerated() {
      let bound = Tolerance.gradient(terms: setting.key.elementCount) * a.reduce(0) { max($0, abs($1)) }
      let worst = zip(a, b).reduce(0) { max($0, $1.0 == $1.1 ? 0 : abs($1.0 - $1.1)) }
      #expect(worst <= bound && b.allSatisfy(\.isFinite), "\(test.name), \(index): \(worst) above \(bound)")
    }
  }

  /// All devices and the unfused definition drop the same weights. The attention values are all 1, so the output of
  /// each query is the sum of its kept weights, divided by the probability of keeping a weight.
  @Test(arguments: TestDevice.conformance) func dropsWhatTheDefinitionDrops(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      // The weights are powers of two, so that each sum encodes which weights it contains.
      let (queries, keys) = (37, 18)
      let q = Tensor.ones([1, 1, queries, 1])
      let k = Tensor((0..<keys).map { Float(-$0) * 0.6931472 }, shape: [1, 1, keys, 1])
      let v = Tensor.ones([1, 1, keys, 1])
      var key = RandomKey(seed: 3, counter: 7)
      let problem = try #require(
        AttentionProblem(
          q, k, v, AttentionMasks([], isCausal: false, queryOffset: nil), scale: 1,
          dropping: Dropping(0.3, isAlwaysOn: false, "test")))
      let sums = try #require(problem.fusedOutput(key)).array(of: Double.self)
      let kept = try Tensor.bernoulli([queries, keys], probability: 0.7, key: &key).cast(to: .float32).array()
      let whole = 2 - Double(sign: .plus, exponent: 1 - keys, significand: 1)
      for (query, sum) in sums.enumerated() {
        let code = Int((sum * 0.7 * whole * Double(1 << (keys - 1))).rounded())
        let expected = (0..<keys).reduce(0) { $0 + (kept[query * keys + $1] == 0 ? 0 : 1 << (keys - 1 - $1)) }
        #expect(code == expected, "\(test.name), query \(query): \(code), not \(expected)")
      }
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

  /// Attention of 16-bit types is computed in `float32` and rounded once.
  @Test(arguments: [false, true]) func takesNarrowTypes(isBfloat16: Bool) throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let setting = FusedAttentionTests.small[1]
      let dtype: DType = isBfloat16 ? .bfloat16 : .float16
      let inputs = setting.inputs(dtype)
      let output = scaledDotProductAttention(inputs[0], inputs[1], inputs[2], isCausal: true)
      #expect(output.dtype == dtype)
      let wide = inputs.map { $0.cast(to: .float32) }
      let expected = scaledDotProductAttention(wide[0], wide[1], wide[2], isCausal: true).cast(to: dtype)
      #expect(try output.array(of: Double.self) == expected.array(of: Double.self))
    }
  }

  /// The bits of results do not depend on the number of threads.
  @Test func threadsChangeNoBit() throws {
    let found = try [1, 2, 3].map { threads in
      let device = ComputeDevice(backend: try CPUDevice(threadCount: threads, simd: nil, memoryLimit: 1 << 30))
      return try withDevice(device) { () throws in try results(FusedAttentionTests.large[5], .float32, isFused: true) }
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

  /// Attention and its gradient are two steps, forward and backward, which read the projected heads in place.
  @Test func layersUseTheFusedSteps() throws {
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

  /// A layer in mixed precision, and its gradients.
  private static func mixedStep() -> [Tensor] {
    let layer = withRandomKey(RandomKey(seed: 1)) { MultiheadAttention(8, heads: 2, isBatchFirst: true) }
    let x = Tensor((0..<80).map { Float($0 % 7) / 4 - 1 }, shape: [2, 5, 8])
    let y = withPrecision(.mixed(.bfloat16)) { layer(x, isCausal: true) }
    return [y] + gradients(of: (y * y).sum(), withRespectTo: layer.parameters.map(\.value))
  }

  /// In mixed precision, attention steps read 16-bit operands on devices whose `fastAttentionTypes` contain the 16-bit
  /// type of the precision. The results are the same if the device does not round the attention weights.
  @Test func fastDevicesReadHalfPrecision() throws {
    for types in [[], [DType.float16], [.float16, .bfloat16]] {
      var steps: [Step] = []
      try recordingPlans(on: RecordingDevice(fastAttentionTypes: types)) { device in
        try eval(Self.mixedStep())
        steps = device.lastSteps
      }
      let attention = steps.compactMap { if case .attention(let step) = $0 { step } else { nil } }
      #expect(attention.map(\.pass) == [.forward, .backward])
      let expected: DType = types.contains(.bfloat16) ? .bfloat16 : .float32
      #expect(attention.allSatisfy { $0.factorDtype == expected && $0.dtype == .float32 }, "\(types)")
    }
    let results = try [[], [DType.bfloat16]].map { types in
      try withDevice(ComputeDevice(backend: ReferenceDevice(fastAttentionTypes: types))) { () throws in
        try Self.mixedStep().map { try $0.array(of: Double.self) }
      }
    }
    #expect(results[0] == results[1])
  }

  /// With dropout and both kinds of masks, every value of the plan has fewer elements than the attention weights. Both
  /// passes use the same random numbers. The next training step reuses the plan with new random numbers.
  @Test func noPlanValueHoldsTheAttentionWeights() throws {
    let runs = try attentionRuns()
    let steps = try runs.map { run in
      let steps = run.plan.steps.compactMap { if case .attention(let step) = $0.step { step } else { nil } }
      try #require(steps.map(\.pass) == [.forward, .backward])
      #expect(steps.allSatisfy { $0.added != nil && $0.mask != nil })
      #expect(run.plan.values.allSatisfy { $0.elementCount < steps[0].geometry.weights.elementCount })
      return try steps.map { run.scalars[try #require($0.dropout).counter].integer }
    }
    #expect(steps.map { $0[1] - $0[0] } == [0, 0] && steps[1][0] == steps[0][0] + 1)
  }

  /// The recorded runs of two training steps.
  private func attentionRuns() throws -> [RecordingDevice.Run] {
    var runs: [RecordingDevice.Run] = []
    try recordingPlans { device in
      // The runs have their own source of random numbers, so that other tests do not advance its key.
      try withRandomKey(RandomKey(seed: 1)) { () throws in
        let layer = MultiheadAttention(8, heads: 2, dropout: 0.1)
        let bias = Tensor((0..<64).map { Float($0) }, shape: [1, 64])
        let present = Tensor(Array(repeating: true, count: 128), shape: [2, 64])
        try eval(layer.parameters.map(\.value) + [bias, present])
        let before = (device.plans.count, device.runs.count)
        for _ in 0..<2 {
          let y = withMode(.training) { layer(Tensor.ones([64, 2, 8]), mask: bias, keyMask: present) }
          try eval(gradients(of: y.sum(), withRespectTo: layer.parameters.map(\.value)))
        }
        #expect(device.plans.count == before.0 + 1)
        runs = Array(device.runs.dropFirst(before.1))
      }
    }
    return runs
  }

  /// Unsupported configurations use the unfused definition.
  @Test func unsupportedAttentionUsesTheDefinition() throws {
    func count(_ body: @escaping (Tensor, Tensor) -> Tensor) throws -> Int {
      try steps { [body(.ones([1, 2, 3, 4]), .ones([1, 2, 3, 4]))] }.count
    }
    #expect(try count { scaledDotProductAttention($0, $1, $1) } == 1)
    #expect(try count { scaledDotProductAttention($0, $1, $1, mask: Tensor.ones([3, 3])) } == 1)
    #expect(try count { q, k in withMode(.training) { scaledDotProductAttention(q, k, k, dropout: 0.5) } } == 1)
    #expect(try count { q, k in withMode(.inference) { scaledDotProductAttention(q, k, k, dropout: 0.5) } } == 1)
    #expect(
      try steps { [scaledDotProductAttention(.ones([1, 2, 3, 300]), .ones([1, 2, 3, 300]), .ones([3, 3]))] } == [])
  }
}
