import ApusTensor

/// The state that building a loss changes: the statistics that it assigns and the random number source. A failed step
/// restores it.
struct StepOrigin: Sendable {
  private let statistics: [(cell: ValueBox, former: FormerValue)]
  /// Strong references that keep evaluations from reusing the values' memory.
  private let held: [Tensor]
  private let source = RandomSource.current
  private let key: RandomKey

  /// - Parameter isHeld: whether the values must survive evaluations that assign new ones.
  init(_ model: ModelState, isHeld: Bool = false) {
    let cells = model.entries.filter { $0.parameter == nil }.map(\.cell)
    let values = cells.map(\.storedValue)
    statistics = zip(cells, values).map { ($0, FormerValue($1)) }
    held = isHeld ? values : []
    key = source.key
  }

  func restore() {
    for (cell, former) in statistics {
      if let value = former.tensor { cell.storedValue = value }
    }
    source.key = key
  }
}
