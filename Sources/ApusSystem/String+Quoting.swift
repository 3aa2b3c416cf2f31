/// Formats untrusted text, such as names, paths and the contents of files, for messages. The text can have any length
/// and content: characters that move a terminal's cursor or change the writing direction are escaped, and long text is
/// truncated in the middle.
extension StringProtocol {
  /// The text in double quotes, escaped and truncated: for a name or value inside a message.
  package func quoted(limit: Int = 80) -> String { "\"\(printable(limit: limit))\"" }

  /// The text, escaped and truncated.
  ///
  /// Control characters, characters that set the writing direction, invisible characters and line separators become
  /// escapes such as `\u{1B}`.
  ///
  /// - Parameters:
  ///   - limit: the largest number of Unicode scalars to keep, half from the beginning and half from the end
  ///   - keepsLines: whether line feeds and tabs stay as they are
  package func printable(limit: Int = 512, keepsLines: Bool = false) -> String {
    let scalars = unicodeScalars
    // Nearly all texts are short and consist of printable ASCII characters. They need no escapes.
    if utf8.count <= limit, utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return String(self) }
    let half = limit / 2
    guard let cut = scalars.index(scalars.startIndex, offsetBy: limit + 1, limitedBy: scalars.endIndex),
      cut <= scalars.endIndex
    else { return escaped(scalars[...], keepsLines) }
    let start = scalars.index(scalars.startIndex, offsetBy: limit - half)
    let end = scalars.index(scalars.endIndex, offsetBy: -half)
    let omitted = utf8.distance(from: start, to: end)
    return escaped(scalars[..<start], keepsLines) + " … \(omitted) bytes … " + escaped(scalars[end...], keepsLines)
  }
}

extension [String] {
  /// The list for a sentence: `standard, minmax or none` with the word `or`.
  package func list(_ word: String) -> String {
    guard count > 1 else { return first ?? "" }
    return dropLast().joined(separator: ", ") + " \(word) " + self[count - 1]
  }
}

private func escaped(_ scalars: some Collection<Unicode.Scalar>, _ keepsLines: Bool) -> String {
  var result = String.UnicodeScalarView()
  for scalar in scalars {
    if scalar.isVisible || keepsLines && (scalar == "\n" || scalar == "\t") {
      result.append(scalar)
    } else {
      result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
    }
  }
  return String(result)
}

extension Unicode.Scalar {
  fileprivate var isVisible: Bool {
    if value < 0x7F { return value >= 0x20 }
    switch properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate: return false
    // U+200C and U+200D control whether neighboring characters join, in some scripts and in emoji.
    case .format: return value == 0x200C || value == 0x200D
    default: return true
    }
  }
}
