import ApusTensor

/// The random numbers of a run, all from one seed and independent of each other.
public struct RunSeeds: Hashable, Sendable {
  /// What all others come from.
  public let seed: UInt64

  /// The seeds of a run.
  public init(_ seed: UInt64) { self.seed = seed }

  /// For the first values of the parameters: `withRandomKey(seeds.initialization) { makeModel() }`.
  public var initialization: RandomKey { RandomKey(seed: seed).stream(0) }
  /// For the layers while they train.
  public var training: RandomKey { RandomKey(seed: seed).stream(1) }
  /// For what is done to examples from epoch to epoch.
  public var augmentation: UInt64 { RandomKey(seed: seed).stream(3).seed }
  /// For the order of the examples.
  public var order: UInt64 { RandomKey(seed: seed).stream(2).seed }
}
