import Apus
import ApusTestSupport
import Foundation
import Testing

/// Losses and layers whose intermediate values do not fit into 16-bit types.
@Suite struct HalfPrecisionTests {
  private struct Case: Sendable {
    let name: String
    let dtype: DType
    let body: @Sendable (DType) -> Tensor
    let expected: [Double]

    init(
      _ name: String, _ dtype: DType = .float16, expected: [Double], _ body: @escaping @Sendable (DType) -> Tensor
    ) {
      (self.name, self.dtype, self.body, self.expected) = (name, dtype, body, expected)
    }
  }

  private static func row(_ values: [Float], _ dtype: DType) -> Tensor {
    Tensor(values, shape: [1, values.count]).cast(to: dtype)
  }

  private static let cases: [Case] = [
    Case("meanSquaredError", expected: [22500]) {
      meanSquaredError(row([300, 0, 0, 0], $0), row([0, 0, 0, 0], $0)).reshaped(to: [1])
    },
    Case("negativeLogLikelihood", expected: [100]) { dtype in
      let x = Tensor(repeating: -100, shape: [1000, 2], dtype: dtype)
      return negativeLogLikelihood(x, .zeros([1000], dtype: .int32), weights: .ones([2])).reshaped(to: [1])
    },
    Case("poisson", expected: [(exp(12) - 12 * 13000 + 3) / 4]) { dtype in
      poissonNegativeLogLikelihood(row([12, 0, 0, 0], dtype), row([13000, 1, 1, 1], dtype)).reshaped(to: [1])
    },
    Case("cosineSimilarity", expected: [0.96]) { cosineSimilarity(row([300, 400], $0), row([400, 300], $0)) },
    Case("cosineSimilarity", expected: [0.96]) {
      cosineSimilarity(row([0x1.8p-14, 0x1p-13], $0), row([0x1p-13, 0x1.8p-14], $0))
    },
    Case("pairwiseDistance", expected: [500]) { pairwiseDistance(row([300, 400], $0), row([0, 0], $0)) },
    Case("LPPool1d", expected: [500]) { LPPool1d(2, 2)(row([300, 400], $0).expandingAxis(at: 0)).reshaped(to: [1]) },
    Case("Bilinear", expected: [30000]) { dtype in
      let layer = Bilinear(1, 1, 1, hasBias: false)
      layer.weight.value = Tensor([0x1p-2] as [Float], shape: [1, 1, 1])
      layer.convert(to: dtype)
      return layer(row([300], dtype), row([400], dtype)).reshaped(to: [1])
    },
    Case("norm of gradients", expected: [500]) { dtype in
      let parameters = [Parameter(row([300], dtype)), Parameter(row([400], dtype))]
      let (_, found) = valueAndGradients(of: parameters) {
        (parameters[0].value.squared().sum() + parameters[1].value.squared().sum()) * 0.5
      }
      return found.norm.reshaped(to: [1])
    },
    Case("penalty", expected: [250]) { dtype in
      Penalty(.squaredL2(0.001), on: [Parameter(row([300, 400], dtype))])().reshaped(to: [1])
    },
  ]

  @Test(arguments: TestDevice.all) func innerValuesDoNotOverflow(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let results = Self.cases.map { $0.body($0.dtype) }
      try eval(results)
      for (item, result) in zip(Self.cases, results) {
        let tolerance = item.dtype == .float16 ? 0x1p-10 : 1e-6
        let values = try result.array().map(Double.init)
        let isRight =
          values.count == item.expected.count
          && zip(values, item.expected).allSatisfy { abs($0 - $1) <= tolerance * abs($1) }
        #expect(isRight, "\(item.name) of \(item.dtype): \(values), expected \(item.expected)")
      }
    }
  }

  /// Near their minimum, the Huber loss and the smooth L1 loss are `x² / 2`, where `x` is the difference of output and
  /// target: the second derivative is 1, also at `x = 0`.
  @Test func robustLossesAreSquaresAtTheirMinimum() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([2, 1, 0.5] as [Float])
      for loss in [{ huber($0, $1, reduction: .sum) }, { smoothL1($0, $1, reduction: .sum) }] {
        let first = gradients(of: loss(x, Tensor([2, 1, 0] as [Float])), withRespectTo: [x])[0]
        #expect(try gradients(of: first, withRespectTo: [x])[0].array() == [1, 1, 1])
      }
    }
  }

  /// Attention with keys and values that are broadcast over the batch. The fused attention step does not support such
  /// keys and values, so ordinary operations compute the attention, with the accuracy that 16-bit results allow.
  @Test(arguments: TestDevice.all.filter { $0.extent != .everyShape }, [DType.bfloat16, .float16])
  func attentionOverBroadcastAxes(_ test: TestDevice, _ dtype: DType) throws {
    try withDevice(test.device) { () throws in
      var key = RandomKey(seed: 11)
      let q = Tensor.normal([3, 2, 6, 16], deviation: 2, key: &key).cast(to: dtype)
      let k = Tensor.normal([1, 2, 7, 16], deviation: 2, key: &key).cast(to: dtype)
      let v = Tensor.normal([1, 2, 7, 16], key: &key).cast(to: dtype)
      func results(_ q: Tensor, _ k: Tensor, _ v: Tensor) -> [Tensor] {
        let y = scaledDotProductAttention(q, k, v)
        return [y] + gradients(of: y.squared().sum(), withRespectTo: [q, v])
      }
      let found = results(q, k, v)
      let expected = results(q.cast(to: .float32), k.cast(to: .float32), v.cast(to: .float32))
      try eval(found + expected)
      #expect(found.allSatisfy { $0.dtype == dtype })
      // Outputs differ by at most the relative rounding error of the type, 2⁻⁸ or 2⁻¹¹, of the largest element.
      // Gradients are computed from rounded outputs, so their bound is four times as large.
      let unit = dtype == .bfloat16 ? 0x1p-9 : 0x1p-12
      for (place, pair) in zip(found, expected).enumerated() {
        let (one, other) = (try pair.0.array(), try pair.1.array())
        let scale = Double(other.map(abs).max() ?? 0)
        let worst = zip(one, other).map { Double(abs($0 - $1)) }.max() ?? 0
        #expect(worst <= (place == 0 ? 2 : 8) * unit * scale, "\(test.name), \(dtype), \(place): \(worst) of \(scale)")
      }
    }
  }
}
