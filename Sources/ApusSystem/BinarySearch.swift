extension Range<Int> {
  /// The first number of the range for which `isBefore` is false, by binary search; the upper bound if there is none.
  /// - Precondition: if `isBefore` is false for a number, it is false for all larger numbers.
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
