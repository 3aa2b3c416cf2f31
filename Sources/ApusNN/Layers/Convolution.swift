import ApusTensor

/// The convolution (cross-correlation) along 1 to 3 spatial axes, plus a bias for each output channel:
/// `y[n, k, o] = b[k] + Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · W[k, c, r]`
/// for `x: [batch, inputs, spatial…]` or, of one example, `[inputs, spatial…]`, `W: [outputs, inputs / groups, kernel…]`, `b: [outputs]`.
///
/// A depthwise convolution, which filters every channel on its own, is one with as many groups as inputs: see
/// `depthwise(_:multiplier:…)`.
public struct Convolution<let rank: Int>: Layer {
  /// The filters `W`, `[outputs, inputs / groups, kernel…]`.
  public let weight: Parameter
  /// `b`, `[outputs]`, if there is one.
  public let bias: Parameter?
  /// Into how many independent parts the channels are divided.
  public let groups: Int
  private let stride: [Int]
  private let padding: [(before: Int, after: Int)]
  private let dilation: [Int]
  private let paddingMode: PaddingMode

  /// - Parameters:
  ///   - groups: into how many independent parts the channels are divided.
  ///   - paddingMode: what stands around the input.
  ///   - initializer: of the weight; the bias is uniform in `±1/√fanIn`, as in PyTorch, unless
  ///     `biasInitializer` says otherwise.
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

  /// A convolution of every channel on its own (Chollet, 2017): outputs `multiplier · c ..< multiplier · (c + 1)` come
  /// from channel `c`, `W: [channels · multiplier, 1, kernel…]`. A pointwise one (`kernel: 1`) behind it mixes channels.
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

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let isFilled = paddingMode == .zeros || padding.allSatisfy { $0 == (0, 0) }
    let axes = Array(repeating: (before: 0, after: 0), count: Swift.max(0, x.rank - rank)) + padding
    let source = isFilled ? x : x.padded(by: axes, mode: paddingMode)
    let y = source.convolved(
      with: weight.value, bias: bias?.value, stride: stride, padding: isFilled ? padding : [(0, 0)],
      dilation: dilation, groups: groups)
    return OutputProbe.note(weight, y)
  }
}

public typealias Conv1d = Convolution<1>
public typealias Conv2d = Convolution<2>
public typealias Conv3d = Convolution<3>
