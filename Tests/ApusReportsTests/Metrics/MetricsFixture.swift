import ApusTestSupport
import Testing

/// Results of scikit-learn, and the tolerances of the comparison.
struct MetricsFixture {
  let fixture: Fixture

  init() throws { fixture = try Fixture("metrics") }

  /// The names of the cases that have a key.
  func cases(with key: String) -> [String] { fixture.cases.filter { fixture.contains($0, key) } }

  func numbers(_ name: String, _ key: String) throws -> [Double] { try fixture.numbers(name, key) }

  /// Compares numbers with the fixture, within `10⁻¹² · max(1, |expected|)`. NaN in the fixture stands for `nil`.
  func expect(
    _ found: [Double?], _ name: String, _ key: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try numbers(name, key)
    try #require(found.count == expected.count, "\(name) \(key)", sourceLocation: sourceLocation)
    for (place, pair) in zip(found, expected).enumerated() {
      let isEqual: Bool
      if let value = pair.0 {
        isEqual = value == pair.1 || abs(value - pair.1) <= 1e-12 * max(1, abs(pair.1))
      } else {
        isEqual = pair.1.isNaN
      }
      #expect(
        isEqual, "\(name) \(key) \(place): \(pair.0.map { "\($0)" } ?? "nil"), expected \(pair.1)",
        sourceLocation: sourceLocation)
    }
  }

  func expect(
    _ found: Double?, _ name: String, _ key: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expect([found], name, key, sourceLocation: sourceLocation)
  }
}
