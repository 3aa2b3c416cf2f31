import ApusTensor

/// The settings and masks of the dropout layers.
struct Dropping: Sendable {
  let rate: Double
  let isAlwaysOn: Bool
  private let identity = LayerIdentity()

  init(_ rate: Double, isAlwaysOn: Bool, _ layer: String) {
    guard rate >= 0, rate < 1 else { fatalError("\(layer): the rate \(rate) is not in 0 ..< 1") }
    self.rate = rate
    self.isAlwaysOn = isAlwaysOn
  }

  /// A mask of `shape` that is true with probability `1 − rate`, or `nil` if nothing is dropped.
  func kept(_ shape: Shape, _ device: ComputeDevice, _ layer: String) -> Tensor? {
    key(layer).map { kept(shape, device, $0) }
  }

  /// A mask of `shape` that is true with probability `1 − rate`, from a given key.
  func kept(_ shape: Shape, _ device: ComputeDevice, _ key: RandomKey) -> Tensor {
    var key = key
    return .bernoulli(shape, probability: DropoutRate(rate).keptProbability, key: &key, device: device)
  }

  /// The key for the mask, or `nil` if nothing is dropped.
  func key(_ layer: String) -> RandomKey? {
    guard isAlwaysOn || ModeScope.mode(for: layer, identity) == .training, rate > 0 else { return nil }
    return RandomSource.current.draw { $0.one() }
  }

  /// `x / (1 − rate)` where `kept` is true, else 0.
  func apply(_ kept: Tensor, to x: Tensor) -> Tensor {
    kept.select(x * DropoutRate(rate).factor, Tensor.number(0, dtype: x.dtype, device: x.device))
  }
}

extension Dropping {
  /// `a · x + b`, where SELU's limit at −∞ replaces the elements of `x` for which `kept` is false: see `AlphaDropout`.
  func applyAlpha(_ kept: Tensor, to x: Tensor) -> Tensor {
    let limit = -Selu.scale * Selu.alpha
    let a = 1 / (DropoutRate(rate).keptProbability * (1 + rate * limit * limit)).squareRoot()
    return x.inWideLane { x in
      kept.select(x, Tensor.number(limit, dtype: x.dtype, device: x.device)) * a - a * rate * limit
    }
  }
}

/// A layer that sets some elements of its input to 0 or to a constant, in training or always.
package protocol DroppingLayer: Layer {}

/// In training, each element of the result is 0 with probability `rate`, else `x / (1 − rate)`, which preserves the
/// mean (Srivastava et al., 2014). In inference the result is `x`. The shape of `x` is kept. `RandomSource.current`
/// chooses the elements; `withRandomKey` sets its seed.
///
/// A layer with `isAlwaysOn` drops elements in inference too. The outputs of several runs of one model are then samples
/// of its predictive distribution: the mean of the outputs is the prediction, and their spread is the uncertainty of
/// the prediction (Monte Carlo dropout; Gal, Ghahramani, 2016). The other layers stay in inference, so that batch norm
/// uses its running statistics.
public struct Dropout: DroppingLayer {
  private let dropping: Dropping

  /// The probability that an element is dropped.
  public var rate: Double { dropping.rate }
  /// Whether elements are dropped in inference too.
  public var isAlwaysOn: Bool { dropping.isAlwaysOn }

  /// - Parameter isAlwaysOn: whether elements are dropped in inference too.
  /// - Precondition: `0 ≤ rate < 1`.
  public init(_ rate: Double = 0.5, isAlwaysOn: Bool = false) {
    dropping = Dropping(rate, isAlwaysOn: isAlwaysOn, "Dropout")
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    dropping.kept(x.shape, x.device, "Dropout").map { dropping.apply($0, to: x) } ?? x
  }
}

