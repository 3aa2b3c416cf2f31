/// The sizes of a convolution of rank 3; lower ranks have leading extents of 1.
///
/// `y[n, k, o] = Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · w[k, c, r]`, where channel `c` runs
/// over the group of `k` and reads outside of `x` are 0.
public struct ConvolutionGeometry: Hashable, Sendable {
  /// Images, `n` of the formula.
  public var batch: Int
  /// Parts that the channels are split into; each sees its own inputs alone.
  public var groups: Int
  /// Channels of `x`, all groups together.
  public var inputChannels: Int
  /// Channels of `y`, all groups together.
  public var outputChannels: Int
  /// Spatial extents of `x`: depth, height, width.
  public var input: SIMD3<Int>
  /// Spatial extents of `w`.
  public var kernel: SIMD3<Int>
  /// Spatial extents of `y`.
  public var output: SIMD3<Int>
  /// The distance of windows in elements of `x`.
  public var stride: SIMD3<Int>
  /// Padding before the first element; what lies behind the last follows from `output`.
  public var padding: SIMD3<Int>
  /// The distance of a window's elements in elements of `x`.
  public var dilation: SIMD3<Int>

  /// The sizes one by one.
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

  /// Multiply-adds of any of the three passes; the largest `Int` where there are more.
  public var multiplyAdds: Int {
    let extents = [output.x, output.y, output.z, kernel.x, kernel.y, kernel.z, outputChannels, inputChannels / groups]
    return extents.reduce(batch) { product, extent in
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      return overflow ? .max : next
    }
  }
}

extension ConvolutionGeometry {
  /// Whether each pixel of the output is of the same pixel of the input: the convolution is a product of matrices.
  package var isPointwise: Bool {
    kernel.wrappedProduct == 1 && stride.wrappedProduct == 1 && padding == SIMD3(0, 0, 0) && input == output
  }
}

extension SIMD3<Int> {
  /// The product of the three extents, without a check for overflow: for extents of a sound shape.
  public var wrappedProduct: Int { x &* y &* z }

  /// `HxW` or `DxHxW`, without a leading extent of 1.
  package var extentText: String { x == 1 ? "\(y)x\(z)" : "\(x)x\(y)x\(z)" }
}

/// One of the three passes of a convolution, then an epilogue over the result.
///
/// | pass | `left` | `right` | result |
/// |---|---|---|---|
/// | `output` | `x: [batch, inputChannels, input]` | `w` | `y` |
/// | `inputGradient` | `y: [batch, outputChannels, output]` | `w` | `x` |
/// | `weightGradient` | `x` | `y` | `w: [outputChannels, inputChannels / groups, kernel]` |
public struct Convolution: Hashable, Sendable {
  /// What is computed of `x`, `w` and `y`.
  public enum Pass: String, Hashable, Sendable, CaseIterable {
    case output, inputGradient, weightGradient
  }

  /// How `x` and `y` lie.
  public enum Order: Hashable, Sendable {
    /// Both as `[batch, channels, spatial…]`.
    case channelsFirst
    /// Both as `[batch, spatial…, channels]`.
    case channelsLast
    /// `x` with channels first, `y` with channels last: images of few channels stay as they are.
    case mixed
  }

  /// The row of the table.
  public var pass: Pass
  /// The sizes, the same for all passes.
  public var geometry: ConvolutionGeometry
  /// The order of the images; `w` has its own.
  public var order: Order
  /// Contiguous values of type `dtype`.
  public var left: Int
  /// The other factor, contiguous and of type `dtype` too.
  public var right: Int
  /// The element type of both factors; the core result has its lane.
  public var dtype: DType
  /// The type that all numbers of both factors are rounded to, as in `Matmul`.
  public var factorDtype: DType
  /// The domain is the result's shape with all three spatial axes, in the order in which it lies: rank 5.
  public var epilogue: Epilogue

  /// A pass over two values.
  public init(
    pass: Pass, geometry: ConvolutionGeometry, order: Order = .channelsFirst, left: Int, right: Int, dtype: DType,
    factorDtype: DType? = nil, epilogue: Epilogue
  ) {
    self.pass = pass
    self.geometry = geometry
    self.order = order
    self.left = left
    self.right = right
    self.dtype = dtype
    self.factorDtype = factorDtype ?? dtype
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
  /// A convolution whose windows are single elements, as the product of the weights with the channels of each image:
  /// `y[n] = w·x[n]` of `[outputs, inputs]` and `[inputs, pixels]`, or `x[n] = wᵀ·y[n]` for the gradient of the input. Its
  /// epilogue has the domain `[batch, channels, pixels]`.
  ///
  /// `nil` for another convolution, for integers, for channels last, and where the epilogue's operands do not have the pixels
  /// on one axis.
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
      b: Operand(value: left, layout: images), dtype: dtype, factorDtype: factorDtype, epilogue: epilogue)
  }

  /// The gradient of weights of single elements as a product for each image, `w[n] = y[n]·x[n]ᵀ` of `[outputs, pixels]` and
  /// `[pixels, inputs]`, whose sum over the images has the epilogue. `nil` for another convolution.
  package var pointwiseGradientProducts: Matmul? {
    guard isPointwiseProduct, pass == .weightGradient else { return nil }
    let g = geometry
    let (m, n, k) = (g.outputChannels, g.inputChannels, g.output.wrappedProduct)
    let x = Layout(shape: [g.batch, k, n], strides: [k * n, 1, k], offset: 0)
    return Matmul(
      batch: [g.batch], m: m, n: n, k: k, a: Operand(value: right, layout: Layout(contiguous: [g.batch, m, k])),
      b: Operand(value: left, layout: x), dtype: dtype, factorDtype: factorDtype, epilogue: epilogue)
  }

  private var isPointwiseProduct: Bool {
    order == .channelsFirst && dtype.isFloatingPoint && geometry.groups == 1 && geometry.isPointwise
  }
}

extension Convolution {
  /// The gradient of the input of a strided 1 × 1 convolution, as a convolution of stride 1 over the elements that windows
  /// read, one for each element of `y`; the gradient of all others is 0. The epilogue stays that of the
  /// strided step. `nil` for any other convolution.
  package var withoutStride: Convolution? {
    let g = geometry
    guard pass == .inputGradient, g.kernel.wrappedProduct == 1, g.stride.wrappedProduct > 1, g.padding == SIMD3(0, 0, 0)
    else { return nil }
    var dense = self
    (dense.geometry.input, dense.geometry.stride) = (g.output, SIMD3(1, 1, 1))
    return dense
  }
}

/// When a device wants the images of a convolution with channels last, although copies bring them there.
public struct ChannelsLastPreference: Hashable, Sendable {
  /// Where copies are worth it.
  public enum Place: Hashable, Sendable {
    case nowhere
    /// Where the images lie so already: no copy is.
    case givenImages
    /// Where they do, or where the result leads to another convolution.
    case sequences
    case everywhere
  }

  /// Where the convolution is to have its images with channels last.
  public var place: Place
  /// Whether `x` is as well read with channels first (`Convolution.Order.mixed`).
  public var readsChannelsFirst: Bool

  /// Channels stay first.
  public static let never = ChannelsLastPreference(.nowhere)

  /// A preference from its parts.
  public init(_ place: Place, readsChannelsFirst: Bool = false) {
    self.place = place
    self.readsChannelsFirst = readsChannelsFirst
  }
}
