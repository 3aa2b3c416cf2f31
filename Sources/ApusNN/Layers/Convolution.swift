import ApusTensor

/// The convolution (cross-correlation) along 1 to 3 spatial axes, plus a bias for each output channel:
/// `y[n, k, o] = b[k] + Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · W[k, c, r]`, with
/// `W: [outputs, inputs / groups, kernel…]` and `b: [outputs]`. `n` is an example, `k` an output channel, `o` a
/// position in the result, `c` an input channel of the same group, and `r` a position in the kernel. The layer maps
/// `x: [batch, inputs, spatial…]` to
/// `[batch, outputs, ⌊(in + before + after − dilation·(kernel − 1) − 1) / stride⌋ + 1…]`. Each spatial axis
/// has `in` elements, with `before` and `after` padding elements on its sides; `padding` in the formula is `before`. A
/// single example is `[inputs, spatial…]`, and its result has no batch axis either.
///
/// A depthwise convolution has one group for each input channel, so it filters every channel separately: see
/// `depthwise(_:multiplier:…)`.
public struct Convolution<let rank: Int>: Layer {
  /// The filters `W`, `[outputs, inputs / groups, kernel…]`.
  public let weight: Parameter
  /// `b`, `[outputs]`, if there is one.
  public let bias: Parameter?
  /// The number of independent groups of channels.
  public let groups: Int
  private let stride: [Int]
  private let padding: [(before: Int, after: Int)]
  private let dilation: [Int]
  private let paddingMode: PaddingMode

  /// - Parameters:
  ///   - groups: the number of independent groups of channels.
  ///   - paddingMode: the values of the padding.
  ///   - initializer: initializes the weight.
  ///   - biasInitializer: initializes the bias; by default uniform in `±1/√fanIn`, as in PyTorch.
  /// - Precondition: `groups` divides both channel counts.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Padding = 0,
    dilation: Extents = 1, groups: Int = 1, hasBias: Bool = true, paddingMode: PaddingMode = .zeros,
    initializer: Initializer = .pytorch, biasInitializer: Initializer = .pytorch
  ) {
    let name = Self.typeName
    guard groups > 0, inputs % groups == 0, outputs % groups == 0 else {
      fatalError("\(name): \(groups) groups do not divide \(inputs) input and \(outputs) output channels")
    }
    let kernel = kernel.spread(rank, name)
    let shape = Shape([outputs, inputs / groups] + kernel)
    weight = Parameter(initializer(shape))
    bias = hasBias ? Parameter(biasInitializer([outputs], fans: .init(weight: shape))) : nil
    self.groups = groups
    self.stride = stride.spread(rank, name)
    self.dilation = dilation.spread(rank, name)
    self.padding = padding.amounts(rank, kernel: kernel, dilation: self.dilation, name)
    self.paddingMode = paddingMode
  }

  /// A depthwise convolution (Chollet, 2017): output channels `multiplier · c ..< multiplier · (c + 1)` are computed
  /// from input channel `c`, with `W: [channels · multiplier, 1, kernel…]`. A pointwise convolution (`kernel: 1`) after
  /// the depthwise convolution mixes the channels.
  public static func depthwise(
    _ channels: Int, multiplier: Int = 1, kernel: Extents, stride: Extents = 1, padding: Padding = 0,
    dilation: Extents = 1, hasBias: Bool = true, paddingMode: PaddingMode = .zeros,
    initializer: Initializer = .pytorch, biasInitializer: Initializer = .pytorch
  ) -> Convolution {
    Convolution(
      channels, channels * multiplier, kernel: kernel, stride: stride, padding: padding, dilation: dilation,
      groups: channels, hasBias: hasBias, paddingMode: paddingMode, initializer: initializer,
      biasInitializer: biasInitializer)
  }

  public static var typeName: String { "Conv\(rank)d" }

  public var members: [ModuleMember] {
    [.parameter("weight", weight)] + (bias.map { [.parameter("bias", $0)] } ?? [])
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { convolved(x) } }

  private func convolved(_ x: Tensor) -> Tensor {
    let padsWithZeros = paddingMode == .zeros || padding.allSatisfy { $0 == (0, 0) }
    let axes = Array(repeating: (before: 0, after: 0), count: Swift.max(0, x.rank - rank)) + padding
    let source = padsWithZeros ? x : x.padded(by: axes, mode: paddingMode)
    return source.convolved(
      with: weight.value, bias: bias?.value, stride: stride, padding: padsWithZeros ? padding : [(0, 0)],
      dilation: dilation, groups: groups)
  }
}

public typealias Conv1d = Convolution<1>
public typealias Conv2d = Convolution<2>
public typealias Conv3d = Convolution<3>
