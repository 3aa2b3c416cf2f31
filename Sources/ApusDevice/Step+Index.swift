/// A gather along one axis (`torch.gather`): `result[o, j, i] = source[o, indices[o, j, i], i]`.
///
/// For an index outside of `0..<extent`, nothing is read, and the run throws `DeviceError.indexOutOfRange`.
public struct Gather: Hashable, Sendable {
  /// The product of the extents before the axis.
  public var outer: Int
  /// The extent of the axis in the source; indices must be below it.
  public var extent: Int
  /// The extent of the axis in the result.
  public var count: Int
  /// The product of the extents after the axis.
  public var inner: Int
  /// The element type of source and result.
  public var dtype: DType
  /// The index in `Plan.values` of the contiguous source `[outer, extent, inner]`.
  public var source: Int
  /// The `int32` or `int64` indices, over `[outer, count, inner]`; the last stride is 0 if each index selects a whole
  /// row of `inner` elements.
  public var indices: Operand
  /// The index in `Plan.values` of the contiguous result `[outer, count, inner]`.
  public var result: Int
  /// Additional properties of the indices.
  public var indexing: Indexing

  /// Creates a gather from its sizes and values.
  public init(
    outer: Int, extent: Int, count: Int, inner: Int, dtype: DType, source: Int, indices: Operand,
    result: Int, indexing: Indexing = Indexing()
  ) {
    self.indexing = indexing
    self.outer = outer
    self.extent = extent
    self.count = count
    self.inner = inner
    self.dtype = dtype
    self.source = source
    self.indices = indices
    self.result = result
  }
}

/// A scatter along one axis (`torch.scatter_add`): `result[o, indices[o, j, i], i] += source[o, j, i]`, starting from
/// zeros, in ascending order of `j`.
///
/// If the indices ascend (`isSorted`), the result is a segment sum: rows with the same index are adjacent, so a device
/// can find the start of each such segment without reading all indices.
public struct ScatterAdd: Hashable, Sendable {
  /// The product of the extents before the axis.
  public var outer: Int
  /// The extent of the axis in the result; indices must be below it.
  public var extent: Int
  /// The extent of the axis in the source.
  public var count: Int
  /// The product of the extents after the axis.
  public var inner: Int
  /// The element type of source and result.
  public var dtype: DType
  /// The index in `Plan.values` of the contiguous source `[outer, count, inner]`.
  public var source: Int
  /// The indices, as in `Gather`.
  public var indices: Operand
  /// The index in `Plan.values` of the contiguous result `[outer, extent, inner]`.
  public var result: Int
  /// Whether the indices select whole rows and ascend with `j`; an index below its predecessor is then an error.
  public var isSorted: Bool
  /// Additional properties of the indices.
  public var indexing: Indexing

  /// Creates a scatter from its sizes and values.
  public init(
    outer: Int, extent: Int, count: Int, inner: Int, dtype: DType, source: Int, indices: Operand,
    result: Int, isSorted: Bool = false, indexing: Indexing = Indexing()
  ) {
    self.indexing = indexing
    self.outer = outer
    self.extent = extent
    self.count = count
    self.inner = inner
    self.dtype = dtype
    self.source = source
    self.indices = indices
    self.result = result
    self.isSorted = isSorted
  }
}

/// A write of rows: `result[indices[j], i] = rows[j, i]`. Before the step, the result contains the elements of `base`:
/// it shares the memory of `base`, or an earlier step has copied them. The step does not access rows without an index.
///
/// No index may occur twice. Rows whose index is outside of `0..<extent` are skipped.
public struct RowWrite: Hashable, Sendable {
  /// The number of rows in base and result.
  public var extent: Int
  /// The number of rows that are written.
  public var count: Int
  /// The extent of a row.
  public var inner: Int
  /// The element type of base, rows and result.
  public var dtype: DType
  /// The index in `Plan.values` of the contiguous base `[extent, inner]`.
  public var base: Int
  /// The index in `Plan.values` of the contiguous new rows `[count, inner]`.
  public var rows: Int
  /// The `int32` or `int64` indices, over `[1, count, inner]`; the strides of the first and the last axis are 0.
  public var indices: Operand
  /// The index in `Plan.values` of the contiguous result `[extent, inner]`.
  public var result: Int

  /// Creates a write from its sizes and values.
  public init(
    extent: Int, count: Int, inner: Int, dtype: DType, base: Int, rows: Int, indices: Operand, result: Int
  ) {
    (self.extent, self.count, self.inner, self.dtype) = (extent, count, inner, dtype)
    (self.base, self.rows, self.indices, self.result) = (base, rows, indices, result)
  }
}

extension RowWrite: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> RowWrite {
    var step = self
    step.base = read(step.base)
    step.rows = read(step.rows)
    step.indices.value = read(step.indices.value)
    step.result = write(step.result)
    return step
  }
}

extension Gather: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Gather {
    var step = self
    step.source = read(step.source)
    step.indices.value = read(step.indices.value)
    step.result = write(step.result)
    return step
  }
}

extension ScatterAdd: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> ScatterAdd {
    var step = self
    step.source = read(step.source)
    step.indices.value = read(step.indices.value)
    step.result = write(step.result)
    return step
  }
}