/// Dropout of whole channels, for `x: [batch, channels, spatial…]` or `[channels, spatial…]`, in the same shape. Each
/// channel of each example is 0 with probability `rate`, else `x / (1 − rate)` (Tompson et al., 2015: `Dropout` has
/// little effect on strongly correlated neighboring positions). In inference the result is `x`, unless `isAlwaysOn`.
public struct ChannelDropout<let rank: Int>: DroppingLayer {
  private let dropping: Dropping

  /// The probability that a channel is dropped.
  public var rate: Double { dropping.rate }
  /// Whether channels are dropped in inference too.
  public var isAlwaysOn: Bool { dropping.isAlwaysOn }

  /// - Parameter isAlwaysOn: whether channels are dropped in inference too, as for `Dropout`.
  /// - Precondition: `0 ≤ rate < 1`.
  public init(_ rate: Double = 0.5, isAlwaysOn: Bool = false) {
    dropping = Dropping(rate, isAlwaysOn: isAlwaysOn, Self.typeName)
  }

  public static var typeName: String { "Dropout\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank == rank + 2 || x.rank == rank + 1 else {
      ShapeError(Self.typeName, "\(x.shape) is not [batch, channels, \(rank) spatial axes]").report()
      return x
    }
    let channels = Shape(x.shape.dropLast(rank) + Array(repeating: 1, count: rank))
    return dropping.kept(channels, x.device, Self.typeName).map { dropping.apply($0, to: x) } ?? x
  }
}

public typealias Dropout1d = ChannelDropout<1>
public typealias Dropout2d = ChannelDropout<2>
public typealias Dropout3d = ChannelDropout<3>

/// Dropout for networks with `SELU`: it preserves a mean of 0 and a variance of 1 (Klambauer et al., 2017). In
/// training, each element of `x` becomes SELU's limit at −∞, `α′ = −λα`, with probability `rate`. The result is then
/// `a · x + b` with `a = ((1 − rate)(1 + rate · α′²))^(−1/2)` and `b = −a · rate · α′`. In inference the result is
/// `x`, unless `isAlwaysOn`. The shape of `x` is kept.
public struct AlphaDropout: DroppingLayer {
  private let dropping: Dropping

  /// The probability that an element is dropped.
  public var rate: Double { dropping.rate }
  /// Whether elements are dropped in inference too.
  public var isAlwaysOn: Bool { dropping.isAlwaysOn }

  /// - Parameter isAlwaysOn: whether elements are dropped in inference too, as for `Dropout`.
  /// - Precondition: `0 ≤ rate < 1`.
  public init(_ rate: Double = 0.5, isAlwaysOn: Bool = false) {
    dropping = Dropping(rate, isAlwaysOn: isAlwaysOn, "AlphaDropout")
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    dropping.kept(x.shape, x.device, "AlphaDropout").map { dropping.applyAlpha($0, to: x) } ?? x
  }
}

/// `AlphaDropout` of whole channels: each channel of each example of `x: [batch, channels, spatial…]` is kept or
/// replaced as a whole (`torch.nn.FeatureAlphaDropout`). The result has the shape of `x`.
public struct FeatureAlphaDropout: DroppingLayer {
  private let dropping: Dropping

  /// The probability that a channel is dropped.
  public var rate: Double { dropping.rate }
  /// Whether channels are dropped in inference too.
  public var isAlwaysOn: Bool { dropping.isAlwaysOn }

  /// - Parameter isAlwaysOn: whether channels are dropped in inference too, as for `Dropout`.
  /// - Precondition: `0 ≤ rate < 1`.
  public init(_ rate: Double = 0.5, isAlwaysOn: Bool = false) {
    dropping = Dropping(rate, isAlwaysOn: isAlwaysOn, "FeatureAlphaDropout")
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank >= 2 else {
      ShapeError("FeatureAlphaDropout", "\(x.shape) is not [batch, channels, spatial…]").report()
      return x
    }
    let channels = Shape([x.shape[0], x.shape[1]] + Array(repeating: 1, count: x.rank - 2))
    return dropping.kept(channels, x.device, "FeatureAlphaDropout").map { dropping.applyAlpha($0, to: x) } ?? x
  }
}
