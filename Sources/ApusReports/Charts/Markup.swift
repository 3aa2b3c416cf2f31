/// A fragment of XML, SVG or HTML.
///
/// The names of elements and attributes are literals in the source code. Texts and the values of attributes are
/// escaped, so that nothing that is read from a file can become markup.
public struct Markup: Hashable, Sendable {
  /// The markup, as it is written to a file.
  public private(set) var source = ""

  /// Creates empty markup.
  public init() {}

  /// Escaped text. Characters that XML does not allow, or that change the direction of text, are replaced.
  public static func text(_ text: String) -> Markup {
    var markup = Markup()
    markup.append(escaping: text)
    return markup
  }

  /// Text of this module that is already markup, such as style rules.
  static func verbatim(_ text: String) -> Markup {
    var markup = Markup()
    markup.source = text
    return markup
  }

  /// An element with its content; with `isVoid` an element that closes itself and has no content.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, Value>, isVoid: Bool = false,
    _ content: Markup = Markup()
  ) -> Markup {
    var markup = Markup()
    markup.source = "<\(name)"
    for (key, value) in attributes {
      markup.source += " \(key)=\""
      switch value {
      case .number(let number): markup.source += number.coordinate
      case .text(let text): markup.append(escaping: text)
      }
      markup.source += "\""
    }
    if isVoid {
      markup.source += "/>"
    } else {
      markup.source += ">"
      markup.source += content.source
      markup.source += "</\(name)>"
    }
    return markup
  }

  /// An element without attributes.
  static func element(_ name: StaticString, _ content: Markup) -> Markup { element(name, [:], content) }

  /// The value of an attribute.
  enum Value: Sendable, ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    case number(Double)
    case text(String)

    init(stringLiteral value: String) { self = .text(value) }
    init(floatLiteral value: Double) { self = .number(value) }
    init(integerLiteral value: Int) { self = .number(Double(value)) }
  }

  static func + (one: Markup, other: Markup) -> Markup {
    var sum = one
    sum += other
    return sum
  }

  static func += (one: inout Markup, other: Markup) { one.source += other.source }

  private mutating func append(escaping text: String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": source += "&amp;"
      case "<": source += "&lt;"
      case ">": source += "&gt;"
      case "\"": source += "&quot;"
      case "'": source += "&#39;"
      case "\n", "\t": source.unicodeScalars.append(scalar)
      case "\u{0}"..<" ", "\u{7f}"..."\u{9f}", "\u{fffe}", "\u{ffff}", "\u{202a}"..."\u{202e}",
        "\u{2066}"..."\u{2069}":
        source += "\u{fffd}"
      default: source.unicodeScalars.append(scalar)
      }
    }
  }
}

extension [Markup] {
  /// The fragments, concatenated.
  func joined() -> Markup { reduce(into: Markup()) { $0 += $1 } }
}

extension Double {
  /// The number as a coordinate of a drawing: at most two decimal places, without trailing zeros.
  var coordinate: String {
    guard isFinite, magnitude < 1e9 else { return "0" }
    let hundredths = Int((self * 100).rounded())
    let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }
}
