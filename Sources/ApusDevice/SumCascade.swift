import Kernels

/// The cascade of accumulation chains that every device uses for sums: a chain adds at most `chain` terms one after
/// another, and the sums of chains are the terms of the chains of the next level. See `Kernels/reduce.def`.
package enum SumCascade {
  /// The largest number of terms of an accumulation chain.
  @inlinable package static var chain: Int { Int(APUS_CHAIN) }

  /// The number of levels that combine the sums of at most `chains` chains.
  package static func levels(of chains: Int) -> Int {
    var (levels, rest) = (1, chains)
    while rest >= chain {
      levels += 1
      rest /= chain
    }
    return levels
  }
}
