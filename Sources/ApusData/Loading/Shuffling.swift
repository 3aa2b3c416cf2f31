extension Array {
  /// The elements in random order, by the Fisher-Yates shuffle: each element, from the last one backwards, is swapped
  /// with an element at the same or an earlier index.
  /// - Parameter draw: returns a number in `0 ..< bound`. It is called with each `position` from the last index to 1,
  ///   and `bound = position + 1`.
  func shuffled(drawing draw: (_ bound: Int, _ position: Int) -> Int) -> [Element] {
    var order = self
    for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, draw(last + 1, last)) }
    return order
  }
}
