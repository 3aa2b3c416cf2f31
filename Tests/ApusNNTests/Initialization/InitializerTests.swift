import Apus
import ApusTestSupport
import Testing

/// Compares the moments of large samples with the formulas, and checks orthogonal and identity matrices.
@Suite struct InitializerTests {
  private static let devices = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }
  /// The fan-in is 144, the fan-out 576.
  private static let shape: Shape = [64, 16, 3, 3]

  private struct Expected: Sendable, CustomTestStringConvertible {
    var testDescription: String
    let initializer: Initializer
    var mean = 0.0
    let variance: Double
    /// The bounds of the distribution.
    var bounds: ClosedRange<Double>?

    static func normal(_ name: String, _ initializer: Initializer, variance: Double) -> Expected {
      Expected(testDescription: name, initializer: initializer, variance: variance)
    }

    static func uniform(_ name: String, _ initializer: Initializer, bound: Double) -> Expected {
      Expected(
        testDescription: name, initializer: initializer, variance: bound * bound / 3, bounds: -bound...bound)
    }
  }

  private static let expected: [Expected] = {
    let (fanIn, fanOut) = (144.0, 576.0)
    // The variance of a standard normal distribution, with density φ and distribution function Φ, truncated at two
    // standard deviations: 1 − 2·2·φ(2) / (2Φ(2) − 1).
    let cut = 1 - 4 * 0.05399096651318806 / 0.9544997361036416
    return [
      .uniform("pytorch", .pytorch, bound: 1 / fanIn.squareRoot()),
      .uniform("xavier uniform", .xavierUniform(), bound: (6 / (fanIn + fanOut)).squareRoot()),
      .uniform("xavier uniform, gain", .xavierUniform(gain: 3), bound: 3 * (6 / (fanIn + fanOut)).squareRoot()),
      .uniform("xavier uniform, 1/n", .xavierUniform(form: .input), bound: (3 / fanIn).squareRoot()),
      .normal("xavier normal", .xavierNormal(), variance: 2 / (fanIn + fanOut)),
      .normal("xavier normal, gain", .xavierNormal(gain: 3), variance: 9 * 2 / (fanIn + fanOut)),
      .normal("xavier normal, 1/n", .xavierNormal(form: .input), variance: 1 / fanIn),
      .uniform("he uniform", .heUniform(), bound: (6 / fanIn).squareRoot()),
      .uniform("he uniform, fan out", .heUniform(fan: .output), bound: (6 / fanOut).squareRoot()),
      .normal("he normal", .heNormal(), variance: 2 / fanIn),
      .normal("he normal, fan out", .heNormal(fan: .output), variance: 2 / fanOut),
      .normal("he normal, tanh", .heNormal(gain: Nonlinearity.tanh.gain), variance: 25 / 9 / fanIn),
      .uniform("lecun uniform", .lecunUniform, bound: (3 / fanIn).squareRoot()),
      .normal("lecun normal", .lecunNormal, variance: 1 / fanIn),
      Expected(
        testDescription: "normal", initializer: .normal(mean: 2, deviation: 0.3), mean: 2, variance: 0.09),
      Expected(
        testDescription: "uniform(a, b)", initializer: .uniform(lower: 1, upper: 3), mean: 2, variance: 1.0 / 3,
        bounds: 1...3),
      .uniform("uniform(bound)", .uniform(bound: 0.5), bound: 0.5),
      Expected(
        testDescription: "truncated normal", initializer: .truncatedNormal(deviation: 0.5),
        variance: 0.25 * cut, bounds: -1...1),
      Expected(
        testDescription: "truncated normal, one side",
        initializer: .truncatedNormal(mean: 1, deviation: 2, lower: 0, upper: 8),
        mean: 1 + 2 * 0.7978845608028654, variance: 4 * 0.3633802276324186, bounds: 1...17),
      Expected(testDescription: "zeros", initializer: .zeros, variance: 0, bounds: 0...0),
      Expected(testDescription: "ones", initializer: .ones, mean: 1, variance: 0, bounds: 1...1),
      Expected(
        testDescription: "constant", initializer: .constant(-2.5), mean: -2.5, variance: 0, bounds: -2.5...(-2.5)),
    ]
  }()

  @Test(arguments: expected.indices, devices) func momentsFollowTheFormula(_ index: Int, _ test: TestDevice) throws {
    let expected = InitializerTests.expected[index]
    try withDevice(test.device) { () throws in
      func draw(_ seed: UInt64) throws -> [Float] {
        try withRandomKey(RandomKey(seed: seed)) { try expected.initializer(InitializerTests.shape).array() }
      }
      let values = try draw(3)
      let count = Double(values.count)
      let mean = values.reduce(0) { $0 + Double($1) } / count
      let variance = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
      // With 9216 samples, the standard error of the mean is 1 % of the standard deviation. For a normal distribution,
      // the standard error of the variance is 1.5 % of the variance.
      #expect(abs(mean - expected.mean) <= 0.04 * expected.variance.squareRoot())
      #expect(abs(variance - expected.variance) <= 0.05 * expected.variance)
      if let bounds = expected.bounds {
        let (lower, upper) = (Float(bounds.lowerBound), Float(bounds.upperBound))
        let isInside = values.allSatisfy { $0 >= lower && $0 <= upper }
        #expect(isInside)
        // The smallest sample is near the lower bound, because samples near it are likely in each case with bounds.
        #expect(values.min()! - lower < 0.01 * max(upper - lower, 1))
      }
      #expect(try draw(3) == values)
      if expected.variance > 0 { #expect(try draw(4) != values) }
    }
  }

  @Test func gains() {
    #expect(Nonlinearity.linear.gain == 1 && Nonlinearity.sigmoid.gain == 1)
    #expect(Nonlinearity.tanh.gain == 5 / 3 && Nonlinearity.selu.gain == 0.75)
    #expect(Nonlinearity.relu.gain == 2.0.squareRoot())
    #expect(Nonlinearity.leakyReLU(slope: 0.2).gain == (2 / 1.04).squareRoot())
    #expect(Nonlinearity.leakyReLU(slope: 0).gain == Nonlinearity.relu.gain)
  }

  @Test(arguments: [[6, 6], [12, 5], [4, 9], [8, 3, 3, 3], [2, 1, 1]] as [Shape], devices)
  func orthogonalRowsOrColumns(_ shape: Shape, _ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      func draw(_ seed: UInt64) throws -> [Float] {
        try withRandomKey(RandomKey(seed: seed)) { try Initializer.orthogonal(gain: 3)(shape).array() }
      }
      let values = try draw(1)
      let (rows, columns) = (shape[0], shape.dropFirst().reduce(1, *))
      let (long, short) = (max(rows, columns), min(rows, columns))
      func element(_ place: Int, _ vector: Int) -> Double {
        Double(rows < columns ? values[vector * columns + place] : values[place * columns + vector]) / 3
      }
      for one in 0..<short {
        for other in 0..<short {
          let product = (0..<long).reduce(0) { $0 + element($1, one) * element($1, other) }
          #expect(abs(product - (one == other ? 1 : 0)) < 1e-6)
        }
      }
      #expect(try draw(1) == values)
      #expect(try draw(2) != values)
    }
  }

  /// The distribution is uniform over all orthogonal matrices, so the mean of each element is 0.
  @Test func orthogonalSignsAreEven() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var sums = [Double](repeating: 0, count: 9)
      let count = 400
      for seed in 0..<count {
        let values = try withRandomKey(RandomKey(seed: UInt64(seed))) { try Initializer.orthogonal()([3, 3]).array() }
        for (place, value) in values.enumerated() { sums[place] += Double(value) / Double(count) }
      }
      // Each element has mean 0 and variance 1/3, so the mean of 400 elements has a standard deviation of 0.029.
      let isEven = sums.allSatisfy { abs($0) < 0.1 }
      #expect(isEven, "\(sums)")
    }
  }

  @Test func devicesDrawTheSameOrthogonalMatrix() throws {
    let values = try TestDevice.all.map { test in
      try withDevice(test.device) { () throws in
        try withRandomKey(RandomKey(seed: 8)) { try Initializer.orthogonal()([7, 5]).array() }
      }
    }
    let areEqual = values.allSatisfy { $0 == values[0] }
    #expect(areEqual)
  }

  /// A convolution with `dirac` weights returns its input.
  @Test func diracAndIdentityPassOn() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      #expect(try Initializer.identity([2, 3]).array() == [1, 0, 0, 0, 1, 0])
      var key = RandomKey(seed: 2)
      let x = Tensor.normal([2, 4, 5, 6], key: &key)
      let one = Conv2d(4, 4, kernel: 3, padding: 1, initializer: .dirac(), biasInitializer: .zeros)
      #expect(try one(x).array() == x.array())
      let grouped = Conv2d(
        4, 4, kernel: [1, 3], padding: [0, 1], groups: 2, hasBias: false, initializer: .dirac(groups: 2))
      #expect(try grouped(x).array() == x.array())
      // If there are more outputs than inputs, the remaining outputs are zero.
      let wide = Conv1d(2, 3, kernel: 2, hasBias: false, initializer: .dirac())
      #expect(try wide.weight.value.array() == [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    }
  }

  /// The initializer `rest` of `dirac` initializes the filters that pass no input channel on, with the fan-in and
  /// fan-out of the whole weight.
  @Test func theRestOfDiracIsInitialized() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let wide = Conv1d(2, 3, kernel: 2, hasBias: false, initializer: .dirac(rest: .constant(5)))
      #expect(try wide.weight.value.array() == [0, 1, 0, 0, 0, 0, 0, 1, 5, 5, 5, 5])
      let rest = Initializer.dirac(groups: 2, rest: .constant(5))
      let grouped = Conv1d(2, 4, kernel: 1, groups: 2, hasBias: false, initializer: rest)
      #expect(try grouped.weight.value.array() == [1, 5, 1, 5])
      let drawn = withRandomKey(RandomKey(seed: 1)) { Initializer.dirac(rest: .pytorch)([9, 4, 3, 3]) }
      let values = try drawn.array()
      let (size, bound) = (36, 1 / Float(36).squareRoot())
      #expect(values[..<(4 * size)].count { $0 != 0 } == 4)
      #expect(values[(4 * size)...].allSatisfy { $0 != 0 && abs($0) <= bound })
    }
  }
}
