/// Pooling over windows of rank 3 (lower ranks have leading extents of 1), followed by an epilogue: fused elementwise
/// operations on the result.
///
/// | kind | pass | `left` | `right` | result |
/// |---|---|---|---|---|
/// | `maximum`, `average` | `forward` | `x: [planes, input]` | – | `y: [planes, output]` |
/// | `maximum` | `backward` | `x` | gradient of `y` | gradient of `x` |
/// | `average` | `backward` | gradient of `y` | – | gradient of `x` |
/// | `maximum` | `select` | `x` | `v: [planes, input]` | `v` at the index of each window's maximum |
///
/// Of equal maxima in a window, the first in row-major order counts, and NaN is larger than any number. An average
/// divides by the size of the window or, if `countsPadding` is false, by the number of its elements inside the input.
public struct Pooling: Hashable, Sendable {
  /// The function that is applied to a window.
  public enum Kind: String, Hashable, Sendable { case maximum, average }
  /// The pass: forward, backward, or the selection of values at the maximum's index.
  public enum Pass: String, Hashable, Sendable { case forward, backward, select }

  /// The first column of the table at `Pooling`.
  public var kind: Kind
  /// The second column of the table.
  public var pass: Pass
  /// Whether the divisor of an average includes the elements of a window outside of the input.
  public var countsPadding: Bool
  /// The number of planes: batch times channels.
  public var planes: Int
  /// The extents of `x`: depth, height, width.
  public var input: SIMD3<Int>
  /// The extents of a window.
  public var window: SIMD3<Int>
  /// The number of windows along each axis.
  public var output: SIMD3<Int>
  /// The distance between windows in elements of `x`.
  public var stride: SIMD3<Int>
  /// The padding before the first element.
  public var padding: SIMD3<Int>
  /// The distance between the elements of a window in elements of `x`.
  public var dilation: SIMD3<Int>
  /// The left operand of the table, a contiguous value of type `dtype`.
  public var left: Int
  /// The right operand of the table, a contiguous value of type `dtype`; `nil` if the table has none.
  public var right: Int?
  /// The element type of the operands. The result before the epilogue has the arithmetic type (lane) of this type.
  public var dtype: DType
  /// The epilogue, over the result's `[planes, depth, height, width]`.
  public var epilogue: Epilogue

  /// Creates a pass over one or two values.
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
