import ApusDevice

// Elementwise functions composed of other operations. `cbrt`, `hypot` and `logAddExp` have custom gradients.

extension Tensor {
  /// The cube root of each element, also of negative numbers, in the same shape; integers and `bool` count as
  /// `float32`. The gradient `1 / (3·y²)` is infinite at 0.
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
    // 1/3 is not representable in the type, so `root` is inexact. One Newton step, (2·y + x/y²)/3, restores the lost
    // digits.
    let better = root - (root - self / root.squared()) * constant(1.0 / 3)
    return isFinite().logicalAnd(self .!= 0).select(better, root)
  }

  /// `√(self² + other²)`, without overflow, in the broadcast shape and promoted type of both; infinite if one is
  /// infinite, whatever the other is. Integers and `bool` count as `float32`. The gradient of `hypot(0, 0)` is 0.
  public func hypot(_ other: Tensor) -> Tensor {
    guard Tensor.canBroadcast(OpInputs(node, other.node), for: "hypot") else { return floating }
    return Tensor.inWideLane([self, other]) {
      withGradient($0) { gradient, inputs, output in
        // The quotients are at most 1 in magnitude, so the gradient does not overflow in intermediate values.
        let size = (output .== 0).select(output.constant(1), output)
        return [gradient * (inputs[0] / size), gradient * (inputs[1] / size)]
      } function: {
        let (x, y) = ($0[0].abs(), $0[1].abs())
        let (long, short) = (x.maximum(y), x.minimum(y))
        // Avoids 0/0 and ∞/∞.
        let slope = (short .== long).select(long.constant(1), short / long)
        let size = long * (slope.squared() + 1).sqrt()
        return x.isInfinite().logicalOr(y.isInfinite()).select(long.constant(.infinity), size)
      }
    }
  }
  /// `√(x² + y²)` of each element and the number, without overflow, in the same shape.
  public func hypot<Number: TensorElement>(_ other: Number) -> Tensor { hypot(literal(other)) }

  /// `|self|` with the sign of `other`, including the sign of −0, in the broadcast shape of both and the type of this
  /// tensor; integers and `bool` count as `float32`. The gradient of `other` is 0.
  public func copySign(_ other: Tensor) -> Tensor {
    guard Tensor.canBroadcast(OpInputs(node, other.node), for: "copySign") else { return floating }
    let sign = other.floating
    let isNegative = (sign .< 0).logicalOr(sign.reciprocal() .< 0)
    let size = floating.abs()
    return isNegative.select(-size, size)
  }
  /// The magnitude of each element with the sign of the number, in the same shape.
  public func copySign<Number: TensorElement>(_ other: Number) -> Tensor { copySign(literal(other)) }

  /// `self + weight · (other − self)`, in the broadcast shape and promoted type of all three; integers and `bool` count
  /// as `float32`.
  public func lerp(to other: Tensor, _ weight: Tensor) -> Tensor {
    guard Tensor.canBroadcast(OpInputs(node, other.node, weight.node), for: "lerp") else { return floating }
    return Tensor.inWideLane([self, other, weight]) { $0[0] + ($0[1] - $0[0]) * $0[2] }
  }
  /// `self + weight · (other − self)`, in the broadcast shape of both tensors.
  public func lerp<Number: TensorElement>(to other: Tensor, _ weight: Number) -> Tensor {
    lerp(to: other, literal(weight))
  }

  /// `log(eˣ + eʸ)` for each element `x` and the element `y` of `other`, without overflow, in the broadcast shape and
  /// promoted type of both; integers and `bool` count as `float32`. The gradients are the fractions of `eˣ` and `eʸ` in
  /// the sum.
  public func logAddExp(_ other: Tensor) -> Tensor {
    guard Tensor.canBroadcast(OpInputs(node, other.node), for: "logAddExp") else { return floating }
    return Tensor.inWideLane([self, other]) {
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
}
