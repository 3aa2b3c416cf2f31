import ApusTestSupport
import Foundation
import Testing

/// Compares the fields that runs write to `metrics.jsonl` with the table of fields in `Documentation/Command.md`.
struct MetricsTests {
  /// The names in backquotes in the first column of the table.
  private static func documentedFields() throws -> Set<String> {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "Documentation/Command.md"), encoding: .utf8)
    let sections = text.components(separatedBy: "\n## ")
    let section = try #require(sections.first { $0.hasPrefix("Metrics\n") })
    let rows = section.split(separator: "\n").filter { $0.hasPrefix("|") }
    let cells = rows.compactMap { $0.split(separator: "|").first }
    return Set(
      cells.flatMap { cell in
        cell.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
      })
  }

  /// Together, a classifier of table rows, a regression and an image classifier write all fields of the table, and no
  /// others.
  @Test func theTableHasAllFields() throws {
    let scratch = try ScratchDirectory()
    let images = try TinyImages()
    let kinds = ["a,b,kind"] + (0..<315).map { "\($0 * 37 % 23),\($0 * 13 % 50),kind \($0 % 21)" }
    let numbers = ["a,b,y"] + (0..<80).map { "\($0 * 37 % 23),\($0 * 13 % 50),\(Double($0) + 0.25)" }
    let kindsPath = try scratch.write(Array(kinds.joined(separator: "\n").utf8), to: "kinds.csv")
    let numbersPath = try scratch.write(Array(numbers.joined(separator: "\n").utf8), to: "numbers.csv")
    let runs = [
      [
        "mlp", "--data", "csv:\(kindsPath)", "--validation", "0.2", "--epochs", "2", "--precision", "mixed",
        "--early-stop", "gradient-norm:target=1e30",
      ],
      ["mlp", "--data", "csv:\(numbersPath)", "--validation", "0.2", "--epochs", "1"],
      ["mlp", "--data", images.source, "--augment", "flip", "--epochs", "1"],
    ]
    var written: Set<String> = []
    for (index, words) in runs.enumerated() {
      let output = scratch.file("run-\(index)")
      let run = try Invocation(["train"] + words + ["--device", "cpu", "--output", output])
      #expect(run.status == 0, "\(run.errors)")
      for line in try String(contentsOfFile: "\(output)/metrics.jsonl", encoding: .utf8).split(separator: "\n") {
        let record = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        written.formUnion(record.keys)
      }
    }
    let documented = try Self.documentedFields()
    #expect(written == documented, "\(written.symmetricDifference(documented).sorted())")
  }
}
