import ApusTensor

/// What building a loss changes: the statistics that it assigns and the source of random numbers. A step that fails goes
/// back to them.
struct StepOrigin: Sendable {
  private let statistics: [(cell: TensorCell, former: FormerValue)]
  /// Keeps evaluations from taking the values' memory over.
  private let held: [Tensor]
  private let source = RandomSource.current
  private let key: RandomKey

  /// - Parameter isHeld: Whether the values outlast evaluations that assign others.
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
