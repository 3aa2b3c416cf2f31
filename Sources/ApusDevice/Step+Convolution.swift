import ApusSystem

/// The sizes of a convolution of rank 3; lower ranks have leading extents of 1.
///
/// `y[n, k, o] = Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · w[k, c, r]`, with image `n`, output channel `k`,
/// position `o` in the output and position `r` in the kernel. The sum runs over the input channels `c` in the group of
/// `k`; elements outside of `x` are 0.
public struct ConvolutionGeometry: Hashable, Sendable {
  /// The number of images.
  public var batch: Int
  /// The number of channel groups; each group reads only its own input channels.
  public var groups: Int
  /// The number of channels of `x` in all groups.
  public var inputChannels: Int
  /// The number of channels of `y` in all groups.
  public var outputChannels: Int
  /// The spatial extents of `x`: depth, height, width.
  public var input: SIMD3<Int>
  /// The spatial extents of `w`.
  public var kernel: SIMD3<Int>
  /// The spatial extents of `y`.
  public var output: SIMD3<Int>
  /// The distance, in elements of `x`, between neighboring windows.
  public var stride: SIMD3<Int>
  /// The number of zeros before the first element of `x` along each axis; the number after the last element follows
  /// from `output`.
  public var padding: SIMD3<Int>
  /// The distance, in elements of `x`, between neighboring elements of a window.
  public var dilation: SIMD3<Int>

  /// Creates a geometry from its sizes.
  public init(
    batch: Int, groups: Int, inputChannels: Int, outputChannels: Int, input: SIMD3<Int>,
    kernel: SIMD3<Int>, output: SIMD3<Int>, stride: SIMD3<Int>, padding: SIMD3<Int>,
    dilation: SIMD3<Int>
  ) {
    self.batch = batch
    self.groups = groups
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.input = input
    self.kernel = kernel
    self.output = output
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
  }

  /// The number of multiply-adds of each of the three passes; saturates at the largest `Int`.
  public var multiplyAdds: Int {
    let extents = [output.x, output.y, output.z, kernel.x, kernel.y, kernel.z, outputChannels, inputChannels / groups]
    return extents.reduce(batch) { $0.saturatingProduct($1) }
  }
}

extension ConvolutionGeometry {
  /// Whether each output pixel depends only on the input pixel at the same position. If so, the convolution is a matrix
  /// product for each group of channels.
  package var isPointwise: Bool {
    kernel.wrappedProduct == 1 && stride.wrappedProduct == 1 && padding == SIMD3(0, 0, 0) && input == output
  }
}

extension SIMD3<Int> {
  /// The product of the three extents, without an overflow check: for extents of a valid shape.
  public var wrappedProduct: Int { x &* y &* z }

  /// `HxW` if the depth is 1, otherwise `DxHxW`.
  package var extentText: String { x == 1 ? "\(y)x\(z)" : "\(x)x\(y)x\(z)" }
}

/// One of the three passes of a convolution, followed by an epilogue.
///
/// | pass | `left` | `right` | result |
/// |---|---|---|---|
/// | `output` | `x: [batch, inputChannels, input]` | `w` | `y` |
/// | `inputGradient` | gradient of `y: [batch, outputChannels, output]` | `w` | gradient of `x` |
/// | `weightGradient` | `x` | gradient of `y` | gradient of `w: [outputChannels, inputChannels / groups, kernel]` |
public struct Convolution: Hashable, Sendable {
  /// The array that is computed from the other two.
  public enum Pass: String, Hashable, Sendable, CaseIterable {
    case output, inputGradient, weightGradient
  }

  /// The memory layout of `x` and `y`.
  public enum Order: Hashable, Sendable {
    /// Both as `[batch, channels, spatial…]`.
    case channelsFirst
    /// Both as `[batch, spatial…, channels]`.
    case channelsLast
    /// `x` with channels first, `y` with channels last: an `x` with few channels then needs no conversion.
    case mixed
  }

  /// The pass: a row of the table.
  public var pass: Pass
  /// The sizes, the same for all passes.
  public var geometry: ConvolutionGeometry
  /// The layout of the images; it does not apply to `w`.
  public var order: Order
  /// The left factor: the index of a contiguous value of type `dtype` in the plan.
  public var left: Int
  /// The right factor: the index of a contiguous value of type `dtype` in the plan.
  public var right: Int
  /// The element type of both factors. The result before the epilogue has the arithmetic type (lane) of this type.
  public var dtype: DType
  /// The type to which all elements of both factors are already rounded: see `Matmul.factorDtype`.
  public var factorDtype: DType
  /// The precision to which the device may round `float32` factors.
  public var inputPrecision: InputPrecision
  /// The epilogue. Its domain has rank 5: the shape of the result in memory order, with all three spatial axes.
  public var epilogue: Epilogue

