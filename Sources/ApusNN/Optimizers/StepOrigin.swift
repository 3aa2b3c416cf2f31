import ApusTensor

/// The state that building a loss changes: statistics, which layers assign, and the random number source. A failed step
/// restores this state.
struct StepOrigin: Sendable {
  private let statistics: [(box: ValueBox, former: FormerValue)]
  /// Strong references that keep evaluations from reusing the values' memory.
  private let held: [Tensor]
  private let source = RandomSource.current
  private let key: RandomKey

  /// - Parameter isHeld: whether the values stay in memory when evaluations compute new values of the statistics.
  init(_ model: ModelState, isHeld: Bool = false) {
    let boxes = model.entries.filter { $0.parameter == nil }.map(\.box)
    let values = boxes.map(\.storedValue)
    statistics = zip(boxes, values).map { ($0, FormerValue($1)) }
    held = isHeld ? values : []
    key = source.key
  }

  func restore() {
    for (box, former) in statistics {
      if let value = former.tensor { box.storedValue = value }
    }
    source.key = key
  }
}
