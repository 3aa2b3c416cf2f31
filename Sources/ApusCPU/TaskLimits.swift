/// The least that is worth a task of its own: another thread hears of it a microsecond later.
enum TaskLimits {
  /// Of elementwise programs and reductions: elements times the weight of one (`Kernel.weight`, `ReductionTable.weight`).
  static let weight = 65536
  /// Elements that are moved or compared.
  static let elementCount = 16384
  /// Multiply-adds of products.
  static let multiplyAddCount = 500_000
}
