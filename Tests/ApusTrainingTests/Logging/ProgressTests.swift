import Apus
import Foundation
import Testing

@testable import ApusTraining

@Suite struct ProgressTests {
  /// A terminal: the text that was written, and a width that can change.
  private final class Screen: @unchecked Sendable {
    private let lock = NSLock()
    private var stored = ""
    private var columns: Int
    init(_ columns: Int) { self.columns = columns }

    var width: Int { lock.withLock { columns } }
    func resize(to width: Int) { lock.withLock { columns = width } }
    func write(_ text: String) { lock.withLock { stored += text } }

    /// The lines written since the last call, split at line ends and carriage returns.
    func lines() -> [String] {
      lock.withLock {
        defer { stored = "" }
        return stored.split(whereSeparator: { $0 == "\r" || $0 == "\n" || $0 == "\r\n" }).map(String.init)
      }
    }
  }

  private typealias Progress = ApusTraining.Progress

  private func progress(_ screen: Screen, _ style: Progress.Style = .bar, firstStep: Int = 0) -> Progress {
    Progress(style: style, firstStep: firstStep, now: 0, width: { screen.width }, write: { screen.write($0) })
  }

  private var status: Progress.Status {
    Progress.Status(
      step: 731, totalSteps: 2345, epoch: 2, totalEpochs: 5, loss: 0.4213,
      measures: [("accuracy", 0.8461), ("top5 accuracy", 0.9912)],
      evaluated: [("test accuracy", 0.8561), ("test top5 accuracy", 0.9921)], examples: 93_568)
  }

  @Test(arguments: [20, 40, 60, 80, 100, 200]) func aLineFitsTheTerminal(_ width: Int) throws {
    let screen = Screen(width)
    var progress = progress(screen)
    progress.update(status, now: 1.5)
    let line = try #require(screen.lines().first)
    // A terminal may wrap as soon as the last column is written.
    #expect(line.displayWidth < width, "\(line)")
    #expect(line.contains("epoch 2/5"), "\(line)")
    // Each field, with a width: terminals that are at least this wide show the field.
    let shown = [
      "loss 0.4213": 30, "3s left": 40, "accuracy 0.8461": 60, "step 731/2345": 100, "487.3 steps/s": 80,
      "test accuracy 0.8561": 200, "62378 examples/s": 200, "test top5 accuracy 0.9921": 200,
    ]
    for (field, least) in shown where width >= least { #expect(line.contains(field), "\(width): \(line)") }
    // The bar gets the remaining width. At 40 columns none remains.
    #expect(line.contains("█") == (width != 40), "\(line)")
  }

  @Test func aLineFollowsTheTerminal() {
    let screen = Screen(200)
    var progress = progress(screen)
    progress.update(status, now: 1)
    #expect(screen.lines().allSatisfy { $0.displayWidth > 120 && $0.displayWidth < 200 })
    screen.resize(to: 60)
    progress.update(status, now: 2)
    // The new line overwrites a longer line. It also ends before the edge of the terminal.
    #expect(screen.lines().allSatisfy { $0.displayWidth < 60 && $0.contains("accuracy 0.8461") })
    screen.resize(to: 80)
    progress.note(StatusLine([.init("epoch 2/5", rank: 0), .init(String(repeating: "x", count: 90), rank: 1)]))
    let note = screen.lines()
    #expect(note.map { $0.prefix(9) } == ["epoch 2/5"] && note[0].displayWidth <= 80)
  }

  /// A file gets whole lines, however long they are.
  @Test func filesHaveWholeLines() {
    let screen = Screen(20)
    var progress = progress(screen, .lines)
    progress.update(status, now: 11)
    #expect(screen.lines().first?.contains("test top5 accuracy 0.9921") == true)
    progress.note(String(repeating: "x", count: 90))
    #expect(screen.lines() == [String(repeating: "x", count: 90)])
  }

  /// The rate of this session does not include earlier sessions.
  @Test func theRateCountsThisSessionOnly() {
    let screen = Screen(200)
    var progress = progress(screen, firstStep: 700)
    var status = status
    status.examples = 31 * 128
    progress.update(status, now: 2)
    let line = screen.lines().first ?? ""
    #expect(line.contains(" 15.5 steps/s  1984 examples/s  1m44s left"), "\(line)")
  }

  @Test func displayWidthsCountTerminalColumns() {
    let cases = [
      ("abc", 3), ("█░", 2), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("👍", 2), ("👨‍👩‍👧", 2), ("ー", 2), ("\u{7}", 0), ("–", 1),
    ]
    for (text, width) in cases { #expect(text.displayWidth == width, "\(text)") }
    #expect("日本語".prefix(displayWidth: 5) == "日本" && "abc".prefix(displayWidth: 0) == "")
  }

  @Test func theLeastImportantFieldIsDroppedFirst() {
    let line = StatusLine([.init("a", rank: 0), .init("bb", rank: 2), .init("cc", rank: 2), .init("d", rank: 1)])
    #expect(line.fitted(to: 12) == "a  bb  cc  d")
    #expect(line.fitted(to: 11) == "a  bb  d" && line.fitted(to: 7) == "a  d" && line.fitted(to: 3) == "a")
  }
}
