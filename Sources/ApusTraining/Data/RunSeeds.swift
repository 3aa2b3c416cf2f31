import ApusTensor

/// The seeds of a run's random numbers, all derived from one seed and independent of each other.
public struct RunSeeds: Hashable, Sendable {
  /// The seed from which all others are derived.
  public let seed: UInt64

  /// The seeds of a run.
  public init(_ seed: UInt64) { self.seed = seed }

  /// The random key for the initial values of the parameters: `withRandomKey(seeds.initialization) { makeModel() }`.
  public var initialization: RandomKey { RandomKey(seed: seed).stream(0) }
  /// The random key for layers in training, such as dropout.
  public var training: RandomKey { RandomKey(seed: seed).stream(1) }
  /// The seed for the augmentation of examples. The random numbers also depend on the epoch.
  public var augmentation: UInt64 { RandomKey(seed: seed).stream(3).seed }
  /// The seed for the order of the examples.
  public var order: UInt64 { RandomKey(seed: seed).stream(2).seed }
}
