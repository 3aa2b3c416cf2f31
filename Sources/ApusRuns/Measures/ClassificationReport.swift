import Apus

/// The measures (metrics) of a classifier, as text and as JSON.
package struct ClassificationReport {
  package let results: ClassificationResults
  package let format: any DataFormat
  /// The `k` of the top-k accuracy; `nil` for none.
  package let top: Int?
  private let auc: ClassAUC

  /// The largest number of classes for which the JSON contains the confusion matrix.
  private static let matrixLimit = 100

  package init(_ results: ClassificationResults, _ format: any DataFormat, top: Int?) {
    self.results = results
    self.format = format
    self.top = top
    auc = results.auc
  }

  private var isBinary: Bool { results.classCount == 2 }
  /// The text for a measure that is undefined, such as a ratio of 0 to 0.
  static let undefined = "-"

  // MARK: - Text

  /// One row for each measure, and for two classes the best thresholds. The log loss is left out, because the
  /// evaluation reports it as the loss.
  package var rows: [(String, String)] {
    var rows = results.measures(top: top).filter { $0.key != "log_loss" }.map {
      ($0.name, $0.value?.text(places: 4) ?? ClassificationReport.undefined)
    }
    if isBinary {
      let ranking = results.ranking(ofClass: 1)
      let name = format.className(1)
      let points = [("best F1 of \(name)", ranking.bestF1), ("best Youden index of \(name)", ranking.bestYouden)]
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
  package var table: String {
    var table = TextTable("CLASS", "PRECISION", "RECALL", "F1", "AUC", "SUPPORT")
    let none = ClassificationReport.undefined
    for (number, measures) in results.confusion.measures.enumerated() {
      table.append(
        format.className(number), measures.isPrecisionUndefined ? none : measures.precision.text(places: 4),
        measures.isRecallUndefined ? none : measures.recall.text(places: 4),
        measures.isAbsent ? none : measures.f1.text(places: 4), auc.classes[number]?.text(places: 4) ?? none,
        measures.support.grouped)
    }
    for averaging in Averaging.allCases {
      let average = results.confusion.average(averaging)
      let area: Double? =
        switch averaging {
        case .macro: auc.macro
        case .micro: nil
        case .weighted: auc.weighted
        }
      table.append(
        "\(averaging.rawValue) average", average.precision.text(places: 4), average.recall.text(places: 4),
        average.f1.text(places: 4), area?.text(places: 4) ?? none, results.count.grouped)
    }
    return table.text
  }

  // MARK: - JSON

  /// The members of the JSON summary. If a measure of a class is 0/0, it is written as 0, and the member `undefined` of
  /// the class lists the name of the measure.
  package var json: JSONObject {
    var object = JSONObject()
    for measure in results.measures(top: top) { object[measure.key] = measure.value.map { .number($0) } }
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
        ResultKey.label: .integer(number), ResultKey.className: .string(format.className(number)),
        "precision": .number(measures.precision), "recall": .number(measures.recall), "f1": .number(measures.f1),
        "support": .integer(measures.support),
      ]
      line["auc"] = auc.classes[number].map { .number($0) }
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
