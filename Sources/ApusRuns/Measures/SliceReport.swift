import Apus
import ApusSystem

/// The results of a model on groups of examples (slices), the worst group first: sorted by ascending accuracy or, for
/// regression, by descending mean absolute error.
package struct SliceReport {
  /// A group, with the positions of its examples among the measured examples.
  private struct Line {
    var name: String
    var positions: [Int]
    /// The accuracy; for regression the mean absolute error.
    var measure: Double
  }

  private let lines: [Line]
  private let isRegression: Bool

  /// The maximum number of groups in the table.
  private static let listed = 100

  /// - Parameter examples: for each measured example, its index in the data. Examples that could not be read were not
  ///   measured.
  /// - Returns: `nil` if there are no groups.
  init?(_ groups: DataSlices, _ results: ClassificationResults, _ examples: [Int]) {
    self.init(groups, examples, isRegression: false) { results.predicted[$0] == results.labels[$0] ? 1 : 0 }
  }

  init?(_ groups: DataSlices, _ report: RegressionReport, _ examples: [Int]) {
    let points = report.points
    self.init(groups, examples, isRegression: true) { abs(points[$0].predicted - points[$0].target) }
  }

  private init?(
    _ groups: DataSlices, _ examples: [Int], isRegression: Bool, _ measure: (_ position: Int) -> Double
  ) {
    guard !groups.slices.isEmpty else { return nil }
    let positions = Dictionary(uniqueKeysWithValues: examples.enumerated().map { ($1, $0) })
    self.isRegression = isRegression
    lines = groups.slices.compactMap { slice in
      // Examples that could not be read have no results.
      let own = slice.examples.compactMap { positions[$0] }
      guard !own.isEmpty else { return nil }
      return Line(name: slice.name, positions: own, measure: own.map(measure).mean)
    }.enumerated().sortedArray { one, other in
      let (first, second) = (one.element.measure, other.element.measure)
      return first == second ? one.offset < other.offset : isRegression ? first > second : first < second
    }.map(\.element)
  }

  /// The groups, for the verdict on bias and variance.
  package var validationSlices: [BiasVarianceReport.Slice] {
    lines.map { BiasVarianceReport.Slice(name: $0.name, validation: $0.positions) }
  }

  package var table: String {
    var table = TextTable("SLICE", "EXAMPLES", isRegression ? "MEAN ABSOLUTE ERROR" : "ACCURACY")
    for line in lines.prefix(SliceReport.listed) {
      let measure = isRegression ? RegressionReport.text(line.measure) : line.measure.text(places: 4)
      table.append(line.name, line.positions.count.grouped, measure)
    }
    let rest = lines.count - SliceReport.listed
    return rest > 0 ? "\(table.text)\nand \(rest.grouped) more; --json prints all" : table.text
  }

  package var json: JSON {
    .array(
      lines.map {
        [
          "slice": .string($0.name), ResultKey.examples: .integer($0.positions.count),
          isRegression ? "mean_absolute_error" : "accuracy": .number($0.measure),
        ]
      })
  }
}
