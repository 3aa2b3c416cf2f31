import Glibc

/// The tick marks of an axis and their labels.
struct Ticks: Hashable, Sendable {
  struct Tick: Hashable, Sendable {
    var value: Double
    /// The label, which is empty for marks without a number.
    var label: String
  }

  var ticks: [Tick]

  /// About `count` marks within the range, at the multiples of a step, which is 1, 2 or 5 times a power of ten
  /// (Heckbert: "Nice numbers for graph labels", 1990).
  /// - Parameter isInteger: whether marks between whole numbers are left out.
  static func linear(_ range: ClosedRange<Double>, count: Int, isInteger: Bool = false) -> Ticks {
    let (low, high) = (range.lowerBound, range.upperBound)
    var step = nice((high - low) / Double(max(count, 1)))
    if isInteger { step = max(1, step.rounded()) }
    let (first, last) = ((low / step - 1e-9).rounded(.up), (high / step + 1e-9).rounded(.down))
    guard first <= last, last - first < 1000, first.magnitude < 1e15 else {
      return Ticks(ticks: [Tick(value: low, label: label(low, step: 0))])
    }
    return Ticks(
      ticks: stride(from: first, through: last, by: 1).map { index in
        let value = index * step
        return Tick(value: value, label: label(value, step: step))
      })
  }

  /// Marks at powers of ten; at most `count` of them have labels. A range with fewer than three powers of ten also has
  /// marks at 2 and 5 times a power of ten. If there are still fewer than three marks, the marks of a linear axis are
  /// used.
  static func logarithmic(_ range: ClosedRange<Double>, count: Int) -> Ticks {
    let (low, high) = (log10(range.lowerBound), log10(range.upperBound))
    let (first, last) = (Int((low - 1e-9).rounded(.up)), Int((high + 1e-9).rounded(.down)))
    if last - first >= 2 {
      let every = max(1, (last - first + count) / max(count, 1))
      return Ticks(
        ticks: (first...last).map { exponent in
          let value = pow(10, Double(exponent))
          return Tick(value: value, label: (exponent - first) % every == 0 ? label(value, step: value) : "")
        })
    }
    let fine = (first - 1...last).flatMap { exponent in
      [1.0, 2, 5].map { $0 * pow(10, Double(exponent)) }
    }.filter { range.contains($0) }
    guard fine.count >= 3 else { return linear(range, count: count) }
    return Ticks(ticks: fine.map { Tick(value: $0, label: label($0, step: $0)) })
  }

  /// The step rounded to 1, 2, 5 or 10 times a power of ten.
  private static func nice(_ step: Double) -> Double {
    let power = pow(10, log10(step).rounded(.down))
    let share = step / power
    return power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10)
  }

  /// The number as text, with enough decimal places (at most 8) to distinguish marks that are `step` apart: `0.25`,
  /// `12,000`, `3M`, `2×10⁻⁶`.
  static func label(_ value: Double, step: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "−∞" : "∞" }
    let unit = step > 0 ? step : value.magnitude
    guard value.magnitude > unit * 1e-6, value != 0 else { return "0" }
    let sign = value < 0 ? "−" : ""
    let size = value.magnitude
    // A number below 0.001 gets an exponent only if the step is small too. If the step is larger, the neighboring marks
    // may be above 0.001, where marks are written as decimals, so this mark is a decimal, too.
    if size < 1e-3 && unit < 0.9e-5 || size >= 1e12 {
      var exponent = Int(log10(size).rounded(.down))
      var digits = max(0, exponent - Int(log10(unit).rounded(.down)))
      if step <= 0 { digits = 2 }
      var number = size / pow(10, Double(exponent))
      if number > 9.999_999 { (number, exponent) = (number / 10, exponent + 1) }
      var text = number.text(places: min(digits, 6))
      if text.contains(".") { text = String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed()) }
      return sign + (text == "1" ? "" : "\(text)×") + "10" + superscript(exponent)
    }
    for (scale, suffix) in [(1e9, "G"), (1e6, "M")] where size >= scale {
      return sign + (size / scale).text(places: decimals(unit / scale)) + suffix
    }
    let text = size.text(places: decimals(unit))
    // Text with an exponent, which Swift writes for very long numbers, is left as it is.
    guard text.allSatisfy({ $0.isNumber || $0 == "." }), size >= 10_000 else { return sign + text }
    let parts = text.split(separator: ".")
    return sign + (Int(parts[0]) ?? 0).grouped + (parts.count > 1 ? "." + parts[1] : "")
  }

  private static func decimals(_ unit: Double) -> Int {
    min(max(0, -Int((log10(unit) + 1e-9).rounded(.down))), 8)
  }

  private static func superscript(_ number: Int) -> String {
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    let text = String(number.magnitude).compactMap(\.wholeNumberValue).map { digits[$0] }
    return (number < 0 ? "⁻" : "") + String(text)
  }
}
