/// A stable argsort of each row: `result[r, i]` is the index, in row `r` of the source, of the element at position `i`
/// of the sorted row. NaN sorts after every number in ascending order, before every number in descending order.
public struct Sort: Hashable, Sendable {
  /// The number of rows, which are sorted independently.
  public var rows: Int
  /// The number of elements of a row.
  public var columns: Int
  /// Whether the largest element comes first.
  public var isDescending: Bool
  /// The element type of the source.
  public var dtype: DType
  /// The index in `Plan.values` of the contiguous source `[rows, columns]`.
  public var source: Int
  /// The index in `Plan.values` of the contiguous `int64` result `[rows, columns]`.
  public var result: Int

  /// Creates a sort from its sizes and values.
  public init(rows: Int, columns: Int, isDescending: Bool, dtype: DType, source: Int, result: Int) {
    self.rows = rows
    self.columns = columns
    self.isDescending = isDescending
    self.dtype = dtype
    self.source = source
    self.result = result
  }
}

extension Sort: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Sort {
    var step = self
    step.source = read(step.source)
    step.result = write(step.result)
    return step
  }
}
