import Apus
import Testing

@testable import ApusReports

@Suite struct BiasVarianceTests {
  private func verdict(_ train: Double, _ validation: Double, bayes: Double = 0, count: Int = 10_000)
    -> BiasVariance.Verdict
  {
    BiasVariance(
      train: MeasuredError(wrong: Int((train * Double(count)).rounded()), of: count),
      validation: MeasuredError(wrong: Int((validation * Double(count)).rounded()), of: count), bayes: bayes
    ).verdict
  }

  /// The first five examples and their diagnoses are from the book Machine Learning Yearning, chapters 20 to 22.
  @Test func verdictsFollowTheBook() {
    #expect(verdict(0.01, 0.11) == .variance)
    #expect(verdict(0.15, 0.16) == .bias)
    #expect(verdict(0.15, 0.30) == .both)
    #expect(verdict(0.005, 0.01) == .low)
    #expect(verdict(0.15, 0.30, bayes: 0.14) == .variance)
    #expect(verdict(0.15, 0.155, bayes: 0.145) == .low)
    // The example of the accompanying course: training error 8 %, validation error 10 %, and two error rates of humans.
    #expect(verdict(0.08, 0.10, bayes: 0.01) == .bias)
    #expect(verdict(0.08, 0.10, bayes: 0.075) == .variance)
  }

  /// A bias or variance of at most 1.96 standard errors does not count. With fewer than ten training or validation
  /// examples, the verdict is always `low`.
  @Test func chanceIsNotAFinding() {
    // 5 and 10 wrong of 100: the standard error of the difference is 3.9 %. It is estimated from the rates
    // (5 + 1) / (100 + 2) and (10 + 1) / (100 + 2).
    let few = BiasVariance(train: MeasuredError(wrong: 5, of: 100), validation: MeasuredError(wrong: 10, of: 100))
    let (p, q) = (6.0 / 102, 11.0 / 102)
    let expected = 1.96 * ((p * (1 - p) + q * (1 - q)) / 102).squareRoot()
    #expect(abs(few.varianceMargin - expected) < 1e-15 && abs(few.variance - 0.05) < 1e-15)
    #expect(few.verdict == .bias)
    #expect(verdict(0.05, 0.10, count: 100) == .bias && verdict(0.05, 0.10, count: 1000) == .both)
    // With nine examples the verdict is `low`, even if all nine are predicted wrongly.
    let nine = BiasVariance(train: MeasuredError(wrong: 0, of: 90), validation: MeasuredError(wrong: 9, of: 9))
    #expect(nine.verdict == .low && nine.notes.first?.contains("9 examples are too few") == true)
    let ten = BiasVariance(train: MeasuredError(wrong: 0, of: 90), validation: MeasuredError(wrong: 10, of: 10))
    #expect(ten.verdict == .variance && ten.notes.isEmpty)
  }

  @Test func gapsBelowZeroAreNoted() {
    let result = BiasVariance(
      train: MeasuredError(wrong: 200, of: 1000), validation: MeasuredError(wrong: 100, of: 1000), bayes: 0.3)
    #expect(result.verdict == .low && result.notes.count == 2 && result.variance == -0.1)
    #expect(result.text.contains("note: the validation error is below"))
  }

  @Test func lossesHaveTheStandardErrorOfTheirMean() {
    let error = MeasuredError(losses: [1, 2, 3, 6])
    #expect(error.value == 3 && error.count == 4 && abs(error.squaredDeviation - 14.0 / 3 / 4) < 1e-15)
    let one = MeasuredError(losses: [1])
    #expect(one.squaredDeviation == .infinity)
    let many = (0..<100).map { Double($0 % 2) }
    let result = BiasVariance(
      train: MeasuredError(losses: many), validation: MeasuredError(losses: many.map { $0 + 4 }), bayes: 0.45)
    #expect(result.verdict == .variance)
  }

  @Test func classesAndSlicesHaveTheirOwnVerdict() throws {
    // Class 1 is predicted correctly for training examples and wrongly for validation examples. Class 2 is always
    // predicted wrongly. Class 3 has no examples.
    func results(_ wrong: [Bool]) throws -> ClassificationResults {
      let labels = (0..<150).map { Int32($0 % 3) }
      let probabilities = labels.flatMap { label in
        (0..<4).map { Int32($0) == (wrong[Int(label)] ? (label + 1) % 3 : label) ? Float(1) : 0 }
      }
      return try ClassificationResults(probabilities: probabilities, classes: 4, labels: labels)
    }
    let (train, test) = (try results([false, false, true]), try results([false, true, true]))
    let even = (0..<50).map { $0 * 3 }
    let report = try BiasVarianceReport(
      train: train, validation: test, classNames: ["a", "b"],
      slices: [
        BiasVarianceReport.Slice(name: "of a", train: even, validation: even),
        BiasVarianceReport.Slice(name: "of b", validation: even.map { $0 + 1 }),
        BiasVarianceReport.Slice(name: "empty", validation: []),
      ])
    #expect(report.overall.verdict == .both)
    #expect(report.classes.map(\.name) == ["a", "b", "2"])
    #expect(report.classes.map(\.result.verdict) == [.low, .variance, .bias])
    #expect(report.slices.map(\.name) == ["of a", "of b"])
    // The second slice uses the training error of all examples: a third.
    #expect(report.slices.map(\.result.verdict) == [.low, .both])
    #expect(report.text.contains("class b: variance (avoidable bias 0.0 %, variance 100.0 %)"))
    #expect(report.json["classes"]?.array?.count == 3 && report.json["verdict"]?.string == "both")
    #expect(report.json["slices"]?.array?[1]["train_error"]?.number == report.overall.train.value)
    let error = #expect(throws: MeasureError.self) {
      try BiasVarianceReport(
        train: train, validation: test, slices: [BiasVarianceReport.Slice(name: "far", validation: [150])])
    }
    #expect("\(error!)".contains("slice far has the example 150, but there are only 150 examples"))
  }

  @Test func remediesComeWithTheVerdict() {
    typealias Verdict = BiasVariance.Verdict
    #expect(Verdict.low.remedies.isEmpty && Verdict.bias.remedies[0].contains("larger network"))
    #expect(Verdict.variance.remedies[0].contains("more training data"))
    #expect(Verdict.both.remedies == Verdict.bias.remedies + Verdict.variance.remedies)
    let result = BiasVariance(
      train: MeasuredError(wrong: 100, of: 1000), validation: MeasuredError(wrong: 110, of: 1000))
    #expect(result.text.contains("verdict: high bias") && result.text.contains("\ntry a larger network"))
    #expect(result.json["remedies"]?.array?.count == 4 && result.json["avoidable_bias"]?.number == 0.1)
  }
}
