import Glibc

/// A line of text for a terminal, made of fields. If the line is too long, less important fields are left out.
struct StatusLine {
  /// A field of the line.
  struct Field: Hashable {
    var text: String
    /// The field with the highest rank is left out first; of fields with equal ranks, the last one first.
    var rank: Int

    init(_ text: String, rank: Int) { (self.text, self.rank) = (text, rank) }
  }

  private var fields: [Field]

  init(_ fields: [Field]) { self.fields = fields }

  /// All fields, two spaces apart.
  var text: String { fields.map(\.text).joined(separator: "  ") }

  /// The fields that fit into `width` columns; if one field remains and is too long, it is truncated.
  func fitted(to width: Int) -> String {
    var line = self
    while line.text.displayWidth > width, line.fields.count > 1 {
      let last = line.fields.indices.max { (line.fields[$0].rank, $0) < (line.fields[$1].rank, $1) }!
      line.fields.remove(at: last)
    }
    return line.text.prefix(displayWidth: width)
  }
}

extension String {
  /// The number of terminal columns that the text occupies.
  var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

  /// The longest prefix that fits into `limit` columns.
  func prefix(displayWidth limit: Int) -> String {
    var width = 0
    return String(
      prefix { character in
        width += character.displayWidth
        return width <= limit
      })
  }
}

extension Character {
  /// The columns of a character: 0 for combining marks and control characters, 2 for wide characters of East Asian
  /// scripts and emoji, otherwise 1 (Unicode Standard Annex 11).
  fileprivate var displayWidth: Int {
    if let ascii = asciiValue { return ascii < 32 || ascii == 127 ? 0 : 1 }
    let first = unicodeScalars.first!
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    if first.properties.isEmojiPresentation || unicodeScalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
    return Self.wide.contains { $0.contains(first.value) } ? 2 : 1
  }

  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
  ]
}

/// Properties of a terminal.
enum Terminal {
  /// The current number of columns; 80 if the terminal does not report it, or the descriptor is no terminal.
  static func width(of descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
