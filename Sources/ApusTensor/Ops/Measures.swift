import ApusDevice

extension Tensor {
  /// `self + weight · (other − self)`, in the broadcast shape and promoted type of all three; integers and `bool` count
  /// as `float32`.
  public func lerp(to other: Tensor, _ weight: Tensor) -> Tensor {
    Tensor.inWideLane([self, other, weight]) { $0[0] + ($0[1] - $0[0]) * $0[2] }
  }

  /// The products `y[i, j] = x[i] · other[j]` of two vectors `[m]` and `[n]`: `[m, n]`.
  ///
  /// - Precondition: both tensors have one axis.
  public func outer(_ other: Tensor) -> Tensor {
    guard rank == 1, other.rank == 1 else {
      ShapeError("outer", "\(shape) and \(other.shape) must be vectors").report()
      return self
    }
    return expandingAxis(at: 1) * other
  }

  /// `(Σ |x|ᵖ)^(1/p)` over `axes` (all by default); the largest `|x|` for `p = ∞`, the smallest for `p = −∞`, the
  /// number of nonzero elements for `p = 0`. For all `p`, the gradient of zero elements and of a vector of zeros is 0.
  /// Integers and `bool` count as `float32`.
  ///
  /// - Returns: the shape without `axes`, or with extent 1 for them if `keepingAxes`.
  /// - Precondition: `axes` are different axes of the tensor, and not empty for an infinite `p`.
  public func norm(_ p: Double = 2, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    guard checkedAxes(axes, "norm") != nil else { return floating }
    return wide { x in
      switch p {
      case .infinity: return x.abs().checkedNotEmpty(axes, "norm").max(axes: axes, keepingAxes: keepingAxes)
      case -.infinity: return x.abs().checkedNotEmpty(axes, "norm").min(axes: axes, keepingAxes: keepingAxes)
      case 0: return (x .!= 0).cast(to: x.dtype).sum(axes: axes, keepingAxes: keepingAxes)
      case 1: return x.abs().sum(axes: axes, keepingAxes: keepingAxes)
      default: break
      }
      let powers = p == 2 ? x.squared() : x.absolutePower(p)
      return powers.sum(axes: axes, keepingAxes: keepingAxes).safeRoot(p)
    }
  }

  /// `x^(1/p)` for each element `x` of a floating-point tensor. Where `x` is 0, the result is 0 (∞ for `p < 0`) and the
  /// gradient is 0, even if the slope is infinite (`p > 1` or `p < 0`). NaN stays NaN.
  package func safeRoot(_ p: Double = 2) -> Tensor {
    // Where `x` is 0, the root of 1 is computed instead: an infinite slope times a gradient of 0 would be NaN.
    let isZero = self .== 0
    let safe = isZero.select(constant(1), self)
    let root = p == 2 ? safe.sqrt() : safe.power(constant(1 / p))
    return isZero.select(constant(p < 0 ? .infinity : 0), root)
  }

  /// `|x|ᵖ`, with a gradient of 0 at `x = 0`, even for `p < 1`, where the slope is infinite.
  private func absolutePower(_ p: Double) -> Tensor {
    guard p < 1 else { return abs().power(constant(p)) }
    let isZero = self .== 0
    let powers = isZero.select(constant(1), abs()).power(constant(p))
    return isZero.select(constant(p < 0 ? .infinity : 0), powers)
  }

  /// Whether `|self − other| ≤ absolute + relative · |other|`: `bool`, in the broadcast shape of both. Infinities are
  /// close only if they are equal.
  ///
  /// - Parameter equatesNaN: whether NaN is close to NaN.
  public func isClose(
    to other: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8, equatesNaN: Bool = false
  ) -> Tensor {
    let dtype = Tensor.promotedType([self, other])
    let (x, y) = (cast(to: dtype).wideLane.floating, other.cast(to: dtype).wideLane.floating)
    // Integers are subtracted as integers: as `float32`, different large ones would be equal.
    let difference = dtype.isFloatingPoint ? x - y : (cast(to: .int64) - other.cast(to: .int64)).floating
    let isNear = difference.abs() .<= y.abs() * relative + absolute
    // An infinite `other` makes the bound infinite, so the test also requires that `other` is finite.
    let result = isNear.logicalAnd(y.isFinite()).logicalOr(self .== other)
    guard equatesNaN else { return result }
    return result.logicalOr(x.isNaN().logicalAnd(y.isNaN()))
  }

  /// `log(eˣ + eʸ)` for each element `x` and the element `y` of `other`, without overflow, in the broadcast shape and
  /// promoted type of both; integers and `bool` count as `float32`. The gradients are the fractions of `eˣ` and `eʸ` in
  /// the sum.
  public func logAddExp(_ other: Tensor) -> Tensor {
    Tensor.inWideLane([self, other]) {
      // A custom gradient is needed because the kinks of the maximum and of |x − y| cancel in the first derivative, but
      // not in second derivatives.
      withGradient($0) { gradient, inputs, _ in
        let difference = inputs[0].difference(inputs[1])
        return [gradient * difference.sigmoid(), gradient * (-difference).sigmoid()]
      } function: {
        $0[0].maximum($0[1]) + (-$0[0].difference($0[1]).abs()).softplus()
      }
    }
  }

  /// `self − other`, but 0 where both are the same infinity.
  private func difference(_ other: Tensor) -> Tensor {
    isInfinite().logicalAnd(self .== other).select(constant(0), self - other)
  }

  /// The identity matrix `[rows, columns]`, by default `[rows, rows]`: ones where column and row are equal, zeros
  /// elsewhere.
  public static func eye(
    _ rows: Int, _ columns: Int? = nil, dtype: DType = .float32, device: ComputeDevice = .current
  ) -> Tensor {
    let shape: Shape = [rows, columns ?? rows]
    return (indices(shape, 0, "eye", .int64, device) .== indices(shape, 1, "eye", .int64, device)).cast(to: dtype)
  }

  /// `count` equally spaced numbers from `start` to `end`, including both, in the shape `[count]`. For a `count` of 1
  /// the number is `start`.
  public static func linspace(
    from start: Double, to end: Double, count: Int, dtype: DType = .float32,
    device: ComputeDevice = .current
  ) -> Tensor {
    let wide: DType = dtype == .float64 ? .float64 : .float32
    let index = indices([count], 0, "linspace", .int64, device).cast(to: wide)
    let step = count > 1 ? (end - start) / Double(count - 1) : 0
    // Each half is counted from its own end, so that both ends are exact.
    let isFirstHalf = index .< Double(count) / 2
    let fromStart = index.spaced(from: start, by: step)
    let fromEnd = index.constant(end) - (index.constant(Double(count - 1)) - index) * index.constant(step)
    return isFirstHalf.select(fromStart, fromEnd).cast(to: dtype)
  }

  /// The coordinates of all points of a grid: result `i` has the elements of vector `i` along axis `i` and repeats them
  /// along all other axes.
  ///
  /// - Parameter vectors: `[n₀]`, `[n₁]`, …, at most 8.
  /// - Returns: a tensor `[n₀, n₁, …]` for each vector (`indexing="ij"` of PyTorch).
  /// - Precondition: all tensors have one axis.
  public static func meshgrid(_ vectors: [Tensor]) -> [Tensor] {
    guard vectors.allSatisfy({ $0.rank == 1 }), vectors.count <= Shape.maximumRank else {
      ShapeError("meshgrid", "\(vectors.map(\.shape)) must be at most \(Shape.maximumRank) vectors").report()
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
