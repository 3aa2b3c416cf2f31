import ApusDevice

extension Tensor {
  /// `self + weight · (other − self)`.
  public func lerp(to other: Tensor, _ weight: Tensor) -> Tensor { self + (other - self) * weight }

  /// The products `y[i, j] = x[i] · other[j]` of two vectors.
  public func outer(_ other: Tensor) -> Tensor {
    guard rank == 1, other.rank == 1 else {
      ShapeError("outer", "\(shape) and \(other.shape) are not two vectors").report()
      return self
    }
    return expandingAxis(at: 1) * other
  }

  /// `(Σ |x|ᵖ)^(1/p)` over `axes` (all when left out); the largest `|x|` for an infinite `p`, the number of
  /// elements that are not 0 for `p = 0`. The gradient of a vector of zeros is 0.
  public func norm(_ p: Double = 2, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    if p == .infinity { return abs().max(axes, keepingAxes: keepingAxes) }
    let x = floating.widened
    if p == 0 { return x.notEqual(to: 0).cast(to: x.dtype).sum(axes, keepingAxes: keepingAxes) }
    if p == 1 { return x.abs().sum(axes, keepingAxes: keepingAxes) }
    let powers = p == 2 ? x.squared() : x.abs().power(x.constant(p))
    let sum = powers.sum(axes, keepingAxes: keepingAxes)
    // The root's slope at 0 is infinite: there a 1 takes its place.
    let isPositive = sum.greater(than: 0)
    let safe = isPositive.select(sum, sum.constant(1))
    let root = p == 2 ? safe.sqrt() : safe.power(safe.constant(1 / p))
    return isPositive.select(root, sum)
  }

  /// Where `|self − other| ≤ absolute + relative · |other|`; infinities must be equal.
  ///
  /// - Parameter equatesNaN: whether NaN is close to NaN.
  public func isClose(
    to other: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8, equatesNaN: Bool = false
  ) -> Tensor {
    let bound = other.floating.abs() * relative + absolute
    let isNear = (floating - other.floating).abs().lessOrEqual(to: bound)
    // An infinite bound is met by everything.
    let result = isNear.logicalAnd(other.floating.isFinite()).logicalOr(equal(to: other))
    guard equatesNaN else { return result }
    return result.logicalOr(floating.isNaN().logicalAnd(other.floating.isNaN()))
  }

  /// `log(eˣ + eʸ)`, without overflow.
  public func logAddExp(_ other: Tensor) -> Tensor {
    let (x, y) = (floating, other.floating)
    // For two equal infinities the difference would be NaN.
    let difference = x.equal(to: y).select(x.constant(0), x - y)
    return x.maximum(y) + (-difference.abs()).exp().log1p()
  }

  /// The identity matrix: ones where column and row are equal, zeros elsewhere.
  public static func eye(
    _ rows: Int, _ columns: Int? = nil, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    let shape: Shape = [rows, columns ?? rows]
    return indices(shape, 0, "eye", .int64, device).equal(to: indices(shape, 1, "eye", .int64, device)).cast(to: dtype)
  }

  /// `count` numbers with equal distances, from `start` to `end` with both.
  public static func linspace(
    from start: Double, to end: Double, count: Int, dtype: DType = .float32,
    device: ComputeDevice = .current
  ) -> Tensor {
    let wide: DType = dtype == .float64 ? .float64 : .float32
    let place = indices([count], 0, "linspace", .int64, device).cast(to: wide)
    let step = count > 1 ? (end - start) / Double(count - 1) : 0
    // Counted from the nearer end, so that both ends are exact.
    let isFirstHalf = place.less(than: Double(count) / 2)
    let fromStart = place * place.constant(step) + place.constant(start)
    let fromEnd = place.constant(end) - (place.constant(Double(count - 1)) - place) * place.constant(step)
    return isFirstHalf.select(fromStart, fromEnd).cast(to: dtype)
  }

  /// The coordinates of all points of a grid: result `i` varies along axis `i` alone, as vector `i` does.
  public static func meshgrid(_ vectors: [Tensor]) -> [Tensor] {
    guard vectors.allSatisfy({ $0.rank == 1 }), vectors.count <= Shape.maximumRank else {
      ShapeError("meshgrid", "\(vectors.map(\.shape)) are not at most \(Shape.maximumRank) vectors").report()
      return vectors
    }
    let full = Shape(vectors.map(\.elementCount))
    guard accepts(full, "meshgrid") else { return vectors }
    return vectors.enumerated().map { axis, vector in
      var shape = Shape(repeating: 1, count: full.rank)
      shape[axis] = full[axis]
      return vector.reshaped(to: shape).broadcast(to: full)
    }
  }
}
