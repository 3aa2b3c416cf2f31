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
  /// What is taken of a window.
  public enum Kind: String, Hashable, Sendable { case maximum, average }
  /// The direction: from windows, to them, or values at places found before.
  public enum Pass: String, Hashable, Sendable { case forward, backward, select }

  /// The first column of the table.
  public var kind: Kind
  /// The second column of the table.
  public var pass: Pass
  /// Whether an average divides by the elements of a window outside of the input too.
  public var countsPadding: Bool
  /// Batch times channels.
  public var planes: Int
  /// Extents of `x`: depth, height, width.
  public var input: SIMD3<Int>
  /// Extents of a window.
  public var window: SIMD3<Int>
  /// The number of windows along each axis.
  public var output: SIMD3<Int>
  /// The distance of windows in elements of `x`.
  public var stride: SIMD3<Int>
  /// How far the first window reaches before the first element.
  public var padding: SIMD3<Int>
  /// The distance of a window's elements in elements of `x`.
  public var dilation: SIMD3<Int>
  /// Contiguous values of type `dtype`.
  public var left: Int
  /// The second factor where the table has one, contiguous and of type `dtype`.
  public var right: Int?
  /// The element type of the operands; the core result has its lane.
  public var dtype: DType
  /// The domain is `[planes, d, h, w]` of the result.
  public var epilogue: Epilogue

  /// A pass over one or two values.
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

extension Pooling: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Pooling {
    var step = self
    step.left = read(step.left)
    step.right = step.right.map(read)
    step.epilogue = step.epilogue.mapped(read, write)
    return step
  }
}
