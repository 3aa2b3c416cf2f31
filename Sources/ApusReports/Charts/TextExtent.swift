/// The size of text in a drawing. No font is available when a drawing is made, and readers have different fonts. The
/// widths are approximately those of DejaVu Sans, which is wider than the fonts of most systems. So text seldom needs
/// more room than estimated.
enum TextExtent {
  /// The font size of labels, in pixels.
  static let size = 12.0
  /// The font size of small notes, in pixels.
  static let small = 10.5

  /// The width of a line in pixels.
  static func width(_ text: String, size: Double = TextExtent.size) -> Double {
    size * text.unicodeScalars.reduce(0) { $0 + width($1) }
  }

  /// The text, or its beginning with an ellipsis if the text is wider than `limit`.
  static func fitting(_ text: String, _ limit: Double, size: Double = TextExtent.size) -> String {
    // A text of 1000 bytes or more counts as too wide, so that it need not be measured as a whole.
    if text.utf8.count < 1000, width(text, size: size) <= limit { return text }
    var (kept, used) = ("", size * 0.9)
    for character in text {
      used += character.unicodeScalars.reduce(0) { $0 + width($1) } * size
      guard used <= limit else { break }
      kept.append(character)
    }
    while kept.last == " " { kept.removeLast() }
    return kept + "…"
  }

  /// The text, or its end after an ellipsis if the text is wider than `limit`: the end of a path is more informative.
  static func fittingEnd(_ text: String, _ limit: Double, size: Double = TextExtent.size) -> String {
    String(fitting(String(text.reversed()), limit, size: size).reversed())
  }

  /// The text in lines of at most `limit` pixels, broken between words. A text wider than `8 · limit`, and a word wider
  /// than `limit`, are cut and end in an ellipsis.
  static func lines(_ text: String, _ limit: Double, size: Double = TextExtent.size) -> [String] {
    var lines: [String] = []
    for word in fitting(text, 8 * limit, size: size).split(separator: " ") {
      if let last = lines.last, width("\(last) \(word)", size: size) <= limit {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(fitting(String(word), limit, size: size))
      }
    }
    return lines
  }

  /// The width of a character, in units of the font size.
  private static func width(_ scalar: Unicode.Scalar) -> Double {
    switch scalar {
    case "i", "j", "l", "I", "|", "'", ".", ",", ":", ";", " ", "\u{a0}", "!": 0.33
    case "f", "r", "t", "(", ")", "[", "]", "/", "\\", "\"", "-", "·": 0.41
    case "0"..."9", "a"..."z", "_", "*": scalar == "m" ? 0.98 : scalar == "w" ? 0.83 : 0.64
    case "A"..."Z": scalar == "M" || scalar == "W" ? 0.99 : scalar == "O" || scalar == "Q" ? 0.79 : 0.74
    case "+", "=", "<", ">", "×", "−", "#", "~", "&": 0.84
    case " "..."~": 0.95
    case "\u{0300}"..."\u{036f}", "\u{200b}"..."\u{200f}", "\u{fe00}"..."\u{fe0f}": 0
    case "\u{1100}"...: scalar.value >= 0x2000 && scalar.value < 0x2e80 ? 0.9 : 1.25
    default: 0.72
    }
  }
}
