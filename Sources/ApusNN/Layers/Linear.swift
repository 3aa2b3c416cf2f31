import ApusTensor

/// `y = x · Wᵀ + b` for `x: [batch…, inputs]`, `W: [outputs, inputs]`, `b: [outputs]`.
public struct Linear: Layer {
  public let weight: Parameter
  public let bias: Parameter?

  /// - Parameters:
  ///   - hasBias: whether `b` is added.
  ///   - initializer: of the weight; the bias is uniform in `±1/√inputs`, as in PyTorch, unless
  ///     `biasInitializer` says otherwise.
  public init(
    _ inputs: Int, _ outputs: Int, hasBias: Bool = true, initializer: Initializer = .pytorch,
    biasInitializer: Initializer = .pytorch
  ) {
    let shape: Shape = [outputs, inputs]
    weight = Parameter(initializer(shape))
    bias = hasBias ? Parameter(biasInitializer([outputs], fans: .init(weight: shape))) : nil
  }

  /// A layer with given values.
  public init(weight: Parameter, bias: Parameter?) {
    self.weight = weight
    self.bias = bias
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let product = x.matmul(weight.value.narrowed.transposed())
    return OutputProbe.note(weight, bias.map { product + $0.value.narrowed } ?? product)
  }
}
