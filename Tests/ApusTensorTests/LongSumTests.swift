import Apus
import ApusTestSupport
import Testing

/// Sums, means, variances and running sums of so many numbers that sequential addition in `float32` would lose digits.
@Suite struct LongSumTests {
  /// All devices except the reference device, which accumulates in `Double`.
  private static let devices = TestDevice.all.filter { $0.name != "reference" }
  private static let count = 10_000_000

  /// Pseudorandom numbers in 0..<1.
  private static func random(_ count: Int) -> [Float] {
    var state: UInt64 = 12345
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) * 0x1p-24
    }
  }

  private static let sets: [(name: String, numbers: [Float])] = [
    ("0.1", Array(repeating: 0.1, count: count)), ("random", random(count)),
    ("random + 10,000", random(count).map { $0 + 10_000 }),
  ]

  /// `|actual − expected| ≤ 4 · 2⁻²³ · |expected|`, which is 4 to 8 ULP of `float32`.
  private func check(_ actual: Double, _ expected: Double, _ what: String) {
    #expect(abs(actual - expected) <= 4 * 0x1p-23 * abs(expected), "\(what): \(actual) for \(expected)")
  }

  private func variance(_ numbers: some Collection<Float>) -> Double {
    let mean = numbers.reduce(0.0) { $0 + Double($1) } / Double(numbers.count)
    return numbers.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(numbers.count - 1)
  }

  @Test(arguments: devices) func sumMeanAndVariance(_ test: TestDevice) throws {
    for (name, numbers) in Self.sets {
      try withDevice(test.device) { () throws in
        let x = try eval(Tensor(numbers, shape: [Self.count]))
        let sum = numbers.reduce(0.0) { $0 + Double($1) }
        check(try x.sum().scalar(), sum, "\(test.name): sum of \(name)")
        check(try x.mean().scalar(), sum / Double(Self.count), "\(test.name): mean of \(name)")
        check(try x.variance().scalar(), name == "0.1" ? 0.0 : variance(numbers), "\(test.name): variance of \(name)")
        check(
          try x.squared().sum().scalar(), numbers.reduce(0.0) { $0 + Double($1) * Double($1) },
          "\(test.name): squares of \(name)")
      }
    }
  }

  /// Long sums along rows and along columns, with many rows and with few.
  @Test(arguments: devices) func rowsAndColumns(_ test: TestDevice) throws {
    let (name, numbers) = Self.sets[2]
    for shape in [[4, 2_500_000], [1_000_000, 10], [400_000, 25]] as [Shape] {
      try withDevice(test.device) { () throws in
        let x = try eval(Tensor(numbers, shape: shape))
        for axis in 0...1 where shape[axis] > 100_000 {
          let sums: [Float] = try x.sum(axis: axis).array()
          let variances: [Float] = try x.variance(axis: axis).array()
          for line in stride(from: 0, to: sums.count, by: 3) {
            let (start, step) = axis == 1 ? (line * shape[1], 1) : (line, shape[1])
            let terms = (0..<shape[axis]).map { numbers[start + $0 * step] }
            let what = "\(test.name): axis \(axis) of \(shape), \(name)"
            check(Double(sums[line]), terms.reduce(0.0) { $0 + Double($1) }, what)
            check(Double(variances[line]), variance(terms), what)
          }
        }
      }
    }
  }

  /// The column sums of a matrix product, as in the gradient of a bias.
  @Test(arguments: devices) func columnsOfProducts(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let (rows, columns) = (300_000, 12)
      let x = try eval(Tensor(Array(repeating: Float(0.1), count: rows * 2), shape: [rows, 2]))
      let w = try eval(Tensor(Array(repeating: Float(0.5), count: 2 * columns), shape: [2, columns]))
      for sum: Float in try x.matmul(w).relu().sum(axis: 0).array() {
        check(Double(sum), Double(rows) * Double(Float(0.1)), "\(test.name): columns of a product")
      }
    }
  }

  /// Many terms are added to one row: in the gradient of a gather, in a scatter of elements, and in a segment sum.
  @Test(arguments: devices) func scattersAndSegments(_ test: TestDevice) throws {
    let count = 200_000
    let places = (0..<count).map { Int64($0 % 7 == 0 ? 2 : 0) }
    let hits = places.count { $0 == 2 }
    func check(_ sums: [Float], _ row: Int, _ terms: Int, _ width: Int, _ what: String) {
      self.check(
        Double(sums[row * width + width - 1]), Double(Float(0.1)) * Double(terms), "\(test.name): \(what) of \(width)")
    }
    try withDevice(test.device) { () throws in
      let ids = try eval(Tensor(places))
      let segments = try eval(Tensor((0..<count).map { Int64($0 < 150_000 ? 1 : 3) }))
      for width in [1, 20] {
        let values = try eval(Tensor(repeating: 0.1, shape: [count, width]))
        let table = try eval(Tensor(repeating: 0, shape: [4, width]))
        let lookedUp = (table.gathering(ids, axis: 0) * values).sum()
        let gradient: [Float] = try gradients(of: lookedUp, withRespectTo: [table])[0].array()
        check(gradient, 2, hits, width, "gradient")
        check(gradient, 0, count - hits, width, "gradient")
        let elements = ids.expandingAxis(at: 1).broadcast(to: [count, width])
        let scattered: [Float] = try table.scatterAdding(values, at: elements, axis: 0).array()
        check(scattered, 2, hits, width, "scatter")
        check(scattered, 0, count - hits, width, "scatter")
        let sums: [Float] = try values.segmentSum(segments, count: 5).array()
        check(sums, 1, 150_000, width, "segment")
        check(sums, 3, 50_000, width, "segment")
        #expect(sums[0] == 0 && sums[2 * width] == 0 && scattered[width] == 0, "\(test.name)")
      }
    }
  }

  @Test(arguments: devices) func runningSums(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let tenths: [Float] = try eval(Tensor(repeating: 0.1, shape: [1_000_000])).cumulativeSum(axis: 0).array()
      for place in [999_999, 500_000, 31, 4096, 123_457] {
        check(Double(tenths[place]), Double(Float(0.1)) * Double(place + 1), "\(test.name): running sum at \(place)")
      }
      let ones: [Float] = try eval(Tensor(repeating: 1, shape: [20_000_000])).cumulativeSum(axis: 0).array()
      #expect(ones[19_999_999] == 20_000_000, "\(test.name)")
      #expect(ones[16_777_217] == 16_777_218, "\(test.name)")
    }
  }

  /// The running sum of one long array is computed in chunks. The results have the same bits on all devices except the
  /// reference device, also if the array is one of several rows, is a column or is summed in reverse.
  @Test func runningSumsHaveTheSameBitsInAllLayouts() throws {
    let numbers = Self.random(100_003).map { $0 - 0.25 }
    var expected: [Float] = []
    for test in Self.devices {
      try withDevice(test.device) { () throws in
        let line = try eval(Tensor(numbers, shape: [100_003]))
        let alone: [Float] = try line.cumulativeSum(axis: 0).array()
        if expected.isEmpty { expected = alone }
        #expect(alone == expected, "\(test.name)")
        let rows = line.expandingAxis(at: 0).broadcast(to: [3, 100_003])
        #expect(try rows.cumulativeSum(axis: 1)[2].array() == expected, "\(test.name): rows")
        #expect(try rows.transposed().cumulativeSum(axis: 0)[0..., 1].array() == expected, "\(test.name): columns")
        let backward: [Float] = try line.flipped(axis: 0).cumulativeSum(axis: 0, isReversed: true).array()
        #expect(Array(backward.reversed()) == expected, "\(test.name): reversed")
      }
    }
  }

  /// The rounding error of the mean does not enter the variance.
  @Test(arguments: TestDevice.all) func varianceFarFromZero(_ test: TestDevice) throws {
    let numbers = Self.random(100_000).map { $0 * 2 + 1_000_000 }
    try withDevice(test.device) { () throws in
      let x = try eval(Tensor(numbers, shape: [2, 50_000]))
      check(try x.variance().scalar(), variance(numbers), "\(test.name): all")
      let rows: [Float] = try x.variance(axis: 1).array()
      check(Double(rows[1]), variance(numbers[50_000...]), "\(test.name): a row")
      check(try x.standardDeviation().scalar(), variance(numbers).squareRoot(), "\(test.name): deviation")
    }
  }

  /// The standard deviation of equal numbers and its gradient are 0, and the second derivative is finite.
  @Test(arguments: TestDevice.all) func deviationOfEqualNumbers(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      for value in [0.1, 3, 1e6, 0] as [Float] {
        let x = Tensor(Array(repeating: value, count: 30), shape: [3, 10])
        let deviation = x.standardDeviation(axis: 1)
        let first = gradients(of: deviation.sum(), withRespectTo: [x])[0]
        let second = gradients(of: (first * Tensor((0..<10).map { Float($0) })).sum(), withRespectTo: [x])[0]
        #expect(try deviation.array() == [0, 0, 0] as [Float], "\(test.name): \(value)")
        #expect(try first.array() == Array(repeating: Float(0), count: 30), "\(test.name): \(value)")
        #expect(try (second.array() as [Float]).allSatisfy(\.isFinite), "\(test.name): \(value)")
      }
    }
  }
}
