import Apus
import ApusTestSupport
import Testing

struct RunMetricsTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func read(_ text: String) throws -> RunMetrics {
    try RunMetrics(path: scratch.write(Array(text.utf8), to: "metrics.jsonl"))
  }

  @Test func linesAndCurves() throws {
    let metrics = try read(
      """
      {"step":1,"loss":2.5}
      {"step":2,"loss":1.5,"note":"x"}
      {"epoch":1,"step":2,"train_loss":2,"test_loss":null}

      """)
    #expect(metrics.records.count == 3 && !metrics.isCutOff && metrics.keys == ["step", "loss", "epoch", "train_loss"])
    #expect(
      metrics.points("loss").map(\.y) == [2.5, 1.5] && metrics.points("train_loss", over: "epoch").map(\.x) == [1])
    #expect(metrics.last("loss") == 1.5 && metrics.last("test_loss") == nil)
  }

  /// An incomplete last line is left out, and `isCutOff` is true.
  @Test func anIncompleteLastLineIsLeftOut() throws {
    let metrics = try read("{\"step\":1}\n{\"step\":2,\"lo")
    #expect(metrics.records.count == 1 && metrics.isCutOff)
    #expect(try read("").records.isEmpty && read("").isCutOff == false && read("{").isCutOff)
  }

  @Test func damagedLinesAreNamed() throws {
    for (text, reason) in [
      ("{\"step\":1}\n{\"step\":}\n", "at byte 19: line 2: no value starts"), ("[1]\n", "line 1: it contains no"),
      ("{}\n\n{}\n", "line 2: the text ends"), ("{}\n\u{0}\n", "line 2"),
    ] {
      let error = #expect(throws: DataError.self) { try read(text) }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
    #expect(throws: DataError.self) { try RunMetrics(path: scratch.file("nowhere")) }
  }
}
