import Apus
import ApusTestSupport
import Testing

@testable import ApusReports

@Suite struct LearningCurveTests {
  @Test func everySizeIsRunWithEverySeed() throws {
    var seen: [UInt64: [Set<Int32>]] = [:]
    let labels = (0..<40).map { Int32($0 % 4) }
    let curve = LearningCurve.measuring(
      sizes: LearningCurve.sizes(fractions: [0.5, 0.1, 2, 1, -1], of: 40), seeds: [3, 4, 5], labels: labels
    ) { subset, seed in
      seen[seed, default: []].append(Set(subset))
      return (Double(subset.count) / 100, Double(seed) / Double(subset.count))
    }
    #expect(curve.points.map(\.size) == [1, 4, 20, 40])
    for subsets in seen.values {
      #expect(subsets.map(\.count) == [1, 4, 20, 40])
      #expect(zip(subsets, subsets.dropFirst()).allSatisfy { $0.isSubset(of: $1) })
    }
    #expect(seen[3]?[1] != seen[4]?[1])
    let point = curve.points[1]
    #expect(point.runs.map(\.seed) == [3, 4, 5] && point.train.mean == 0.04 && point.train.deviation == 0)
    #expect(point.validation == LearningCurve.Spread([0.75, 1, 1.25]) && point.validation.deviation == 0.25)
    #expect(LearningCurve.Spread([1]).deviation == nil)
    #expect(curve.text.contains("4 examples: training error 0.0400 ± 0.0000, validation error 1.0000 ± 0.2500"))
    #expect(curve.json["points"]?.array?[1]["runs"]?.array?.count == 3)
  }

  @Test func errorsOfARunAreThrown() {
    struct Failure: Error, Equatable {}
    #expect(throws: Failure()) {
      _ = try LearningCurve.measuring(sizes: [2], seeds: [0], count: 4) { _, _ in throw Failure() }
    }
  }

  /// Fitted power laws agree with those of SciPy's `curve_fit`, which gets the same bounds for the parameters.
  @Test func fitsEqualSciPy() throws {
    let fixture = try MetricsFixture()
    let names = fixture.cases(with: "law")
    #expect(names.count == 4)
    for name in names {
      let points = zip(try fixture.numbers(name, "sizes"), try fixture.numbers(name, "errors"))
      let expected = try fixture.numbers(name, "law")
      let fitted = try #require(PowerLaw.fit(points.map { ($0, $1) }).fitted)
      let found = [fitted.law.asymptote, fitted.law.scale, fitted.law.exponent]
      for (one, other) in zip(found, expected) {
        #expect(abs(one - other) <= 1e-4 * max(other, 1e-2), "\(name) \(found)")
      }
      #expect(abs(fitted.residual - (try fixture.numbers(name, "residual")[0])) <= 1e-8, "\(name)")
    }
  }

  @Test func errorsAreExtrapolatedToMoreData() throws {
    let points = [100, 200, 400, 800, 1600].map { (size: Double($0), error: 0.1 + 3 / Double($0).squareRoot()) }
    let fitted = try #require(PowerLaw.fit(points).fitted)
    let more = fitted.extrapolated()
    #expect(more.size == 3200 && abs(more.error - (0.1 + 3 / 3200.0.squareRoot())) < 1e-7)
    #expect(abs(more.gain - (0.075 - 3 / 3200.0.squareRoot())) < 1e-7)
    let range = try #require(more.range)
    #expect(range.upperBound - range.lowerBound < 1e-5 && range.contains(more.error))
    let four = try #require(PowerLaw.fit(Array(points.prefix(4))).fitted)
    #expect(four.extrapolated(by: 4).range == nil && four.extrapolated(by: 4).size == 3200)
    #expect(PowerLaw.fit(points).text.contains("extrapolated to 3,200 examples, twice the largest size"))
    let largest = try #require(PowerLaw.fit(points).fitted).law.error(at: 1600)
    #expect(PowerLaw.fit(points).text.contains("; the fitted error at the largest size is \(largest.text(places: 4))"))
    #expect(PowerLaw.fit(points).json["extrapolated"]?["examples"]?.number == 3200)
  }

  @Test(
    arguments: [
      ([(1, 1), (2, 0.5), (3, 0.4)], "needs at least four sizes, not 3"),
      ([(1, 1), (1, 2), (1, 3), (1, 4)], "needs at least four sizes, not 1"),
      ([(1, 0.1), (2, 0.2), (4, 0.3), (8, 0.4)], "errors do not fall"),
      ([(1, 0.1), (2, 0.1), (4, 0.1), (8, 0.1)], "errors do not fall"),
      ([(1, 1), (2, 0.1), (4, 0.1), (8, 0.1)], "the errors do not follow"),
      ([(0, 1), (2, 0.1), (4, 0.1), (8, 0.1)], "must be finite numbers"),
      ([(1, 1), (2, .nan), (4, 0.1), (8, 0.1)], "must be finite numbers"),
    ] as [([(Double, Double)], String)])
  func curvesWithoutAFitGiveTheReason(points: [(Double, Double)], reason: String) {
    let fit = PowerLaw.fit(points.map { ($0.0, $0.1) })
    #expect(fit.fitted == nil && fit.text.contains(reason) && fit.json["reason"] != nil, "\(fit)")
  }
}
