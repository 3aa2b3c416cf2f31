/// Outputs, labels or targets from which no measure can be computed.
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
