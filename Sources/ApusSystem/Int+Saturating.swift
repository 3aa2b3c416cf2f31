// Saturating arithmetic on counts: a result that does not fit is `Int.max`. No tensor has an extent of `Int.max`, so an
// extent of this value means an overflow.

extension Int {
  /// The product of two numbers that are not negative; `Int.max` on overflow.
  @inlinable
  package func saturatingProduct(_ other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }

  /// The sum of two numbers that are not negative; `Int.max` on overflow.
  @inlinable
  package func saturatingSum(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
