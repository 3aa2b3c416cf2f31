extension Range<Int> {
  /// The first number of the range for which `isBefore` is false, by binary search; the upper bound if there is none.
  /// - Precondition: after a number for which `isBefore` is false, it is false for all numbers.
  @inlinable
  package func partitionPoint(_ isBefore: (Int) throws -> Bool) rethrows -> Int {
    var (low, high) = (lowerBound, upperBound)
    while low < high {
      let middle = (low + high) / 2
      if try isBefore(middle) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
