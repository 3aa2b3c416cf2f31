import ApusTensor

/// `(Σ xᵖ)^(1/p)` of each window (Sermanet, Chintala, LeCun, 2012). This is the Lp norm with `xᵖ` instead of `|x|ᵖ`, as
/// in PyTorch's `LPPool`. The layer maps `[batch, channels, spatial…]` to `[batch, channels, out…]` with
/// `out = ⌊(in − window) / stride⌋ + 1`. A single example is `[channels, spatial…]`, and its result has no batch axis
/// either.
///
/// With `p = 1` the result is the sum; as `p` tends to infinity, the result tends to the maximum. If `p` is not 1 and
/// the sum of a window is 0, the window's gradient is 0.
public struct LPPool<let rank: Int>: Layer {
  /// The exponent `p`.
  public let power: Double
  private let window: [Int]
  private let stride: [Int]

  /// - Parameter stride: the distance between windows; by default the window's extents.
  /// - Precondition: `p` is above 0.
  public init(_ power: Double, _ window: Extents, stride: Extents? = nil) {
    let name = Self.typeName
    guard power > 0, power.isFinite else { fatalError("\(name): the power \(power) must be above 0") }
    self.power = power
    self.window = window.spread(rank, name)
    self.stride = (stride ?? window).spread(rank, name)
  }

  public static var typeName: String { "LPPool\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.inWideLane { x in
      let powers = power == 1 ? x : power == 2 ? x.squared() : x.power(power)
      let sum = powers.averagePooled(window, stride: stride) * Double(window.reduce(1, *))
      return power == 1 ? sum : sum.safeRoot(power)
    }
  }
}

public typealias LPPool1d = LPPool<1>
public typealias LPPool2d = LPPool<2>
public typealias LPPool3d = LPPool<3>
