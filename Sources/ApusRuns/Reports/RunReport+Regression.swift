import Apus

extension RunReport {
  /// The differences of predicted numbers from the true ones.
  package func regression() -> Report.Section? {
    guard let examination, let report = examination.regression else { return nil }
    let points = report.points
    let (predicted, truth) = (Axis("predicted \(report.target)"), Axis("true \(report.target)"))
    let scatter = ScatterChart(
      "Predicted against true", x: truth, y: predicted,
      [ScatterChart.Series(examination.part.rawValue, points.map { LineChart.Point(x: $0.target, y: $0.predicted) })],
      hasIdentityLine: true)
    let residuals = ScatterChart(
      "Residuals", x: predicted, y: Axis("true − predicted"),
      [
        ScatterChart.Series(
          examination.part.rawValue, points.map { LineChart.Point(x: $0.predicted, y: $0.target - $0.predicted) })
      ])
    let rows = report.rows.map { [$0.0, $0.1] }
    return Report.Section(
      "Results",
      [
        .text(RunReport.extent(examination)),
        .figure(Report.Figure("predicted", scatter)), .figure(Report.Figure("residuals", residuals)),
        .figure(Report.Figure("errors", TableChart("Errors", [.init(""), .init("")], rows))),
      ])
  }
}
