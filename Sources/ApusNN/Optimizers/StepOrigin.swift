import ApusTensor

/// The state that changes while a training step builds the graph of its loss: the statistics (such as the mean of a
/// batch norm), to which layers assign new values, and the key of the random number source. A failed step restores this
/// state.
struct StepOrigin: Sendable {
  private let statistics: [(box: ValueBox, former: FormerValue)]
  /// Strong references that keep evaluations from reusing the memory of the former statistics.
  private let held: [Tensor]
  private let source = RandomSource.current
  private let key: RandomKey

  /// - Parameter isHeld: whether the former statistics stay in memory when evaluations compute new ones.
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
