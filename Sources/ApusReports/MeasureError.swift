/// The error that is thrown if no measure (metric) can be computed from the given outputs, labels or targets.
public struct MeasureError: Error, Hashable, Sendable {
  /// Which value is unsuitable, and why.
  public var reason: String

  public init(reason: String) { self.reason = reason }
}

extension MeasureError: CustomStringConvertible {
  public var description: String {
    "the results cannot be measured: \(reason.printable(limit: 4096, keepsLines: true))"
  }
}
