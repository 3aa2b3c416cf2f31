import Glibc

extension LineChart {
  /// The errors of a learning curve over the number of training examples. If a power law was fitted, it is drawn up to
  /// twice the largest measured number of examples.
  public init(_ title: String, _ curve: LearningCurve) {
    func points(_ errors: KeyPath<LearningCurve.Point, LearningCurve.Spread>) -> [Point] {
      curve.points.map { Point(x: Double($0.size), y: $0[keyPath: errors].mean) }
    }
    var series = [Series("training", points(\.train)), Series("validation", points(\.validation))]
    if let fitted = curve.fit.fitted, let first = curve.points.first.map({ Double($0.size) }) {
      // Equal steps on the logarithmic axis.
      let factor = 2 * fitted.largestSize / first
      let count = LineChart.lawPointCount
      let positions = (0...count).map { first * exp(log(factor) * Double($0) / Double(count)) }
      series.append(Series("power law", positions.map { Point(x: $0, y: fitted.law.error(at: $0)) }))
    }
    self.init(
      title, x: Axis("training examples", isLogarithmic: true, isInteger: true), y: Axis("error", range: 0...0), series)
  }

  /// The number of steps of the power law's line. It is above `Plot.markedCount`, so that the line has no markers.
  private static let lawPointCount = 64
}
