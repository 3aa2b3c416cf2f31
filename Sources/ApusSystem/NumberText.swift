// Formats numbers for messages. The functions are members of `Int` and `Double`, because Swift finds members even in
// files that do not import this module.

extension Int {
  /// A size in bytes: `512 B`, `3.1 GiB`.
  package var byteText: String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    guard magnitude >= 1024 else { return "\(self) B" }
    var value = Double(self) / 1024
    var unit = 0
    while value.magnitude >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return "\(value.text(places: 1)) \(units[unit])"
  }

  /// The digits in groups of three: `61,706`.
  package var grouped: String {
    var text = ""
    for (index, digit) in String(magnitude).reversed().enumerated() {
      if index > 0, index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (self < 0 ? "-" : "") + String(text.reversed())
  }

  /// This count of things, with the singular of `noun` for 1: `1 row`, `2,000 rows`.
  package func text(of noun: String) -> String { "\(grouped) \(noun)\(self == 1 ? "" : "s")" }
}

extension Double {
  /// The number with a fixed count of decimal places: `0.8783`. A number that is not finite or would have more than 15
  /// digits is in Swift's notation.
  package func text(places: Int) -> String {
    let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
    guard isFinite, magnitude * scale < 1e15 else { return "\(self)" }
    let whole = Int((magnitude * scale).rounded())
    let digits = String(whole % Int(scale))
    let fraction = places > 0 ? "." + String(repeating: "0", count: places - digits.count) + digits : ""
    return (self < 0 ? "-" : "") + String(whole / Int(scale)) + fraction
  }

  /// A fraction in percent: `87.8 %`. `space` separates the number and the sign, for example a no-break space.
  package func percent(places: Int, space: Character = " ") -> String {
    "\((100 * self).text(places: places))\(space)%"
  }

  /// This duration in seconds, rounded to a whole number and clamped to `0 ... 1e9`, for messages.
  package var wholeSeconds: Int { Int(Swift.min(Swift.max(self, 0), 1e9).rounded()) }

  /// The number in Swift's notation, whole numbers as integers: `3`, `0.25`.
  package var shortText: String { Int(exactly: self).map(String.init) ?? "\(self)" }
}
