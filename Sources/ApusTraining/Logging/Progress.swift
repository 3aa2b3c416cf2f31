import ApusSystem
import Glibc

/// Shows the progress of a run: a bar with the remaining time on a terminal, plain lines elsewhere.
///
/// On a terminal, the progress is one line that fits the current width of the terminal: the least important fields are
/// left out first. Lines that go to a file are written whole.
public struct Progress {
  /// How progress is shown.
  public enum Style: Sendable {
    /// A bar that is redrawn in place.
    case bar
    /// A line at each epoch, and every ten seconds in between.
    case lines
    case silent

    /// The style that suits standard error.
    public static var automatic: Style { isatty(STDERR_FILENO) == 1 ? .bar : .lines }
  }

  private let style: Style
  private let write: @Sendable (String) -> Void
  private let width: @Sendable () -> Int
  private let start: Double
  private let firstStep: Int
  private var last: Double
  /// The columns that the bar and its fields occupy on the screen; 0 if none are shown.
  private var drawnWidth = 0

  /// - Parameters:
  ///   - firstStep: the number of steps that were finished before this session, the current call of `Trainer.run()`.
  ///   - width: the columns of the terminal; by default the columns of standard error.
  ///   - write: writes the text; by default to standard error.
  public init(
    style: Style, firstStep: Int, now: Double, width: (@Sendable () -> Int)? = nil,
    write: (@Sendable (String) -> Void)? = nil
  ) {
    self.style = style
    self.width = width ?? { Terminal.width(of: STDERR_FILENO) }
    // A closed output does not end the run.
    self.write = write ?? { try? FileDescriptor.standardError.write(Array($0.utf8)) }
    self.firstStep = firstStep
    start = now
    last = now
  }

  /// The state of a run after a step.
  public struct Status: Sendable {
    /// The number of finished steps.
    public var step: Int
    /// The number of steps of the run.
    public var totalSteps: Int
    /// The current epoch, from 1.
    public var epoch: Int
    /// The number of epochs of the run.
    public var totalEpochs: Int
    /// The loss of the epoch so far, if it is known.
    public var loss: Double?
    /// Measures of the epoch so far, the most important first, for example `accuracy`.
    public var measures: [(name: String, value: Double)] = []
    /// The measures of the last evaluation, if there was one, for example `test accuracy`.
    public var evaluated: [(name: String, value: Double)] = []
    /// The number of examples in the steps of this session.
    public var examples: Int
  }

  /// Called after each step; writes the status if enough time has passed since it was last written.
  public mutating func update(_ status: Status, now: Double) {
    switch style {
    case .silent: return
    case .bar where now - last >= 0.1: draw(status, now)
    case .lines where now - last >= 10:
      last = now
      write(StatusLine(fields(status, now)).text + "\n")
    default: return
    }
  }

  /// Writes a line that is not redrawn.
  public mutating func note(_ line: String) { note(StatusLine([StatusLine.Field(line, rank: 0)])) }

  /// Writes a line that is not redrawn. A terminal gets the fields that fit.
  mutating func note(_ line: StatusLine) {
    guard style != .silent else { return }
    guard style == .bar else { return write(line.text + "\n") }
    let columns = width()
    let text = line.fitted(to: columns)
    write("\r" + text + blank(after: text, columns) + "\n")
    drawnWidth = 0
  }

  private mutating func draw(_ status: Status, _ now: Double) {
    last = now
    // The last column stays free: some terminals begin a new line as soon as it is written.
    let columns = width() - 1
    let least = 8
    // The bar has 8 to 24 columns. If there are fewer than 55 columns, the fields may take all of them; a bar is then
    // drawn only if the fields leave at least 9 columns, for the bar and a space.
    var text = StatusLine(fields(status, now)).fitted(to: columns < 55 ? columns : columns - least - 1)
    let room = min(columns - text.displayWidth - 1, 24)
    if room >= least { text = bar(status, width: room) + " " + text }
    write("\r" + text + blank(after: text, columns))
    drawnWidth = text.displayWidth
  }

  private func bar(_ status: Status, width: Int) -> String {
    let share = status.totalSteps == 0 ? 1 : Double(status.step) / Double(status.totalSteps)
    let filled = min(width, Int(share * Double(width)))
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }

  /// Spaces that cover the rest of the previous line, within the current width of the terminal.
  private func blank(after text: String, _ columns: Int) -> String {
    String(repeating: " ", count: max(0, min(drawnWidth, columns) - text.displayWidth))
  }

  /// The fields of the line:
  /// `epoch 2/5  step 731/2345  loss 0.4213  accuracy 0.8531  512.0 steps/s  65536 examples/s  3s left`
  private func fields(_ status: Status, _ now: Double) -> [StatusLine.Field] {
    typealias Field = StatusLine.Field
    var fields = [
      Field("epoch \(status.epoch)/\(status.totalEpochs)", rank: 0),
      Field("step \(status.step)/\(status.totalSteps)", rank: 5),
    ]
    if let loss = status.loss { fields.append(Field("loss \(loss.text(places: 4))", rank: 1)) }
    for (position, measure) in status.measures.enumerated() {
      fields.append(Field("\(measure.name) \(measure.value.text(places: 4))", rank: position == 0 ? 3 : 8))
    }
    for (position, measure) in status.evaluated.enumerated() {
      fields.append(Field("\(measure.name) \(measure.value.text(places: 4))", rank: position == 0 ? 6 : 9))
    }
    // The rates are of this session only: earlier sessions may have run on another machine.
    let steps = status.step - firstStep
    if steps > 0, now > start {
      let rate = Double(steps) / (now - start)
      fields.append(Field("\(rate.text(places: 1)) steps/s", rank: 4))
      fields.append(Field("\(Int(Double(status.examples) / (now - start))) examples/s", rank: 7))
      fields.append(Field("\(duration(Double(status.totalSteps - status.step) / rate)) left", rank: 2))
    }
    return fields
  }
}

/// A duration as text: `45s`, `3m12s`, `2h05m`.
func duration(_ seconds: Double) -> String {
  let total = seconds.wholeSeconds
  func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
  if total < 60 { return "\(total)s" }
  if total < 3600 { return "\(total / 60)m\(two(total % 60))s" }
  return "\(total / 3600)h\(two(total / 60 % 60))m"
}
