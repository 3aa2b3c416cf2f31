extension StringProtocol where UTF8View: BidirectionalCollection {
  /// Without the white space around it.
  package var trimmed: SubSequence {
    // Most texts begin and end with a visible character of ASCII: cells of tables, by the million.
    let isVisible = { (byte: UInt8) in (0x21...0x7e).contains(byte) }
    if let first = utf8.first, let last = utf8.last, isVisible(first), isVisible(last) { return self[...] }
    guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace }) else {
      return self[endIndex...]
    }
    return self[start...end]
  }
}
