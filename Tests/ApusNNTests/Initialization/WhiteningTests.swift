import Apus
import ApusTestSupport
import Testing

@testable import ApusNN

@Suite struct WhiteningTests {
  private static let devices = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }

  /// Images of 8 × 8 pixels in which neighboring pixels and the channels are correlated.
  private func images(_ count: Int, channels: Int = 3) throws -> Tensor {
    var key = RandomKey(seed: 3)
    let noise = Tensor.normal([count, channels, 9, 9], key: &key)
    func part(_ start: Int) -> Tensor {
      noise.slice(axis: 2, from: start, count: 8).slice(axis: 3, from: start, count: 8)
    }
    let smooth = part(0) + part(1)
    return try eval(smooth + smooth.mean(axes: [1], keepingAxes: true))
  }

  /// The outputs of the first twelve filters are uncorrelated and have unit variance. The other filters are their
  /// negatives.
  @Test(arguments: devices) func outputsAreUncorrelated(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = try images(40)
      let convolution = Conv2d(3, 24, kernel: 2, biasInitializer: .zeros)
      let model = Sequential {
        convolution
        GELU()
      }
      let weight = try Whitening(epsilon: 1e-9)(model, on: x)
      #expect(weight === convolution.weight)
      let values = try convolution(x).array().map { Double($0) }
      let area = 49
      // The outputs of each filter, over all images and positions.
      let rows = (0..<24).map { (filter: Int) -> [Double] in
        (0..<40).flatMap { (image: Int) -> ArraySlice<Double> in
          let start = (image * 24 + filter) * area
          return values[start..<start + area]
        }
      }
      for one in 0..<12 {
        for other in 0..<12 {
          var sum = 0.0
          for (left, right) in zip(rows[one], rows[other]) { sum += left * right }
          let product = sum / Double(40 * area)
          let expected: Double = one == other ? 1 : 0
          #expect(abs(product - expected) < 1e-3, "\(one), \(other): \(product)")
        }
        let areNegatives = zip(rows[one], rows[one + 12]).allSatisfy { abs($0 + $1) < 1e-4 }
        #expect(areNegatives, "\(one)")
      }
    }
  }

  /// The filters are scaled eigenvectors, followed by their negatives; an odd number of filters has one negative less.
  /// If a filter has K elements, only the first 2 · K filters change.
  @Test func otherNumbersOfFilters() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      func filters(_ convolution: Conv2d, _ x: Tensor) throws -> (before: [[Float]], after: [[Float]]) {
        func rows() throws -> [[Float]] {
          let values = try convolution.weight.value.array()
          let size = values.count / convolution.weight.shape[0]
          return stride(from: 0, to: values.count, by: size).map { Array(values[$0..<$0 + size]) }
        }
        let before = try rows()
        #expect(try Whitening()(Sequential { convolution }, on: x) != nil)
        return (before, try rows())
      }
      let few = try filters(Conv2d(3, 5, kernel: 2), try images(6))
      #expect(few.after[3] == few.after[0].map { -$0 } && few.after[4] == few.after[1].map { -$0 })
      #expect(zip(few.before, few.after).allSatisfy { $0 != $1 })
      let many = try filters(Conv2d(1, 10, kernel: 2), try images(6, channels: 1))
      #expect(many.after[7] == many.after[3].map { -$0 } && many.before[..<8] != many.after[..<8])
      #expect(many.before[8...] == many.after[8...])
    }
  }

  /// A model without a suitable convolution does not change.
  @Test func modelsWithoutASuitableConvolution() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = try images(2, channels: 2)
      let layers: [any Layer] = [
        Flatten(), Conv2d(2, 4, kernel: 2, groups: 2), Conv2d(2, 4, kernel: 9, padding: 1),
      ]
      for layer in layers {
        let before = try layer.parameters.map { try $0.value.array() }
        #expect(try Whitening()(Sequential([layer]), on: x) == nil)
        #expect(try layer.parameters.map { try $0.value.array() } == before)
      }
    }
  }

  /// `A · v = λ · v` for each eigenvector, and the eigenvectors are orthonormal.
  @Test(arguments: [1, 2, 7]) func eigenvectorsOfSymmetricMatrices(size: Int) {
    var matrix = [Double](repeating: 0, count: size * size)
    for row in 0..<size {
      for column in 0...row {
        let value = Double((row * 31 + column * 17) % 13) / 6 - 1
        (matrix[row * size + column], matrix[column * size + row]) = (value, value)
      }
    }
    let eigen = SymmetricEigenvectors(of: matrix, size: size)
    #expect(eigen.values == eigen.values.sorted(by: >))
    func product(_ one: some Sequence<Double>, _ other: some Sequence<Double>) -> Double {
      zip(one, other).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for (index, vector) in eigen.vectors.enumerated() {
      for row in 0..<size {
        let found = product(matrix[row * size..<(row + 1) * size], vector)
        #expect(abs(found - eigen.values[index] * vector[row]) < 1e-12)
        #expect(abs(product(vector, eigen.vectors[row]) - (row == index ? 1 : 0)) < 1e-12)
      }
    }
  }
}
