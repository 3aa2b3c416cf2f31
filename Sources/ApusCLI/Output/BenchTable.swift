import Apus

/// The lines of `apus bench` for people, each as soon as it is there.
struct BenchTable {
  private static let widths = [4, 30, 7, 8, 9, 9, 12]

  /// Writes the titles.
  init() throws {
    try write(["", "PROBLEM", "", "DEVICE", "MEDIAN MS", "MIN MS", "RATE", ""])
  }

  func write(_ line: JSONObject) throws {
    let words = ["benchmark", "problem", line["pass"] == nil ? "transpose" : "pass", "device"]
    try write(
      words.map { line[$0]?.string ?? "" }
        + [number(line["median_ms"]), number(line["min_ms"]), rate(line), notes(line)])
  }

  private func write(_ cells: [String]) throws {
    var text = ""
    for (index, cell) in cells.enumerated() {
      let width = index < BenchTable.widths.count ? BenchTable.widths[index] : 0
      let space = String(repeating: " ", count: max(0, width - cell.count))
      // Words are set to the left, numbers to the right.
      text += index < 4 ? cell + space + "  " : space + cell + "  "
    }
    while text.last == " " { text.removeLast() }
    try StandardOutput.write(line: text)
  }

  private func number(_ value: JSON?) -> String {
    guard let value = value?.number else { return "" }
    let thousandths = Int((value * 1000).rounded())
    let digits = String(thousandths % 1000)
    return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
  }

  private func rate(_ line: JSONObject) -> String {
    func text(_ value: Double) -> String { "\(Int(value * 10) / 10).\(Int(value * 10) % 10)" }
    if let value = line["gflops"]?.number { return "\(text(value)) GFLOP/s" }
    if let value = line["gbytes_per_second"]?.number { return "\(text(value)) GB/s" }
    return ""
  }

  private func notes(_ line: JSONObject) -> String {
    var notes: [String] = []
    if let first = line["first_step_ms"]?.number { notes.append("first step \(Int(first)) ms") }
    if let peak = line["peak_bytes"]?.integer { notes.append("peak \(byteText(peak))") }
    return notes.joined(separator: ", ")
  }
}
