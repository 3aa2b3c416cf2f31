import ApusTensor

/// `y_k = Σ_{i, j} x_i · W[k, i, j] · z_j + b_k` for `x: [batch…, first]`, `z: [batch…, second]`,
/// `W: [outputs, first, second]`, `b: [outputs]`, to `[batch…, outputs]`. The leading axes of `x` and `z` are equal.
public struct Bilinear: Module {
  /// `W`, `[outputs, first, second]`.
  public let weight: Parameter
  /// `b`, `[outputs]`, if there is one.
  public let bias: Parameter?

  /// - Parameters:
  ///   - hasBias: whether `b` is added.
  ///   - initializer: initializes the weight, with a fan-in of `first`.
  ///   - biasInitializer: initializes the bias; by default uniform in `±1/√first`, as in PyTorch.
  public init(
    _ first: Int, _ second: Int, _ outputs: Int, hasBias: Bool = true, initializer: Initializer = .pytorch,
    biasInitializer: Initializer = .pytorch
  ) {
    let fans = Initializer.Fans(fanIn: first, fanOut: outputs)
    weight = Parameter(initializer([outputs, first, second], fans: fans))
    bias = hasBias ? Parameter(biasInitializer([outputs], fans: fans)) : nil
  }

  public func callAsFunction(_ x: Tensor, _ z: Tensor) -> Tensor { LayerTrace.leaf(self, x) { multiplied(x, z) } }

  private func multiplied(_ x: Tensor, _ z: Tensor) -> Tensor {
    let (outputs, first, second) = (weight.shape[0], weight.shape[1], weight.shape[2])
    guard x.rank > 0, x.rank == z.rank, x.shape.dropLast().elementsEqual(z.shape.dropLast()),
      x.shape.last == first, z.shape.last == second
    else {
      ShapeError("Bilinear", "\(x.shape) and \(z.shape) are not [batch…, \(first)] and [batch…, \(second)]").report()
      return x
    }
    let rows = x.shape.dropLast().reduce(1, *)
    let weights = weight.value.reshaped(to: [outputs, first * second])
    let flat = Tensor.inWideLane([x.reshaped(to: [rows, first, 1]), z.reshaped(to: [rows, 1, second])]) {
      ($0[0] * $0[1]).reshaped(to: [rows, first * second]).linear(weight: weights, bias: bias?.value)
    }
    return flat.reshaped(to: Shape(x.shape.dropLast() + [outputs]))
  }
}
