/// A piece of XML, SVG or HTML.
///
/// It is put together from elements whose names are written in the source; text and the values of attributes are escaped
/// on the way in, so that nothing which is read from a file can become markup.
public struct Markup: Hashable, Sendable {
  /// The markup, as it is written to a file.
  public private(set) var source = ""

  /// Nothing.
  public init() {}

  /// Text, escaped. What XML has no place for, and what turns the direction of the text behind it, is replaced.
  public static func text(_ text: String) -> Markup {
    var markup = Markup()
    markup.append(escaping: text)
    return markup
  }

  /// Text of the module's own that is markup already: rules of style, and whole pages of it.
  static func verbatim(_ text: String) -> Markup {
    var markup = Markup()
    markup.source = text
    return markup
  }

  /// An element with its content; one without content closes itself where `isVoid`.
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
  /// One behind the other.
  func joined() -> Markup { reduce(into: Markup()) { $0 += $1 } }
}

extension Double {
  /// The number as a coordinate of a picture: at most two decimal places, none that are zero.
  var coordinate: String {
    guard isFinite, magnitude < 1e9 else { return "0" }
    let hundredths = Int((self * 100).rounded())
    let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }
}
