import Apus
import ApusTestSupport
import Testing

/// Attention with different numbers of key heads and value heads: a single head is broadcast to all query heads.
@Suite struct AttentionBroadcastTests {
  private static func tensor(_ shape: Shape, _ seed: Int) -> Tensor {
    Tensor((0..<shape.elementCount).map { Float(($0 * 7 + seed) % 13) / 6 - 1 }, shape: shape)
  }

  @Test(arguments: TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }, [(2, 1), (1, 2), (2, 0), (0, 2)])
  func oneHeadServesAll(_ test: TestDevice, _ heads: (keys: Int, values: Int)) throws {
    try withDevice(test.device) { () throws in
      let query = Self.tensor([3, 4, 2, 3], 1)
      // With 0 heads, the tensor has no batch axis and no head axis.
      func other(_ heads: Int, _ seed: Int) -> Tensor { Self.tensor(heads == 0 ? [5, 3] : [3, heads, 5, 3], seed) }
      let (key, value) = (other(heads.keys, 2), other(heads.values, 3))
      func results(_ key: Tensor, _ value: Tensor) -> [Tensor] {
        let y = scaledDotProductAttention(query, key, value)
        return [y] + gradients(of: y.squared().sum(), withRespectTo: [query])
      }
      let found = results(key, value)
      let expected = results(key.broadcast(to: [3, 2, 5, 3]), value.broadcast(to: [3, 2, 5, 3]))
      try eval(found + expected)
      for (one, other) in zip(found, expected) {
        #expect(one.shape == other.shape)
        #expect(zip(try one.array(), try other.array()).allSatisfy { abs($0 - $1) < 1e-5 }, "\(test.name)")
      }
    }
  }
}
