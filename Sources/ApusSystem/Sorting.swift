extension Sequence {
  /// The elements in ascending order by `precedes`, like `sorted(by:)`: stable, with O(n log n) comparisons.
  ///
  /// Each use of `sorted(by:)` compiles its own copy of the sort algorithm, 3 KB of code. All uses of this function
  /// share one copy, which sorts the positions of the elements. The compiler cannot inline `precedes` into it, so large
  /// arrays of numbers are sorted with `sorted(by:)`.
  @inlinable
  package func sortedArray(by precedes: (Element, Element) throws -> Bool) rethrows -> [Element] {
    let elements = Array(self)
    let order = try sortedPositions(elements.count) { try precedes(elements[$0], elements[$1]) }
    return order.map { elements[$0] }
  }
}

/// The numbers 0 to `count` − 1 in ascending order by `precedes`.
@usableFromInline @inline(never)
package func sortedPositions(_ count: Int, by precedes: (Int, Int) throws -> Bool) rethrows -> [Int] {
  try (0..<count).sorted(by: precedes)
}
