import ApusSystem
import Apus

extension RunReport {
  /// The number of curves in a chart if more than `lineCount + 2` classes have a curve. More curves would be hard to
  /// distinguish.
  private static let lineCount = 8

  /// The results of a classifier on the examined data, as a whole and by class.
  package func results() throws -> Report.Section? {
    guard let examination, let results = examination.results else { return nil }
    let names = examination.classNames
    let matrix = HeatMap.confusion("Confusion matrix", counts: results.confusion.counts, classes: names)
    let isWide = names.count > 12
    var blocks: [Report.Block] = [
      .text(RunReport.extent(examination)),
      .figure(Report.Figure("confusion-matrix", matrix, isWide: isWide)),
      .figure(Report.Figure("measures", RunReport.measures(results))),
      .figure(Report.Figure("classes", RunReport.classes(results, names), isWide: true)),
    ]
    if isWide { blocks.append(.figure(Report.Figure("confusions", RunReport.confusions(results, names)))) }
    let shown = RunReport.shownClasses(results)
    let note =
      shown.count < names.count
      ? "\(shown.count) of \(names.count) classes: those with the smallest areas under the curve." : nil
    blocks.append(.figure(Report.Figure("roc", RunReport.roc(results, shown, names), note: note)))
    blocks.append(.figure(Report.Figure("precision-recall", RunReport.precision(results, shown, names), note: note)))
    blocks += RunReport.calibration(results)
    return Report.Section("Results", blocks)
  }

  static func extent(_ examination: Examination) -> String {
    let (all, examined) = examination.counts
    let part = all > examined ? "The first \(examined.grouped) of \(all.grouped)" : "All \(all.grouped)"
    let skipped = examination.skipped.count.flatMap { $0 > 0 ? ", without \($0.grouped) that could not be read" : nil }
    return "\(part) \(examination.examplesName) of \(examination.source)\(skipped ?? "")."
  }

  private static func fixed(_ value: Double?) -> String { value?.text(places: 4) ?? ClassificationReport.undefined }

  // MARK: - Tables

  private static func measures(_ results: ClassificationResults) -> TableChart {
    let macro = results.confusion.average(.macro)
    let rows =
      [
        ["accuracy", fixed(results.accuracy)], ["precision (macro)", fixed(macro.precision)],
        ["recall (macro)", fixed(macro.recall)], ["F1 (macro)", fixed(macro.f1)],
      ] + results.measures(top: results.classCount > 5 ? 5 : nil).map { [$0.name, fixed($0.value)] }
    return TableChart("Measures", [.init(""), .init("", isNumeric: true)], rows)
  }

  private static func classes(_ results: ClassificationResults, _ names: [String]) -> TableChart {
    let titles = ["examples", "precision", "recall", "F1", "AUC", "average precision"]
    let rows = results.confusion.measures.enumerated().map { number, measures -> [String] in
      let ranking = results.ranking(ofClass: number)
      return [
        names[number], measures.support.grouped, fixed(measures.isPrecisionUndefined ? nil : measures.precision),
        fixed(measures.isRecallUndefined ? nil : measures.recall), fixed(measures.isAbsent ? nil : measures.f1),
        fixed(ranking.auc), fixed(ranking.averagePrecision),
      ]
    }
    return TableChart("Classes", [.init("class")] + titles.map { .init($0, isNumeric: true) }, rows)
  }

  private static func confusions(_ results: ClassificationResults, _ names: [String]) -> TableChart {
    let rows = results.confusion.confusions.prefix(20).map { pair in
      [names[pair.label], names[pair.predicted], pair.count.grouped]
    }
    return TableChart(
      "The most frequent confusions", [.init("class"), .init("predicted as"), .init("examples", isNumeric: true)], rows)
  }

  // MARK: - Curves

  /// The indices of the classes whose curves are drawn, in ascending order. A class without a defined area under the
  /// ROC curve is left out. If more than `lineCount + 2` classes remain, only the `lineCount` classes with the smallest
  /// areas are drawn.
  private static func shownClasses(_ results: ClassificationResults) -> [Int] {
    let areas = results.auc.classes
    let defined = areas.indices.filter { areas[$0] != nil }
    guard defined.count > lineCount + 2 else { return defined }
    return defined.sortedArray { ((areas[$0] ?? 0), $0) < ((areas[$1] ?? 0), $1) }.prefix(lineCount).sorted()
  }

  private static func roc(_ results: ClassificationResults, _ shown: [Int], _ names: [String]) -> LineChart {
    let series = shown.compactMap { number -> LineChart.Series? in
      guard let curve = results.ranking(ofClass: number).rocCurve() else { return nil }
      return LineChart.Series(names[number], points(curve.falsePositiveRates, curve.truePositiveRates))
    }
    return LineChart(
      "ROC curves", x: Axis("false positive rate", range: 0...1),
      y: Axis("true positive rate", range: 0...1), series, hasIdentityLine: true)
  }

  private static func precision(_ results: ClassificationResults, _ shown: [Int], _ names: [String]) -> LineChart {
    let series = shown.compactMap { number -> LineChart.Series? in
      guard let curve = results.ranking(ofClass: number).precisionRecallCurve else { return nil }
      return LineChart.Series(names[number], points(curve.recalls, curve.precisions))
    }
    return LineChart(
      "Precision–recall curves", x: Axis("recall", range: 0...1), y: Axis("precision", range: 0...1), series)
  }

  private static func points(_ x: [Double], _ y: [Double]) -> [LineChart.Point] {
    zip(x, y).map { LineChart.Point(x: $0, y: $1) }
  }

  private static func calibration(_ results: ClassificationResults) -> [Report.Block] {
    let curve = results.calibration(bins: 15)
    let chart = LineChart(
      "Calibration", x: Axis("confidence", range: 0...1),
      y: Axis("accuracy", range: 0...1),
      [LineChart.Series("calibration", points(curve.bins.map(\.meanProbability), curve.bins.map(\.observedShare)))],
      hasIdentityLine: true)
    var counts = [Double](repeating: 0, count: curve.binCount)
    for bin in curve.bins { counts[bin.number] = Double(bin.count) }
    let histogram = Histogram(
      "Confidence", x: Axis("confidence", range: 0...1), y: Axis("examples", range: 0...0),
      edges: Histogram.edges(of: 0...1, curve.binCount), counts: counts)
    let note = "Expected calibration error \(fixed(curve.expectedError)), in \(curve.binCount) bins."
    return [
      .figure(Report.Figure("calibration", chart, note: note)), .figure(Report.Figure("confidence", histogram)),
    ]
  }
}
