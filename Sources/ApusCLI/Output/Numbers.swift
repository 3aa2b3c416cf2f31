/// A size in bytes as people read it: `3.1 GiB`.
func byteText(_ count: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var value = Double(count)
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  let tenths = Int((value * 10).rounded())
  return unit == 0 ? "\(count) B" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// An integer with its thousands set apart: `61,706`.
func grouped(_ number: Int) -> String {
  var text = ""
  for (index, digit) in String(number.magnitude).reversed().enumerated() {
    if index > 0, index % 3 == 0 { text.append(",") }
    text.append(digit)
  }
  return (number < 0 ? "-" : "") + String(text.reversed())
}

/// A number with a fixed count of decimal places: `0.8783`.
func decimal(_ value: Double, places: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
  let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
  let whole = Int((abs(value) * scale).rounded())
  let digits = String(whole % Int(scale))
  let fraction = places > 0 ? "." + String(repeating: "0", count: places - digits.count) + digits : ""
  return (value < 0 ? "-" : "") + String(whole / Int(scale)) + fraction
}