  /// Creates a pass over two values.
  public init(
    pass: Pass, geometry: ConvolutionGeometry, order: Order = .channelsFirst, left: Int, right: Int, dtype: DType,
    factorDtype: DType? = nil, inputPrecision: InputPrecision = .float32, epilogue: Epilogue
  ) {
    self.pass = pass
    self.geometry = geometry
    self.order = order
    self.left = left
    self.right = right
    self.dtype = dtype
    self.factorDtype = factorDtype ?? dtype
    self.inputPrecision = inputPrecision
    self.epilogue = epilogue
  }
}

extension Convolution: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Convolution {
    var step = self
    step.left = read(step.left)
    step.right = read(step.right)
    step.epilogue = step.epilogue.mapped(read, write)
    return step
  }
}

extension Convolution {
  /// A pointwise convolution as a matrix product for each image: `y[n] = w·x[n]` with the shapes
  /// `[outputChannels, inputChannels]` and `[inputChannels, pixels]`, or `x[n] = wᵀ·y[n]` for the input gradient. The
  /// domain of its epilogue is `[batch, channels, pixels]`.
  ///
  /// `nil` for weight gradients, and for convolutions that are not pointwise, have several groups, compute integers or
  /// have an order other than channels-first. It is also `nil` if the spatial axes of an operand of the epilogue cannot
  /// be merged into one axis.
  package var pointwiseProduct: Matmul? {
    guard isPointwiseProduct, pass != .weightGradient, let epilogue = epilogue.mergingAxes(from: 2) else { return nil }
    let g = geometry
    let isForward = pass == .output
    let (m, k, pixels) = (
      isForward ? g.outputChannels : g.inputChannels, isForward ? g.inputChannels : g.outputChannels,
      g.output.wrappedProduct
    )
    let weights = Layout(shape: [g.batch, m, k], strides: isForward ? [0, k, 1] : [0, 1, m], offset: 0)
    let images = Layout(contiguous: [g.batch, k, pixels])
    return Matmul(
      batch: [g.batch], m: m, n: pixels, k: k, a: Operand(value: right, layout: weights),
      b: Operand(value: left, layout: images), dtype: dtype, factorDtype: factorDtype, inputPrecision: inputPrecision,
      epilogue: epilogue)
  }

  /// The weight gradient of a pointwise convolution as a matrix product for each image, `w[n] = y[n]·x[n]ᵀ` with the
  /// shapes `[outputChannels, pixels]` and `[pixels, inputChannels]`. The caller adds the products of all images and
  /// applies the epilogue to the sum.
  ///
  /// `nil` for the other passes, and for convolutions that are not pointwise, have several groups, compute integers or
  /// have an order other than channels-first.
  package var pointwiseGradientProducts: Matmul? {
    guard isPointwiseProduct, pass == .weightGradient else { return nil }
    let g = geometry
    let (m, n, k) = (g.outputChannels, g.inputChannels, g.output.wrappedProduct)
    let x = Layout(shape: [g.batch, k, n], strides: [k * n, 1, k], offset: 0)
    return Matmul(
      batch: [g.batch], m: m, n: n, k: k, a: Operand(value: right, layout: Layout(contiguous: [g.batch, m, k])),
      b: Operand(value: left, layout: x), dtype: dtype, factorDtype: factorDtype, inputPrecision: inputPrecision,
      epilogue: epilogue)
  }

  private var isPointwiseProduct: Bool {
    order == .channelsFirst && dtype.isFloatingPoint && geometry.groups == 1 && geometry.isPointwise
  }
}

extension Convolution {
  /// The input gradient of a strided 1 × 1 convolution without padding, as a convolution of stride 1. Its result is the
  /// gradient of only those input pixels that a window reads, one for each pixel of `y`; the gradient of all other
  /// pixels is 0. The epilogue is still the epilogue of the strided step. `nil` for other steps.
  package var withoutStride: Convolution? {
    let g = geometry
    guard pass == .inputGradient, g.kernel.wrappedProduct == 1, g.stride.wrappedProduct > 1, g.padding == SIMD3(0, 0, 0)
    else { return nil }
    var dense = self
    (dense.geometry.input, dense.geometry.stride) = (g.output, SIMD3(1, 1, 1))
    return dense
  }
}

/// When a device prefers channels-last images for a convolution, given the cost of conversion.
public struct ChannelsLastPreference: Hashable, Sendable {
  /// When a convolution uses channels-last images.
  public enum Condition: Hashable, Sendable {
    case never
    /// Only if the images are already channels-last: a conversion would take more time than it saves.
    case ifConverted
    /// If the images are already channels-last, or if a forward convolution reads the result, directly or through
    /// elementwise operations, reductions or pooling.
    case ifChained
    case always
  }

  /// When the convolution uses channels-last images.
  public var condition: Condition
  /// Whether the device also reads `x` with channels first (`Convolution.Order.mixed`), which needs no conversion.
  public var readsChannelsFirst: Bool

  /// Channels-first images in all cases.
  public static let never = ChannelsLastPreference(.never)

  /// Creates a preference from its fields.
  public init(_ condition: Condition, readsChannelsFirst: Bool = false) {
    self.condition = condition
    self.readsChannelsFirst = readsChannelsFirst
  }
}
