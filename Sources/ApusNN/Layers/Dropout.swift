import ApusTensor

/// In training, zero with probability `rate`, else `x / (1 − rate)`, so that the mean stays (Srivastava et al.,
/// 2014). In inference `x`.
public struct Dropout: Layer {
  public let rate: Double

  /// - Precondition: `0 ≤ rate < 1`.
  public init(_ rate: Double = 0.5) {
    guard rate >= 0, rate < 1 else { fatalError("Dropout: the rate \(rate) is not in 0 ..< 1") }
    self.rate = rate
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard ModeScope.mode(for: "Dropout") == .training, rate > 0 else { return x }
    guard !isRecomputing else {
      fatalError("Dropout: inside checkpointed { } the second run would drop others; keep dropout outside of it")
    }
    let kept = RandomSource.current.draw { key in
      Tensor.bernoulli(x.shape, probability: 1 - rate, key: &key, device: x.device)
    }
    let zero = Tensor.number(0, dtype: x.dtype, device: x.device)
    return kept.select(x * (1 / (1 - rate)), zero)
  }
}
