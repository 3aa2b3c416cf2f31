import ApusTensor

/// `y = x · Wᵀ + b` with `x: [batch…, inputs]`, `W: [outputs, inputs]`, `b: [outputs]` and `y: [batch…, outputs]`.
public struct Linear: Layer {
  /// `W`, `[outputs, inputs]`.
  public let weight: Parameter
  /// `b`, `[outputs]`, if there is one.
  public let bias: Parameter?

  /// - Parameters:
  ///   - hasBias: whether `b` is added.
  ///   - initializer: initializes the weight.
  ///   - biasInitializer: initializes the bias; by default uniform in `±1/√inputs`, as in PyTorch.
  public init(
    _ inputs: Int, _ outputs: Int, hasBias: Bool = true, initializer: Initializer = .pytorch,
    biasInitializer: Initializer = .pytorch
  ) {
    let shape: Shape = [outputs, inputs]
    weight = Parameter(initializer(shape))
    bias = hasBias ? Parameter(biasInitializer([outputs], fans: .init(weight: shape))) : nil
  }

  /// A layer with given parameters: `weight: [outputs, inputs]`, `bias: [outputs]`.
  public init(weight: Parameter, bias: Parameter?) {
    self.weight = weight
    self.bias = bias
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    LayerTrace.leaf(self, x) { x.linear(weight: weight.value, bias: bias?.value) }
  }
}
