/// `result[o, j, i] = source[o, indices[o, j, i], i]`.
///
/// An index outside `0..<extent` is never read: the device reports
/// `DeviceError.indexOutOfRange` at the latest when a value is read back.
public struct Gather: Hashable, Sendable {
  public var outer: Int
  public var extent: Int
  public var count: Int
  public var inner: Int
  public var dtype: DType
  /// A contiguous value `[outer, extent, inner]`.
  public var source: Int
  /// `int32` or `int64` indices, layout over `[outer, count, inner]` (strides of 0 where one index
  /// serves a row).
  public var indices: Operand
  /// A contiguous value `[outer, count, inner]`.
  public var result: Int

  public init(
    outer: Int, extent: Int, count: Int, inner: Int, dtype: DType, source: Int, indices: Operand,
    result: Int
  ) {
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

/// `result[o, indices[o, j, i], i] += source[o, j, i]`, from zeros, added in ascending order of `j`.
public struct ScatterAdd: Hashable, Sendable {
  public var outer: Int
  public var extent: Int
  public var count: Int
  public var inner: Int
  public var dtype: DType
  /// A contiguous value `[outer, count, inner]`.
  public var source: Int
  /// As in `Gather`.
  public var indices: Operand
  /// A contiguous value `[outer, extent, inner]`.
  public var result: Int

  public init(
    outer: Int, extent: Int, count: Int, inner: Int, dtype: DType, source: Int, indices: Operand,
    result: Int
  ) {
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

/// The stable order that sorts each row: `result[r, i]` is the place in row `r` of the element that
/// comes `i`-th. NaN sorts behind every number when ascending, before when descending.
public struct Sort: Hashable, Sendable {
  public var rows: Int
  public var columns: Int
  public var isDescending: Bool
  public var dtype: DType
  /// A contiguous value `[rows, columns]`.
  public var source: Int
  /// A contiguous `int64` value `[rows, columns]`.
  public var result: Int

  public init(rows: Int, columns: Int, isDescending: Bool, dtype: DType, source: Int, result: Int) {
    self.rows = rows
    self.columns = columns
    self.isDescending = isDescending
    self.dtype = dtype
    self.source = source
    self.result = result
  }
}

/// Uniform random 32-bit words of Philox4x32-10 (Salmon et al., 2011), the same on every device.
///
/// Element `i` is word `i mod 4` of the block with counter
/// `(low(i / 4), high(i / 4), low(counter), high(counter))` and key `(low(seed), high(seed))`.
public struct RandomBits: Hashable, Sendable {
  public var count: Int
  /// Entries of the scalar bank, of lane `int64`.
  public var seed: Int
  public var counter: Int
  /// A contiguous `int32` value of `count` elements.
  public var result: Int

  public init(count: Int, seed: Int, counter: Int, result: Int) {
    self.count = count
    self.seed = seed
    self.counter = counter
    self.result = result
  }
}
