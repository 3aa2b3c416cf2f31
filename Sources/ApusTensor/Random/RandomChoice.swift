import ApusDevice

extension Tensor {
  /// The numbers `0 ..< count` in random order, `int64` `[count]`.
  public static func permutation(
    _ count: Int, key: inout RandomKey, device: ComputeDevice = .current
  ) -> Tensor {
    guard accepts([count], "permutation") else { return .zeros([0], dtype: .int64, device: device) }
    return key.bits([count], device: device).argsort()
  }

  /// Random integers in `lower ..< upper`, `int64` of shape `shape`. For a range of `n` numbers, the relative deviation
  /// of each probability from `1/n` is at most `n/2³²`.
  ///
  /// - Precondition: the range has 1 to 2³² numbers.
  public static func randomIntegers(
    _ shape: Shape, lower: Int = 0, upper: Int, key: inout RandomKey, device: ComputeDevice = .current
  ) -> Tensor {
    guard accepts(shape, "randomIntegers") else { return .zeros([], dtype: .int64, device: device) }
    let (count, overflow) = upper.subtractingReportingOverflow(lower)
    guard !overflow, (1...1 << 32).contains(count) else {
      ShapeError("randomIntegers", "\(lower) ..< \(upper) is empty or has more than 2^32 numbers").report()
      return .zeros(shape, dtype: .int64, device: device)
    }
    // The high 32 bits of the product with `count` map a random 32-bit word to the range (Lemire, 2019).
    let words = key.bits(shape, device: device).cast(to: .int64)
    let unsigned = words.bitAnd(words.constant(0xFFFF_FFFF))
    let scaled = (unsigned * unsigned.constant(Double(count))).shiftedRight(by: unsigned.constant(32))
    return scaled + Tensor(repeating: Scalar.integer(Int64(lower)), shape: [], dtype: .int64, device: device)
  }

  /// Samples from categorical distributions, whose unnormalized log-probabilities are along the last axis of this
  /// tensor, `[leading…, classes]`.
  ///
  /// - Returns: `int64` of shape `[count, leading…]`, or `[leading…]` without a `count`.
  /// - Precondition: there is at least one class.
  public func categorical(_ count: Int? = nil, key: inout RandomKey) -> Tensor {
    guard rank > 0, shape[rank - 1] > 0 else {
      ShapeError("categorical", "\(shape) has no classes in its last axis").report()
      return self
    }
    // The argmax of logits with Gumbel noise is distributed as their softmax (Gumbel, 1954).
    let draws = count.map { Shape([$0] + shape) } ?? shape
    guard Tensor.accepts(draws, "categorical") else { return argmax(axis: -1) }
    let unit = key.unit(draws, device: device)
    let uniform = unit.maximum(unit.constant(0x1p-25))
    let noise = -(-uniform.log()).log()
    return (cast(to: .float32) + noise).argmax(axis: -1)
  }
}
