import ApusTensor

/// The transposed convolution along 1 to 3 spatial axes, the gradient of `Convolution` with respect to its input
/// (Zeiler et al., 2010), plus a bias for each output channel:
/// `y[n, k, i·stride + r·dilation − padding] += x[n, c, i] · W[c, k, r]`, with `W: [inputs, outputs / groups, kernel…]`
/// and `b: [outputs]`. `n` is an example, `c` an input channel, `i` a position in the input, `k` an output channel of
/// the same group, and `r` a position in the kernel. The layer maps `x: [batch, inputs, spatial…]` to
/// `[batch, outputs, (in − 1)·stride − before − after + dilation·(kernel − 1) + outputPadding + 1…]`. `before` and
/// `after` are the padding on the sides of each axis; `padding` in the formula is `before`. `x` may also be a single
/// example, `[inputs, spatial…]`; then the result has no batch axis.
public struct TransposedConvolution<let rank: Int>: Layer {
  /// The filters `W`, `[inputs, outputs / groups, kernel…]`.
  public let weight: Parameter
  /// `b`, `[outputs]`, if there is one.
  public let bias: Parameter?
  /// The number of independent groups of channels.
  public let groups: Int
  private let stride: [Int]
  private let padding: [(before: Int, after: Int)]
  private let outputPadding: [Int]
  private let dilation: [Int]

  /// - Parameters:
  ///   - padding: the padding that a convolution in the opposite direction would add to the output; here it is cropped
  ///     from the output. `.same` is not supported.
  ///   - outputPadding: additional elements at the end of each axis of the output. A convolution with a stride above 1
  ///     maps several sizes to the same size; this number selects one of them as the size of the output.
  ///   - groups: the number of independent groups of channels.
  ///   - initializer: initializes the weight. As in PyTorch `fanIn` is `outputs / groups · Πkernel`.
  ///   - biasInitializer: initializes the bias; by default uniform in `±1/√fanIn`, as in PyTorch.
  /// - Precondition: `groups` divides both channel counts, and `outputPadding` is below the stride or the dilation.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Padding = 0,
    outputPadding: Extents = 0, dilation: Extents = 1, groups: Int = 1, hasBias: Bool = true,
    initializer: Initializer = .pytorch, biasInitializer: Initializer = .pytorch
  ) {
    let name = Self.typeName
    guard groups > 0, inputs % groups == 0, outputs % groups == 0 else {
      fatalError("\(name): \(groups) groups do not divide \(inputs) input and \(outputs) output channels")
    }
    if case .same = padding { fatalError("\(name): padding .same is not supported; the stride determines the size") }
    let kernel = kernel.spread(rank, name)
    self.stride = stride.spread(rank, name)
    self.dilation = dilation.spread(rank, name)
    self.outputPadding = outputPadding.spread(rank, name)
    for axis in 0..<rank {
      let extra = self.outputPadding[axis]
      guard extra >= 0, extra < Swift.max(self.stride[axis], self.dilation[axis]) else {
        fatalError(
          "\(name): outputPadding \(extra) must be below stride \(self.stride[axis]) or dilation \(self.dilation[axis])"
        )
      }
    }
    let shape = Shape([inputs, outputs / groups] + kernel)
    weight = Parameter(initializer(shape))
    bias = hasBias ? Parameter(biasInitializer([outputs], fans: .init(weight: shape))) : nil
    self.groups = groups
    self.padding = padding.amounts(rank, kernel: kernel, dilation: self.dilation, name)
  }

  public static var typeName: String { "ConvTranspose\(rank)d" }

  public var members: [ModuleMember] {
    [.parameter("weight", weight)] + (bias.map { [.parameter("bias", $0)] } ?? [])
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    LayerTrace.leaf(self, x) {
      x.transposeConvolved(
        with: weight.value, bias: bias?.value, stride: stride, padding: padding, outputPadding: outputPadding,
        dilation: dilation, groups: groups)
    }
  }
}

public typealias ConvTranspose1d = TransposedConvolution<1>
public typealias ConvTranspose2d = TransposedConvolution<2>
public typealias ConvTranspose3d = TransposedConvolution<3>
