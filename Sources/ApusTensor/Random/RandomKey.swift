import ApusDevice
import ApusSystem

/// The state of the random number generator Philox4x32-10, which is counter-based: equal keys give equal random 32-bit
/// words on every device, and no device stores state.
public struct RandomKey: Hashable, Sendable, Codable {
  /// Selects the stream of random words; different seeds give independent numbers.
  public var seed: UInt64
  /// The index of the next draw. Sampling a tensor is one draw, whatever its size.
  public var counter: UInt64

  /// The stream of a seed, from draw `counter` on.
  public init(seed: UInt64, counter: UInt64 = 0) {
    self.seed = seed
    self.counter = counter
  }

  /// An independent key for part `index` of a computation.
  public func stream(_ index: UInt64) -> RandomKey {
    // The finalizer of SplitMix64, `mixed`, spreads neighboring indices over all seeds.
    RandomKey(seed: SplitMix64.mixed(seed &+ (index &+ 1) &* SplitMix64.gamma))
  }

  /// Returns a key for the next draw, and advances this key past that draw. Copies of the returned key sample the same
  /// numbers.
  package mutating func one() -> RandomKey { RandomKey(seed: seed, counter: nextDraw()) }

  /// Returns the index of the next draw, and advances the counter.
  mutating func nextDraw() -> UInt64 {
    defer { counter &+= 1 }
    return counter
  }
}

extension RandomKey: RandomNumberGenerator {
  /// 64 random bits, for Swift's own functions: `Int.random(in: 0..<6, using: &key)`, `list.shuffled(using: &key)`.
  public mutating func next() -> UInt64 {
    let draw = nextDraw()
    // `stream` is applied twice, so that the results are not the seeds of this key's streams.
    return stream(draw).stream(draw).seed
  }
}

extension Op {
  /// The words of a random stream at the indices in the first input. The other inputs are the seed and the counter of
  /// the stream, as `int64` scalars.
  static let randomBits: Op = Op(
    name: "randomBits",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, .int32) },
    gradient: .notDifferentiable,
    lower: .elementwise { builder, node, registers in
      builder.emit(.random, lane: node.inputTypes[0].dtype.lane, result: .int32, registers)
    })

  /// 24 of 32 random bits as a number in 0 ..< 1.
  static let unitFloat: Op = Op(
    name: "unitFloat",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, .float32) },
    gradient: .notDifferentiable,
    lower: .elementwise { builder, _, registers in
      builder.emit(.unitFloat, lane: .int32, result: .float32, registers)
    })
}

extension RandomKey {
  /// Random 32-bit words, as `int32`.
  mutating func bits(_ shape: Shape, device: ComputeDevice) -> Tensor {
    let numbers = one().numbers(device)
    let indices = Tensor.indices(shape, device: device)
    return Tensor(.randomBits, OpInputs(indices.node, numbers[0].node, numbers[1].node))
  }

  /// Seed and counter as scalar operands.
  func numbers(_ device: ComputeDevice) -> [Tensor] {
    [seed, counter].map { .number(.integer(Int64(bitPattern: $0)), dtype: .int64, device: device) }
  }

  /// Numbers in `0 ..< 1`, multiples of 2⁻²⁴.
  mutating func unit(_ shape: Shape, device: ComputeDevice) -> Tensor {
    Tensor(.unitFloat, OpInputs(bits(shape, device: device).node))
  }
}

extension Tensor {
  /// Uniform random numbers of shape `shape` in `lower ..< upper`; rounding may give `upper`. They are computed in
  /// `float32` and converted to `dtype`.
  public static func uniform(
    _ shape: Shape, lower: Double = 0, upper: Double = 1, key: inout RandomKey,
    dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    guard accepts(shape, "uniform") else { return .zeros([], dtype: dtype, device: device) }
    let unit = key.unit(shape, device: device)
    return (unit * (upper - lower) + lower).cast(to: dtype)
  }

  /// Normal random numbers of shape `shape`, by the Box–Muller transform (1958). They are computed in `float32` and
  /// converted to `dtype`.
  public static func normal(
    _ shape: Shape, mean: Double = 0, deviation: Double = 1, key: inout RandomKey,
    dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    guard accepts(shape, "normal") else { return .zeros([], dtype: dtype, device: device) }
    // 1 − u is in (0, 1], so that the logarithm is finite.
    let radius = ((1 - key.unit(shape, device: device)).log() * -2).sqrt()
    let angle = key.unit(shape, device: device) * 6.283185307179586
    return (radius * angle.cos() * deviation + mean).cast(to: dtype)
  }

  /// Normal random numbers of shape `shape`, truncated to `mean + deviation · (lower … upper)`, by the inverse
  /// distribution function. They are computed in `float32` and converted to `dtype`.
  public static func truncatedNormal(
    _ shape: Shape, mean: Double = 0, deviation: Double = 1, lower: Double = -2, upper: Double = 2,
    key: inout RandomKey, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    guard accepts(shape, "truncatedNormal") else { return .zeros([], dtype: dtype, device: device) }
    let root = 1.4142135623730951
    let low = Tensor.number(lower / root, dtype: .float32, device: device).erf()
    let high = Tensor.number(upper / root, dtype: .float32, device: device).erf()
    let argument = low.lerp(to: high, key.unit(shape, device: device))
    let normal = (argument.erfinv() * root).clamped(lower: lower, upper: upper)
    return (normal * deviation + mean).cast(to: dtype)
  }

  /// `bool` of shape `shape`: `true` with probability `probability`.
  public static func bernoulli(
    _ shape: Shape, probability: Double, key: inout RandomKey, device: ComputeDevice = .current
  ) -> Tensor {
    guard accepts(shape, "bernoulli") else { return .zeros([], dtype: .bool, device: device) }
    return key.unit(shape, device: device) .< UnitBits.bound(probability: probability) / UnitBits.valueCount
  }
}
