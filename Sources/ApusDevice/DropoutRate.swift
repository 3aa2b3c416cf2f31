/// The probability with which dropout drops an element, in `0 ..< 1`. The layers and the attention step derive two
/// numbers from it: the probability that an element is kept, and the factor by which kept elements are multiplied.
package struct DropoutRate: Hashable, Sendable {
  private let rate: Double

  package init(_ rate: Double) { self.rate = rate }

  /// The probability that an element is kept.
  package var keptProbability: Double { 1 - rate }
  /// The factor by which kept elements are multiplied, so that dropout does not change the expected value.
  package var factor: Double { 1 / keptProbability }
}
