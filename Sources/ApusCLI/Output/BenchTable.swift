import Apus
import ApusRuns

/// Prints the results of `apus bench` as a table, each line as soon as it is available.
final class BenchTable {
  private static let widths = [4, 30, 7, 8, 9, 9, 12]
  private var hasTitles = false

  /// Writes a line of the table. Before the first line, writes the column titles.
  func write(_ line: JSONObject) throws {
    if !hasTitles { try write(["", "PROBLEM", "", "DEVICE", "MEDIAN MS", "MIN MS", "RATE", ""]) }
    hasTitles = true
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
      // Words are left-aligned, numbers right-aligned.
      text += index < 4 ? cell + space + "  " : space + cell + "  "
    }
    while text.last == " " { text.removeLast() }
    try StandardOutput.write(line: text)
  }

  private func number(_ value: JSON?) -> String {
    value?.number?.text(places: 3) ?? ""
  }

  private func rate(_ line: JSONObject) -> String {
    if let value = line["gflops"]?.number { return "\(value.text(places: 1)) GFLOP/s" }
    if let value = line["gbytes_per_second"]?.number { return "\(value.text(places: 1)) GB/s" }
    if let value = line["images_per_second"]?.number { return "\(value.text(places: 0)) images/s" }
    return ""
  }

  private func notes(_ line: JSONObject) -> String {
    var notes: [String] = []
    if let first = line["first_step_ms"]?.number { notes.append("first step \(first.text(places: 0)) ms") }
    if let other = line["other_batch_ms"]?.number { notes.append("another batch size \(other.text(places: 0)) ms") }
    if let peak = line["peak_bytes"]?.integer { notes.append("peak \(peak.byteText)") }
    return notes.joined(separator: ", ")
  }
}
