import Apus
import ApusTestSupport
import Testing

@testable import ApusReports

@Suite struct RegressionResultsTests {
  @Test func measuresEqualScikitLearn() throws {
    let fixture = try MetricsFixture()
    let names = fixture.cases(with: "predicted")
    #expect(names.count >= 8)
    for name in names {
      let targets = try fixture.numbers(name, "targets").map { Float($0) }
      let outputs = try fixture.numbers(name, "absolute.each").count
      let results = try RegressionResults(
        predicted: try fixture.numbers(name, "predicted").map { Float($0) }, targets: targets, outputs: outputs)
      #expect(results.count == targets.count / outputs)
      try fixture.expect(results.meanAbsoluteError, name, "absolute")
      try fixture.expect(results.meanAbsoluteErrors, name, "absolute.each")
      try fixture.expect(results.meanSquaredError, name, "squared")
      try fixture.expect(results.meanSquaredErrors, name, "squared.each")
      try fixture.expect(results.rootMeanSquaredError, name, "root")
      try fixture.expect(results.medianAbsoluteError, name, "median")
      try fixture.expect(results.medianAbsoluteErrors, name, "median.each")
      try fixture.expect(results.maximumError, name, "maximum")
      try fixture.expect(results.r2, name, "r2")
      try fixture.expect(results.r2PerOutput ?? [nil], name, "r2.each")
      try fixture.expect(results.varianceWeightedR2, name, "r2-weighted")
      try fixture.expect(results.explainedVariance, name, "explained")
      try fixture.expect(results.explainedVariances, name, "explained.each")
    }
  }

  @Test func residualsAreTargetsLessPredictions() throws {
    let results = try RegressionResults(predicted: [1, 2, 3, 4], targets: [2, 0, 3, 8], outputs: 2)
    #expect(results.residuals == [1, -2, 0, 4] && results.maximumError == 4)
  }

  @Test func emptyAndNonFiniteInputsAreRefused() {
    #expect(throws: MeasureError(reason: "there are no examples")) {
      try RegressionResults(predicted: [], targets: [])
    }
    #expect(
      throws: MeasureError(reason: "prediction 1 of example 1 is inf, not a finite number")
    ) { try RegressionResults(predicted: [0, 0, 0, .infinity], targets: [0, 0, 0, 0], outputs: 2) }
    #expect(throws: MeasureError(reason: "target 0 of example 0 is nan, not a finite number")) {
      try RegressionResults(predicted: [0], targets: [.nan])
    }
  }
}
