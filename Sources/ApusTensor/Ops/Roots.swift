import ApusDevice

// Functions that are made of others, with gradients in terms of their own values.

extension Tensor {
  /// The cube root, also of negative numbers. The gradient `1 / (3·y²)` is infinite at 0.
  public func cbrt() -> Tensor {
    floating.inWideLane { x in
      withGradient([x]) { gradient, _, output in
        [gradient / (output.squared() * 3)]
      } function: {
        $0[0].cubeRoot()
      }
    }
  }

  private func cubeRoot() -> Tensor {
    let root = abs().power(constant(1.0 / 3)).copySign(self)
    // 1/3 is no number of the type. One step of Newton's, (2·y + x/y²)/3, gives its digits back.
    let better = root - (root - self / root.squared()) * constant(1.0 / 3)
    return isFinite().logicalAnd(self .!= 0).select(better, root)
  }

  /// `√(self² + other²)`, without overflow; infinite where one is infinite, whatever the other. The gradient of
  /// `hypot(0, 0)` is 0.
  public func hypot(_ other: Tensor) -> Tensor {
    Tensor.inWideLane([self, other]) {
      withGradient($0) { gradient, inputs, output in
        // The quotients are at most 1.
        let size = (output .== 0).select(output.constant(1), output)
        return [gradient * (inputs[0] / size), gradient * (inputs[1] / size)]
      } function: {
        let (x, y) = ($0[0].abs(), $0[1].abs())
        let (long, short) = (x.maximum(y), x.minimum(y))
        // 0/0 and ∞/∞ are no slopes.
        let slope = (short .== long).select(long.constant(1), short / long)
        let size = long * (slope.squared() + 1).sqrt()
        return x.isInfinite().logicalOr(y.isInfinite()).select(long.constant(.infinity), size)
      }
    }
  }

  /// `|self|` with the sign of `other`, that of −0 included. The gradient of `other` is 0.
  public func copySign(_ other: Tensor) -> Tensor {
    let sign = other.floating
    let isNegative = (sign .< 0).logicalOr(sign.reciprocal() .< 0)
    let size = floating.abs()
    return isNegative.select(-size, size)
  }
}
