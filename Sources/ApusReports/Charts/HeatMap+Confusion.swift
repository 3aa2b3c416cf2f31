extension HeatMap {
  /// A confusion matrix: the number of examples of each class (row) that were predicted as each class (column). The
  /// shade of a cell is `√(count / sum of the row)`; the root makes rare misclassifications visible. Misclassifications
  /// have the second color.
  ///
  /// - Parameters:
  ///   - counts: `[classes, classes]`, row-major.
  ///   - classes: the names of the classes.
  /// - Precondition: there is a count for each pair of classes.
  public static func confusion(_ title: String, counts: [Int], classes: [String]) -> HeatMap {
    guard counts.count == classes.count * classes.count else {
      fatalError("HeatMap: \(counts.count) counts for \(classes.count) classes")
    }
    var cells: [Cell] = []
    cells.reserveCapacity(counts.count)
    for row in classes.indices {
      let line = counts[row * classes.count..<(row + 1) * classes.count]
      let total = line.reduce(0, +)
      for (column, count) in line.enumerated() {
        guard count > 0 else {
          cells.append(Cell())
          continue
        }
        let share = Double(count) / Double(max(total, 1))
        let part = "\(count.grouped) of \(total.grouped), \(percent(share))"
        let note = "\(classes[row]) predicted as \(classes[column]): \(part)"
        cells.append(
          Cell(
            shade: share.squareRoot(), lines: ["\(count)", percent(share)], note: note, isSecond: row != column))
      }
    }
    let keys = [0.01, 0.1, 0.5, 1].map { Key(shade: $0.squareRoot(), label: percent($0)) }
    return HeatMap(
      title, rows: ("true class", classes), columns: ("predicted class", classes), cells: cells,
      legend: ("share of the row, right and wrong", keys))
  }

  /// The fraction as text: `3 %`, `0.4 %`.
  private static func percent(_ share: Double) -> String {
    share.percent(places: share > 0 && share < 0.0995 ? 1 : 0, space: "\u{a0}").replacing(".0\u{a0}", with: "\u{a0}")
  }
}
