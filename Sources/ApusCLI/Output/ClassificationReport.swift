import Apus

/// The measures of a classifier, as text and as JSON.
struct ClassificationReport {
  let results: ClassificationResults
  let format: DataFormat
  /// How many of the largest outputs `topAccuracy` looks at; `nil` for none.
  let top: Int?
  private let areas: ClassAreas

  /// Larger matrices are left out of JSON.
  private static let matrixLimit = 100

  init(_ results: ClassificationResults, _ format: DataFormat, top: Int?) {
    self.results = results
    self.format = format
    self.top = top
    areas = results.areas
  }

  private var isBinary: Bool { results.classCount == 2 }
  /// Of two classes that of the second, else the mean over classes.
  private var area: Double? { isBinary ? areas.areas[1] : areas.macro }

  // MARK: - Text

  /// One row for each measure.
  var rows: [(String, String)] {
    var rows: [(String, String)] = []
    if let top { rows.append(("top-\(top) accuracy", results.topAccuracy(top).text(places: 4))) }
    rows.append(("balanced accuracy", results.confusion.balancedAccuracy.text(places: 4)))
    if let area {
      let what = isBinary ? "of class \(format.className(1))" : "mean over classes, each against the rest"
      rows.append(("area under ROC", "\(area.text(places: 4)) (\(what))"))
    }
    rows.append(("calibration error", results.calibration().expectedError.text(places: 4)))
    if isBinary {
      let ranking = results.ranking(ofClass: 1)
      let points = [("best F1", ranking.bestF1), ("best Youden index", ranking.bestYouden)]
      for case (let name, let point?) in points {
        rows.append((name, "at --threshold \(point.threshold): \(text(point))"))
      }
    }
    return rows
  }

  private func text(_ point: OperatingPoint) -> String {
    "precision \(point.precision.text(places: 4)), recall \(point.recall.text(places: 4)), "
      + "F1 \(point.f1.text(places: 4))"
  }

  /// The measures of each class, then their averages.
  var table: String {
    var table = Table("CLASS", "PRECISION", "RECALL", "F1", "AUC", "SUPPORT")
    let none = "-"
    for (number, measures) in results.confusion.measures.enumerated() {
      table.append(
        format.className(number), measures.isPrecisionUndefined ? none : measures.precision.text(places: 4),
        measures.isRecallUndefined ? none : measures.recall.text(places: 4),
        measures.isAbsent ? none : measures.f1.text(places: 4), areas.areas[number]?.text(places: 4) ?? none,
        measures.support.grouped)
    }
    for averaging in Averaging.allCases {
      let average = results.confusion.average(averaging)
      let area: Double? =
        switch averaging {
        case .macro: areas.macro
        case .micro: nil
        case .weighted: areas.weighted
        }
      table.append(
        "\(averaging.rawValue) average", average.precision.text(places: 4), average.recall.text(places: 4),
        average.f1.text(places: 4), area?.text(places: 4) ?? none, results.count.grouped)
    }
    return table.text
  }

  // MARK: - JSON

  /// The members for the summary. A ratio of 0 to 0 is 0, and its class is listed as undefined.
  var json: JSONObject {
    var object = JSONObject()
    if let top { object["test_top_\(top)_accuracy"] = .number(results.topAccuracy(top)) }
    object["balanced_accuracy"] = .number(results.confusion.balancedAccuracy)
    object["cohen_kappa"] = results.confusion.kappa.map { .number($0) }
    object["matthews_correlation"] = .number(results.confusion.matthewsCorrelation)
    object["auc"] = area.map { .number($0) }
    object["expected_calibration_error"] = .number(results.calibration().expectedError)
    object["brier_score"] = .number(results.brierScore)
    for averaging in Averaging.allCases {
      let average = results.confusion.average(averaging)
      object[averaging.rawValue] = [
        "precision": .number(average.precision), "recall": .number(average.recall), "f1": .number(average.f1),
      ]
    }
    if isBinary {
      let ranking = results.ranking(ofClass: 1)
      object["average_precision"] = ranking.averagePrecision.map { .number($0) }
      object["best_f1"] = ranking.bestF1.map(json)
      object["best_youden"] = ranking.bestYouden.map(json)
    }
    object["classes"] = .array(classes)
    let count = results.classCount
    if count <= ClassificationReport.matrixLimit {
      object["confusion_matrix"] = .array(
        (0..<count).map { row in .array((0..<count).map { .integer(results.confusion[row, $0]) }) })
    }
    return object
  }

  private var classes: [JSON] {
    results.confusion.measures.enumerated().map { number, measures in
      var line: JSONObject = [
        "class": .integer(number), "name": .string(format.className(number)),
        "precision": .number(measures.precision), "recall": .number(measures.recall), "f1": .number(measures.f1),
        "support": .integer(measures.support),
      ]
      line["auc"] = areas.areas[number].map { .number($0) }
      let undefined = [
        ("precision", measures.isPrecisionUndefined), ("recall", measures.isRecallUndefined), ("f1", measures.isAbsent),
      ].filter(\.1)
      if !undefined.isEmpty { line["undefined"] = .array(undefined.map { .string($0.0) }) }
      return .object(line)
    }
  }

  private func json(_ point: OperatingPoint) -> JSON {
    [
      "threshold": JSON(point.threshold), "precision": .number(point.precision), "recall": .number(point.recall),
      "f1": .number(point.f1),
    ]
  }
}
