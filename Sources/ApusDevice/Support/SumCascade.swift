import Kernels

/// The cascade of accumulation chains that every device uses for sums, see `Kernels/reduce.def`.
package enum SumCascade {
  /// The largest number of terms of an accumulation chain.
  @inlinable package static var chain: Int { Int(APUS_CHAIN) }

  /// The number of levels of sums that combine the results of at most `chains` chains.
  package static func levels(of chains: Int) -> Int {
    var (levels, rest) = (1, chains)
    while rest >= chain {
      levels += 1
      rest /= chain
    }
    return levels
  }
}
