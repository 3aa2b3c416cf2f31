extension JSON {
  /// The text of the value, on one line or indented by two spaces. The members of an object keep their order, so the
  /// text of a value is always the same.
  ///
  /// Floating-point numbers are written with the fewest digits that restore them exactly. JSON has no infinities and no
  /// NaN: they are written as `null`.
  public func text(indented: Bool = false) -> String {
    var text = ""
    write(to: &text, indentation: indented ? 0 : nil)
    return text
  }

  private func write(to text: inout String, indentation: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? value.description : "null"
    case .string(let value): JSON.write(value, to: &text)
    case .array(let values):
      // Arrays of plain values, such as shapes, stay on one line.
      let isPlain = values.allSatisfy { $0.array == nil && $0.object == nil }
      JSON.writeList("[", "]", values, to: &text, indentation: isPlain ? nil : indentation) {
        $0.write(to: &$1, indentation: $2)
      }
    case .object(let members):
      JSON.writeList("{", "}", Array(members), to: &text, indentation: indentation) {
        JSON.write($0.key, to: &$1)
        $1 += $2 == nil ? ":" : ": "
        $0.value.write(to: &$1, indentation: $2)
      }
    }
  }

  private static func writeList<Element>(
    _ opening: String, _ closing: String, _ elements: [Element], to text: inout String, indentation: Int?,
    _ body: (Element, inout String, Int?) -> Void
  ) {
    let inner = indentation.map { $0 + 2 }
    text += opening
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      body(element, &text, inner)
    }
    if let indentation, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indentation) }
    text += closing
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<" ", "\u{7f}"..."\u{9f}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
