/// Work is not split into tasks smaller than about these amounts, because it takes about a microsecond until another
/// thread starts its task.
enum TaskLimits {
  /// For elementwise programs and reductions: the number of elements times the cost of an element (`Kernel.weight`,
  /// `ReductionTable.weight`).
  static let weight = 65536
  /// For steps that move or compare elements: the number of elements.
  static let elementCount = 16384
  /// For products: the number of multiply-adds.
  static let multiplyAddCount = 500_000
}
