public import Kernels

/// An inclusive running `sum` or `product` along the middle axis of `[outer, extent, inner]`.
public struct Scan: Hashable, Sendable {
  /// The product of the extents before the axis.
  public var outer: Int
  /// The extent of the axis.
  public var extent: Int
  /// The product of the extents after the axis.
  public var inner: Int
  /// `sum` or `product`.
  public var combine: ReductionRow
  /// Whether the scan runs from the end of the axis to its start.
  public var isReversed: Bool
  /// The element type of source and result.
  public var dtype: DType
  /// The index into `Plan.values` of a contiguous array `[outer, extent, inner]`.
  public var source: Int
  /// The index into `Plan.values` of a contiguous array of the source's shape.
  public var result: Int

  /// Creates a scan from its sizes and values.
  public init(
    outer: Int, extent: Int, inner: Int, combine: ReductionRow, isReversed: Bool, dtype: DType,
    source: Int, result: Int
  ) {
    self.outer = outer
    self.extent = extent
    self.inner = inner
    self.combine = combine
    self.isReversed = isReversed
    self.dtype = dtype
    self.source = source
    self.result = result
  }
}

extension Scan: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Scan {
    var step = self
    step.source = read(step.source)
    step.result = write(step.result)
    return step
  }
}
