import ApusTensor

/// `y_c = x_c / (k + α · s_c)^β` for `x: [batch, channels, 1 or more axes]`; `y` has the shape of `x`. `s_c` is the
/// mean of the squares of `size` channels around `c`: `⌊size / 2⌋` before `c` and the others from `c` on. Channels
/// beyond the ends count as zeros.
///
/// Krizhevsky, Sutskever and Hinton (2012) use the sum instead of the mean, with `k = 2`, `α = 10⁻⁴`, `β = 0.75` and
/// five channels. PyTorch uses the mean, so `α` must be `size` times the paper's `α` for the same function.
public struct LocalResponseNorm: Layer {
  /// The number of channels in a window.
  public let size: Int
  /// The factor `α` of `s`.
  public let alpha: Double
  /// The exponent `β`.
  public let beta: Double
  /// The summand `k`.
  public let k: Double
  /// Whether `s` is the sum, as in the paper, instead of the mean.
  public let isSummed: Bool

  /// - Precondition: `size` is at least 1.
  public init(_ size: Int, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1, isSummed: Bool = false) {
    guard size > 0 else { fatalError("LocalResponseNorm: a window of \(size) channels, but it must have at least 1") }
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.k = k
    self.isSummed = isSummed
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank >= 3 else {
      ShapeError("LocalResponseNorm", "\(x.shape) is not [batch, channels, 1 or more axes]").report()
      return x
    }
    // Channels become the height of an image with one channel, so that pooling windows slide along them.
    let spatialCount = x.shape.dropFirst(2).reduce(1, *)
    let scale = alpha * (isSummed ? Double(size) : 1)
    return x.inWideLane { x in
      let mean = x.squared().reshaped(to: [x.shape[0], 1, x.shape[1], spatialCount])
        .averagePooled([size, 1], stride: [1, 1], padding: [(size / 2, (size - 1) / 2), (0, 0)])
        .reshaped(to: x.shape)
      return x * (mean * scale + k).power(-beta)
    }
  }
}
