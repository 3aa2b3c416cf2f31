/// The sizes of a convolution of rank 3; lower ranks have leading extents of 1.
///
/// `y[n, k, o] = Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · w[k, c, r]`, where channel `c` runs
/// over the group of `k` and reads outside of `x` are 0.
public struct ConvolutionGeometry: Hashable, Sendable {
  public var batch: Int
  public var groups: Int
  /// Channels of `x`, all groups together.
  public var inputChannels: Int
  /// Channels of `y`, all groups together.
  public var outputChannels: Int
  public var input: SIMD3<Int>
  public var kernel: SIMD3<Int>
  public var output: SIMD3<Int>
  public var stride: SIMD3<Int>
  /// Padding before the first element; what lies behind the last follows from `output`.
  public var padding: SIMD3<Int>
  public var dilation: SIMD3<Int>

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

extension SIMD3<Int> {
  /// The product of the three extents, without a check for overflow: for extents of a sound shape.
  public var wrappedProduct: Int { x &* y &* z }
}

/// One of the three passes of a convolution, then an epilogue over the result.
///
/// | pass | `left` | `right` | result |
/// |---|---|---|---|
/// | `output` | `x: [batch, inputChannels, input]` | `w` | `y` |
/// | `inputGradient` | `y: [batch, outputChannels, output]` | `w` | `x` |
/// | `weightGradient` | `x` | `y` | `w: [outputChannels, inputChannels / groups, kernel]` |
public struct Convolution: Hashable, Sendable {
  public enum Pass: String, Hashable, Sendable, CaseIterable {
    case output, inputGradient, weightGradient
  }

  public var pass: Pass
  public var geometry: ConvolutionGeometry
  /// Contiguous values of type `dtype`.
  public var left: Int
  public var right: Int
  public var dtype: DType
  /// The domain is the result's shape with all three spatial axes: rank 5.
  public var epilogue: Epilogue

  public init(
    pass: Pass, geometry: ConvolutionGeometry, left: Int, right: Int, dtype: DType,
    epilogue: Epilogue
  ) {
    self.pass = pass
    self.geometry = geometry
    self.left = left
    self.right = right
    self.dtype = dtype
    self.epilogue = epilogue
  }
}

/// Pooling over windows of rank 3 (lower ranks have leading extents of 1), then an epilogue.
///
/// | kind | pass | `left` | `right` | result |
/// |---|---|---|---|---|
/// | `maximum`, `average` | `forward` | `x: [planes, input]` | – | `y: [planes, output]` |
/// | `maximum` | `backward` | `x` | gradient of `y` | gradient of `x` |
/// | `average` | `backward` | gradient of `y` | – | gradient of `x` |
/// | `maximum` | `select` | `x` | `v: [planes, input]` | `v` at the place of each window's maximum |
///
/// The maximum of a window is its first one in row-major order, NaN before any number. An average
/// divides by the size of the window, or by its part inside the input where
/// `countsPadding` is false.
public struct Pooling: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable { case maximum, average }
  public enum Pass: String, Hashable, Sendable { case forward, backward, select }

  public var kind: Kind
  public var pass: Pass
  public var countsPadding: Bool
  /// Batch times channels.
  public var planes: Int
  public var input: SIMD3<Int>
  public var window: SIMD3<Int>
  public var output: SIMD3<Int>
  public var stride: SIMD3<Int>
  public var padding: SIMD3<Int>
  public var dilation: SIMD3<Int>
  /// Contiguous values of type `dtype`.
  public var left: Int
  public var right: Int?
  public var dtype: DType
  /// The domain is `[planes, d, h, w]` of the result.
  public var epilogue: Epilogue

  public init(
    kind: Kind, pass: Pass, countsPadding: Bool, planes: Int, input: SIMD3<Int>,
    window: SIMD3<Int>, output: SIMD3<Int>, stride: SIMD3<Int>, padding: SIMD3<Int>,
    dilation: SIMD3<Int>, left: Int, right: Int?, dtype: DType, epilogue: Epilogue
  ) {
    self.kind = kind
    self.pass = pass
    self.countsPadding = countsPadding
    self.planes = planes
    self.input = input
    self.window = window
    self.output = output
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.left = left
    self.right = right
    self.dtype = dtype
    self.epilogue = epilogue
  }
}
