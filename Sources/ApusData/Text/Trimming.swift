extension StringProtocol where UTF8View: BidirectionalCollection {
  /// The text without leading and trailing white space.
  package var trimmed: SubSequence {
    // Most texts, such as the cells of a table, begin and end with a visible ASCII character and are returned at once.
    let isVisible = { (byte: UInt8) in (0x21...0x7e).contains(byte) }
    if let first = utf8.first, let last = utf8.last, isVisible(first), isVisible(last) { return self[...] }
    guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace }) else {
      return self[endIndex...]
    }
    return self[start...end]
  }
}
