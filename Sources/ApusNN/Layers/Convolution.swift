import ApusTensor

/// The convolution (cross-correlation) along 1 to 3 spatial axes, plus a bias for each output channel:
/// `y[n, k, o] = b[k] + Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · W[k, c, r]`
/// for `x: [batch, inputs, spatial…]`, `W: [outputs, inputs / groups, kernel…]`, `b: [outputs]`.
public struct Convolution<let rank: Int>: Layer {
  public let weight: Parameter
  public let bias: Parameter?
  public let groups: Int
  private let stride: [Int]
  private let padding: [(before: Int, after: Int)]
  private let dilation: [Int]
  private let biasShape: Shape

  /// - Parameters:
  ///   - groups: into how many independent parts the channels are divided.
  ///   - initializer: of the weight; the bias is uniform in `±1/√fanIn`, as in PyTorch, unless
  ///     `biasInitializer` says otherwise.
  /// - Precondition: `groups` divides both channel counts.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Padding = 0,
    dilation: Extents = 1, groups: Int = 1, hasBias: Bool = true, initializer: Initializer = .pytorch,
    biasInitializer: Initializer = .pytorch
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
    biasShape = Shape([outputs] + Array(repeating: 1, count: rank))
  }

  public static var typeName: String { "Conv\(rank)d" }

  public var members: [ModuleMember] {
    [.parameter("weight", weight)] + (bias.map { [.parameter("bias", $0)] } ?? [])
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = x.convolved(
      with: weight.value, stride: stride, padding: padding, dilation: dilation, groups: groups)
    return bias.map { y + $0.value.reshaped(to: biasShape) } ?? y
  }
}

public typealias Conv1d = Convolution<1>
public typealias Conv2d = Convolution<2>
public typealias Conv3d = Convolution<3>
