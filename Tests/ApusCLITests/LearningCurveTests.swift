import Apus
import ApusTestSupport
import Foundation
import Testing

/// The command `apus learning-curve`.
struct LearningCurveTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func words(_ more: [String]) -> [String] {
    ["learning-curve", "mlp", "--layers", "dense 10", "--data", images.source, "--epochs", "1", "--device", "cpu"]
      + more
  }

  private func records(_ run: Invocation) throws -> [JSON] { try run.lines.map { try JSON(parsing: Array($0.utf8)) } }

  /// The command trains once for each size and seed, on examples that are not held out. The files that it writes
  /// contain the printed records.
  @Test func sizesAndSeeds() throws {
    let output = scratch.file("curve")
    let run = try Invocation(
      words(["--fractions", "1,0.25,0.5", "--repeats", "2", "--seed", "5", "--output", output, "--json"]))
    #expect(run.status == 0, "\(run.errors)")
    let lines = try records(run)
    // A fifth of the 96 images is held out, nearly the same fraction of each class.
    let whole = try #require(lines.last?["points"]?.array)
    let sizes = whole.compactMap { $0["examples"]?.integer }
    #expect(sizes.count == 3 && sizes == sizes.sorted() && lines.dropLast().count == 6)
    #expect(lines.dropLast().compactMap { $0["examples"]?.integer } == sizes.flatMap { [$0, $0] })
    #expect(lines.dropLast().compactMap { $0["seed"]?.integer } == [5, 6, 5, 6, 5, 6])
    #expect((sizes.last ?? 0) < 96 && sizes[1] == Int((Double(sizes[2]) / 2).rounded()))
    for line in lines.dropLast() {
      #expect((0...1).contains(line["train_error"]?.number ?? -1))
      #expect((0...1).contains(line["validation_error"]?.number ?? -1))
    }
    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(output)/\(name)", encoding: .utf8) }
    let written = try JSON(parsing: Array(text("learning-curve.json").utf8))
    #expect(written["points"] == lines.last?["points"] && written["settings"]?["model"]?.string == "mlp")
    #expect(try text("report.html").contains("<svg") && text("learning-curve.svg").contains("<svg"))
    // The same arguments give the same numbers, and a subset of the sizes gives a subset of the numbers.
    let again = try Invocation(words(["--fractions", "0.25", "--repeats", "1", "--seed", "5", "--json"]))
    #expect(try records(again).first == lines.first)
  }

  @Test func theTableIsReadable() throws {
    let run = try Invocation(words(["--fractions", "0.5", "--repeats", "1"]))
    #expect(run.status == 0 && run.output.contains("EXAMPLES") && run.output.contains("no power law"), "\(run.output)")
  }

  @Test(arguments: [
    (["--fractions", "0.5,2"], "numbers above 0"), (["--fractions", ""], "numbers above 0"),
    (["--repeats", "0"], "--repeats"), (["--save-every", "3"], "--save-every"),
    (["--test-share", "0.9"], "--test-share"),
  ])
  func invalidOptionsAreRefused(_ more: [String], _ part: String) throws {
    let run = try Invocation(words(more))
    #expect(run.status == 64 && run.errors.contains(part), "\(run.errors)")
  }

  @Test func textIsRefused() throws {
    let run = try Invocation(["learning-curve", "char-lstm"])
    #expect(run.status == 64 && run.errors.contains("takes text"), "\(run.errors)")
  }
}
