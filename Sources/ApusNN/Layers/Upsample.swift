import ApusTensor

/// Resizes the spatial axes: `x: [batch, channels, spatial…]` to `[batch, channels, size…]`, with 1 to 3 spatial axes.
///
/// Output element `i` of `out` is taken from an input position: `⌊i · in / out⌋` for `.nearest`,
/// `(i + ½) · in / out − ½` for `.linear`, and `i · (in − 1) / (out − 1)` for `.linear` with aligned corners. With a
/// scale, `out = ⌊in · scale⌋`. Positions are computed from the rounded extents (PyTorch's
/// `recompute_scale_factor`), so that a scale gives the same result as the size `out`.
public struct Upsample: Layer {
  private enum Target: Sendable {
    case size(Extents)
    case scale([Double])
  }

  private let target: Target
  private let interpolation: Interpolation
  private let alignsCorners: Bool

  /// Resizes to a size: one value for all spatial axes, or one for each.
  ///
  /// - Parameter alignsCorners: for `.linear`, whether the first and last elements keep their values.
  /// - Precondition: every extent is 1 or more.
  public init(size: Extents, by interpolation: Interpolation = .nearest, alignsCorners: Bool = false) {
    guard size.values.allSatisfy({ $0 > 0 }) else { fatalError("Upsample: the size \(size.values) must be 1 or more") }
    self.init(.size(size), interpolation, alignsCorners)
  }

  /// Resizes all spatial axes by one factor.
  /// - Precondition: the factor is above 0.
  public init(scale: Double, by interpolation: Interpolation = .nearest, alignsCorners: Bool = false) {
    self.init(scales: [scale], by: interpolation, alignsCorners: alignsCorners)
  }

  /// Resizes each spatial axis by its own factor.
  /// - Precondition: every factor is above 0.
  public init(scales: [Double], by interpolation: Interpolation = .nearest, alignsCorners: Bool = false) {
    guard !scales.isEmpty, scales.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      fatalError("Upsample: the scales \(scales) must be finite and above 0, at least one")
    }
    self.init(.scale(scales), interpolation, alignsCorners)
  }

  private init(_ target: Target, _ interpolation: Interpolation, _ alignsCorners: Bool) {
    guard interpolation == .linear || !alignsCorners else {
      fatalError("Upsample: only .linear can align corners, not .\(interpolation.rawValue)")
    }
    (self.target, self.interpolation, self.alignsCorners) = (target, interpolation, alignsCorners)
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    sizes(for: x).map { x.resized(to: $0, by: interpolation, alignsCorners: alignsCorners) } ?? x
  }

  /// The new extents. Reports an error and returns `nil` if the shape does not fit.
  private func sizes(for x: Tensor) -> [Int]? {
    let count: Int
    let extent: (_ axis: Int) -> Double
    switch target {
    case .size(let size):
      count = size.values.count
      extent = { Double(size.values[count == 1 ? 0 : $0]) }
    case .scale(let scales):
      count = scales.count
      extent = { (Double(x.shape[$0 + 2]) * scales[count == 1 ? 0 : $0]).rounded(.down) }
    }
    guard (3...5).contains(x.rank), count == 1 || count == x.rank - 2 else {
      ShapeError("Upsample", "\(x.shape) is not [batch, channels, \(count == 1 ? "1 to 3" : "\(count)") spatial axes]")
        .report()
      return nil
    }
    let sizes = (0..<x.rank - 2).map(extent)
    guard sizes.allSatisfy({ $0 >= 1 && $0 <= Double(Int32.max) }) else {
      ShapeError("Upsample", "\(x.shape) becomes \(sizes); each axis needs 1 to \(Int32.max) elements").report()
      return nil
    }
    return sizes.map { Int($0) }
  }
}
