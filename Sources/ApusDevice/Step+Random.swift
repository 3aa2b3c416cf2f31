/// Uniform random 32-bit words of Philox4x32-10 (Salmon et al., 2011), the same on every device.
///
/// Element `i` is word `i mod 4` of the block with counter
/// `(low(i / 4), high(i / 4), low(counter), high(counter))` and key `(low(seed), high(seed))`.
public struct RandomBits: Hashable, Sendable {
  /// The number of words.
  public var count: Int
  /// Entries of the scalar bank, of lane `int64`.
  public var seed: Int
  /// The entry that holds the number of the draw.
  public var counter: Int
  /// A contiguous `int32` value of `count` elements.
  public var result: Int

  /// A draw of `count` words.
  public init(count: Int, seed: Int, counter: Int, result: Int) {
    self.count = count
    self.seed = seed
    self.counter = counter
    self.result = result
  }
}

extension RandomBits: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> RandomBits {
    var step = self
    step.result = write(step.result)
    return step
  }
}
