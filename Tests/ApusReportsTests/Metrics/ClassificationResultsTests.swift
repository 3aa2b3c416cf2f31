import Apus
import ApusTestSupport
import Testing

@testable import ApusReports

@Suite struct ClassificationResultsTests {
  private let fixture: MetricsFixture
  private let names: [String]

  init() throws {
    fixture = try MetricsFixture()
    names = fixture.cases(with: "labels")
  }

  private func results(_ name: String) throws -> ClassificationResults {
    let labels = try fixture.numbers(name, "labels").map { Int32($0) }
    let probabilities = try fixture.numbers(name, "probabilities").map { Float($0) }
    return try ClassificationResults(
      probabilities: probabilities, classes: probabilities.count / labels.count, labels: labels)
  }

  @Test func countsAndMeasuresEqualScikitLearn() throws {
    #expect(names.count >= 15)
    for name in names {
      let results = try results(name)
      let confusion = results.confusion
      try fixture.expect(confusion.counts.map(Double.init), name, "confusion")
      try fixture.expect(results.accuracy, name, "accuracy")
      try fixture.expect((1..<min(results.classCount, 6)).map { results.topAccuracy($0) }, name, "top")
      try fixture.expect(confusion.measures.map(\.precision), name, "precision")
      try fixture.expect(confusion.measures.map(\.recall), name, "recall")
      try fixture.expect(confusion.measures.map(\.f1), name, "f1")
      try fixture.expect(confusion.measures.map { Double($0.support) }, name, "support")
      for averaging in Averaging.allCases {
        let average = confusion.average(averaging)
        try fixture.expect([average.precision, average.recall, average.f1], name, averaging.rawValue)
      }
      try fixture.expect(confusion.balancedAccuracy, name, "balanced")
      try fixture.expect(confusion.kappa, name, "kappa")
      try fixture.expect(confusion.matthewsCorrelation, name, "matthews")
      try fixture.expect(results.logLoss, name, "log-loss")
      try fixture.expect(results.brierScore, name, "brier")
    }
  }

  @Test func areasAndCalibrationEqualScikitLearn() throws {
    for name in names {
      let results = try results(name)
      let areas = results.auc
      try fixture.expect(areas.classes, name, "areas")
      if areas.macro != nil {
        try fixture.expect([areas.macro, areas.weighted], name, "area")
      } else {
        #expect(!fixture.fixture.contains(name, "area") && areas.weighted == nil)
      }
      let precisions = (0..<results.classCount).map { results.ranking(ofClass: $0).averagePrecision }
      try fixture.expect(precisions, name, "average-precisions")
      let errors = [1, 7, 10, 15].map { results.calibration(bins: $0).expectedError }
      try fixture.expect(errors, name, "calibration-errors")
    }
  }

