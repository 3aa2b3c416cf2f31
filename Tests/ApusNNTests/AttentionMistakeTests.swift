import Apus
import ApusTestSupport
import Testing

/// Errors for inputs of attention with wrong sizes or types name the layer or function, the rule and the sizes.
extension LayerMistakeTests {
  private static let attentionCalls: [Call] = [
    Call("scaledDotProductAttention", ["[3]", "[batch…, heads, queries, size]"], dot([3], [3, 2], [3, 2])),
    Call("scaledDotProductAttention", ["[2, 3]", "[5, 4]", "same size"], dot([2, 3], [5, 4], [5, 4])),
    Call("scaledDotProductAttention", ["[5, 3]", "[4, 3]", "same length"], dot([2, 3], [5, 3], [4, 3])),
    Call("scaledDotProductAttention", ["no keys", "[0, 3]"], dot([2, 3], [0, 3], [0, 3])),
    Call(
      "scaledDotProductAttention", ["[1, 2, 5, 3]", "[1, 3, 5, 3]", "heads"],
      dot([1, 6, 2, 3], [1, 2, 5, 3], [1, 3, 5, 3])),
    Call(
      "scaledDotProductAttention", ["[1, 2, 5, 3]", "[1, 3, 2, 3]", "divide"],
      dot([1, 3, 2, 3], [1, 2, 5, 3], [1, 2, 5, 3])),
    Call(
      "scaledDotProductAttention", ["[2, 1, 2, 3]", "[3, 1, 5, 3]", "leading axes"],
      dot([2, 1, 2, 3], [3, 1, 5, 3], [3, 1, 5, 3])),
    Call("scaledDotProductAttention", ["mask [5, 2]", "[2, 5]"], dot([2, 3], [5, 3], [5, 3], mask: zeros([5, 2]))),
    Call(
      "scaledDotProductAttention", ["mask [2, 2, 5]", "[1, 4, 2, 5]"],
      dot([1, 4, 2, 3], [1, 2, 5, 3], [1, 2, 5, 3], mask: zeros([2, 2, 5]))),
    Call(
      "scaledDotProductAttention", ["mask [2, 5] is int32"],
      dot([2, 3], [5, 3], [5, 3], mask: .zeros([2, 5], dtype: .int32))),
    Call(
      "scaledDotProductAttention", ["offset", "float32 []"],
      scaledDotProductAttention(zeros([2, 3]), zeros([5, 3]), zeros([5, 3]), isCausal: true, queryOffset: zeros([]))),
    Call("MultiheadAttention", ["key [3, 4]", "[keys, batch, 4]"], decoded([2, 1, 4], memory: [3, 4])),
    Call(
      "MultiheadAttention", ["query [2, 1, 5]", "[queries, batch, 4]"], MultiheadAttention(4, heads: 2)(zeros([2, 5]))),
    Call(
      "MultiheadAttention", ["key [2, 3, 4]", "[keys, batch, 5]"],
      MultiheadAttention(4, heads: 2, keySize: 5)(zeros([2, 3, 4]), zeros([2, 3, 4]))),
    Call(
      "MultiheadAttention", ["[2, 3, 4]", "[2, 2, 4]", "same batch size"],
      MultiheadAttention(4, heads: 2)(zeros([2, 3, 4]), zeros([2, 2, 4]))),
    Call(
      "MultiheadAttention", ["[2, 3]", "[batch, keys] = [3, 2]"],
      MultiheadAttention(4, heads: 2)(zeros([2, 3, 4]), keyMask: zeros([2, 3]))),
    Call("MultiheadAttention", ["adds keys"], cached(MultiheadAttention(4, heads: 2, addsZeroKey: true), [1, 1, 4])),
    Call(
      "MultiheadAttention", ["[1, 1, 3]", "[count, batch, 4]"], cached(MultiheadAttention(4, heads: 2), [1, 1, 3])),
    Call("KeyValueCache", ["[1, 2, 3, 2]", "0 of 2"], cached(MultiheadAttention(4, heads: 2), [3, 1, 4])),
    Call("KeyValueCache", ["[2, 2, 1, 2]", "[1, 2, 2, 2]"], cached(MultiheadAttention(4, heads: 2), [1, 2, 4])),
    Call("RotaryPositions", ["[5, 4]", "at most 4"], RotaryPositions(4, capacity: 4)(zeros([5, 4]))),
    Call(
      "SinusoidalPositions", ["[5, 1, 4]", "[length, batch, 4]"], SinusoidalPositions(4, capacity: 4)(zeros([5, 1, 4]))),
    Call(
      "LearnedPositions", ["[1, 2, 3]", "[batch, length, 4]"],
      LearnedPositions(4, capacity: 4, isBatchFirst: true)(zeros([1, 2, 3]))),
  ]

  private static func dot(_ query: Shape, _ key: Shape, _ value: Shape, mask: Tensor? = nil) -> Tensor {
    scaledDotProductAttention(zeros(query), zeros(key), zeros(value), mask: mask)
  }

  private static func decoded(_ shape: Shape, memory: Shape) -> Tensor {
    let decoder = TransformerDecoder(1) { TransformerDecoderLayer(4, heads: 2, hidden: 4) }
    var caches = decoder.makeCaches(batch: 1, capacity: 2)
    return decoder(zeros(shape), zeros(memory), caches: &caches)
  }

  private static func cached(_ attention: MultiheadAttention, _ shape: Shape) -> Tensor {
    var cache = attention.makeCache(batch: 1, capacity: 2)
    return attention(zeros(shape), cache: &cache)
  }

  @Test(arguments: attentionCalls.indices) func attentionThatDoesNotFit(_ index: Int) throws {
    try check(LayerMistakeTests.attentionCalls[index])
  }
}
