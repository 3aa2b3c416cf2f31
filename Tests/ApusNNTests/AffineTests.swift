import Apus
import ApusTestSupport
import Testing

/// In mixed precision, all layers that compute `x · Wᵀ + b` convert weights and biases in the same way.
@Suite struct AffineTests {
  /// The output of each layer for an input of type `dtype`. Weights are 0.1, which 16-bit types round, and biases are
  /// 0.2.
  private func results(_ dtype: DType) throws -> [(name: String, found: Tensor)] {
    func filled<M: Module>(_ module: M) -> M {
      for parameter in module.parameters {
        parameter.value = Tensor(repeating: parameter.shape.rank > 1 ? 0.1 : 0.2, shape: parameter.shape)
      }
      return module
    }
    let x = Tensor.ones([1, 1]).cast(to: dtype)
    let (linear, bilinear) = (filled(Linear(1, 1)), filled(Bilinear(1, 1, 1)))
    let cell = filled(RNNCell(1, 1, nonlinearity: .relu))
    let attention = filled(MultiheadAttention(1, heads: 1))
    return [
      ("Linear", linear(x)), ("Bilinear", bilinear(x, x)), ("RNNCell", cell(x, state: x)),
      ("MultiheadAttention", attention(x.reshaped(to: [1, 1, 1])).reshaped(to: [1, 1])),
    ]
  }

  @Test func mixedPrecisionNarrowsWeightsAndBiases() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      for (name, found) in try withPrecision(.mixed, { try results(.float32) }) {
        #expect(found.dtype == .float16, "\(name)")
      }
    }
  }

  /// With `float64` inputs, weights and biases keep their `float32` values: they are not rounded to `float16`.
  @Test func mixedPrecisionLeavesDoublesAlone() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let (w, b) = (Double(Float(0.1)), Double(Float(0.2)))
      let expected = [w + b, w + b, w + b + (w + b), (w + b) * w + b]
      for ((name, found), value) in zip(try withPrecision(.mixed, { try results(.float64) }), expected) {
        #expect(found.dtype == .float64, "\(name)")
        #expect(abs(try found.scalar() - value) < 1e-12, "\(name)")
      }
    }
  }
}