  @Test func curvesAndThresholdsEqualScikitLearn() throws {
    var compared = 0
    for name in names {
      let results = try results(name)
      for key in fixture.fixture.keys(of: name, "choice.") {
        let number = Int(key)!
        let ranking = results.ranking(ofClass: number)
        try expectCurves(ranking, name, key)
        for bins in [5, 10] {
          let curve = results.calibration(ofClass: number, bins: bins)
          #expect(curve.binCount == bins && curve.bins.reduce(0) { $0 + $1.count } == results.count)
          try fixture.expect(curve.bins.map(\.observedShare), name, "calibration-\(bins).share.\(key)")
          try fixture.expect(curve.bins.map(\.meanProbability), name, "calibration-\(bins).probability.\(key)")
        }
        let choices = [
          ranking.bestF1, ranking.bestYouden, ranking.best(precisionAtLeast: 0.6), ranking.best(recallAtLeast: 0.75),
        ]
        try fixture.expect(choices.map { $0.map { Double($0.threshold) } }, name, "choice.\(key)")
        for choice in choices.compactMap(\.self) { #expect(ranking.point(at: choice.threshold) == choice) }
        compared += 1
      }
    }
    #expect(compared >= 30)
  }

  private func expectCurves(_ ranking: RankedScores, _ name: String, _ key: String) throws {
    for (kind, isDropping) in [("roc", true), ("roc-all", false)] {
      let curve = ranking.rocCurve(droppingIntermediate: isDropping)
      #expect((curve != nil) == fixture.fixture.contains(name, "\(kind).fpr.\(key)"))
      guard let curve else { continue }
      try fixture.expect(curve.falsePositiveRates, name, "\(kind).fpr.\(key)")
      try fixture.expect(curve.truePositiveRates, name, "\(kind).tpr.\(key)")
      try fixture.expect(curve.thresholds.map(Double.init), name, "\(kind).thresholds.\(key)")
    }
    let curve = ranking.precisionRecallCurve
    #expect((curve != nil) == fixture.fixture.contains(name, "pr.recall.\(key)"))
    guard let curve else { return }
    try fixture.expect(curve.precisions.reversed(), name, "pr.precision.\(key)")
    try fixture.expect(curve.recalls.reversed(), name, "pr.recall.\(key)")
    try fixture.expect(curve.thresholds.dropFirst().reversed().map(Double.init), name, "pr.thresholds.\(key)")
  }

  @Test func absentClassesAreMarked() throws {
    let results = try ClassificationResults(
      probabilities: [0.5, 0.3, 0.2, 0.6, 0.4, 0], classes: 3, labels: [0, 1])
    let measures = results.confusion.measures
    #expect(measures.map(\.isAbsent) == [false, false, true])
    #expect(measures.map(\.isPrecisionUndefined) == [false, true, true])
    #expect(measures.map(\.isRecallUndefined) == [false, false, true])
    #expect(measures[1].precision == 0 && results.confusion.average(.macro).recall == 0.5)
  }

  /// If classes have equal `float32` probabilities, the ranks and the predicted class still follow from the logits. All
  /// measures that read probabilities use the `float32` probabilities.
  @Test func equalProbabilitiesAreRankedByTheirLogits() throws {
    let logits: [Float] = [0, 40, 39.999996, -3, 0, 0, 1, 2, 3]
    let results = try ClassificationResults(logits: logits, classes: 3, labels: [1, 2, 2])
    #expect(results.predicted == [1, 1, 2] && results.ranks == [0, 1, 0])
    #expect(results.topAccuracy(1) == results.accuracy && results.topAccuracy(2) == 1)
    let last = results.probabilities.suffix(3)
    for (share, expected) in zip(last, [0.09003057317038046, 0.24472847105479764, 0.6652409557748218] as [Float]) {
      #expect(abs(share - expected) <= expected.ulp)
    }
    let huge = try ClassificationResults(logits: [3e38, -3e38, 0, 0], classes: 2, labels: [0, 1])
    #expect(huge.probabilities == [1, 0, 0.5, 0.5] && huge.logLoss.isFinite)
  }

  @Test func aThresholdDecidesBetweenTwoClasses() throws {
    let probabilities: [Float] = [0.75, 0.25, 0.5, 0.5, 0.25, 0.75]
    func predicted(_ threshold: Double?) throws -> [Int32] {
      try ClassificationResults(probabilities: probabilities, classes: 2, labels: [0, 1, 1], threshold: threshold)
        .predicted
    }
    #expect(try predicted(nil) == [0, 0, 1])
    #expect(try predicted(0.5) == [0, 1, 1] && predicted(0.25) == [1, 1, 1] && predicted(0.76) == [0, 0, 0])
    let ranking = try RankedScores(
      scores: [0.25, 0.5, -0, 0, .infinity], isPositive: [true, false, true, false, true])
    #expect(ranking.thresholds == [.infinity, 0.5, 0.25, 0] && ranking.truePositives == [1, 1, 2, 3])
    let point = ranking.point(at: 0.3)
    #expect(point.threshold == 0.3 && point.truePositives == 1 && point.falsePositives == 1)
    #expect(ranking.point(at: .infinity).truePositives == 1 && ranking.point(at: -1).falsePositives == 2)
    let none = try RankedScores(scores: [], isPositive: [])
    #expect(none.point(at: 1).precision == 0 && none.bestF1 == nil && none.auc == nil)
  }

  @Test(
    arguments: [
      ([0.5, 0.5], 2, [2], nil, "example 0 has class 2, but there are"), ([0.5, 0.5], 2, [-1], nil, "has class -1"),
      ([], 2, [], nil, "there are no examples"), ([.nan, 0.5], 2, [0], nil, "output 0 for example 0 is nan"),
      ([0.5, 0.5, 1.5, 0], 2, [0, 1], nil, "the probability of class 0 for example 1 is 1.5"),
      ([0.5, 0.5, 0], 3, [0], 0.5, "a threshold needs two classes"), ([], 0, [1], nil, "0 classes"),
    ] as [([Float], Int, [Int32], Double?, String)])
  func whatCannotBeMeasuredIsRefused(
    probabilities: [Float], classes: Int, labels: [Int32], threshold: Double?, reason: String
  ) {
    let error = #expect(throws: MeasureError.self) {
      try ClassificationResults(
        probabilities: probabilities, classes: classes, labels: labels, threshold: threshold)
    }
    #expect("\(error!)".contains(reason), "\(error!)")
  }

  /// Youden's index is recall minus false-positive rate. With 4 positive and 4 negative examples it is a multiple of ¼.
  @Test func youdenIsRecallLessFalsePositiveRate() throws {
    let ranking = try RankedScores(
      scores: [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
      isPositive: [true, true, false, true, false, false, true, false])
    let points: [(threshold: Float, youden: Double)] = [
      (1, 0), (0.9, 0.25), (0.8, 0.5), (0.7, 0.25), (0.6, 0.5), (0.5, 0.25), (0.4, 0), (0.3, 0.25), (0.2, 0),
    ]
    for (threshold, youden) in points { #expect(ranking.point(at: threshold).youden == youden, "\(threshold)") }
    #expect(ranking.bestYouden == ranking.point(at: 0.8))
  }

  /// A hundred thousand scores are ranked in a short time; a quadratic algorithm would need 10¹⁰ comparisons.
  @Test func manyScoresAreSortedOnce() throws {
    let scores = (0..<100_000).map { Float(($0 * 7919) % 99_991) }
    let ranking = try RankedScores(scores: scores, isPositive: scores.map { $0 > 50_000 })
    #expect(ranking.auc == 1 && ranking.thresholds.count == 99_991)
    #expect(ranking.bestF1?.f1 == 1 && ranking.bestYouden?.threshold == 50_001)
    #expect(ranking.best(recallAtLeast: 0.5)?.precision == 1)
  }
}
