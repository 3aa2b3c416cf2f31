import ApusFiles
import Glibc

/// How far a run is, for people: a bar with the remaining time on a terminal, plain lines elsewhere.
public struct Progress {
  /// How it is shown.
  public enum Style: Sendable {
    /// A bar that is drawn over and over.
    case bar
    /// A line at each epoch, and every ten seconds in between.
    case lines
    case silent

    /// What suits standard error.
    public static var automatic: Style { isatty(STDERR_FILENO) == 1 ? .bar : .lines }
  }

  private let style: Style
  private let write: @Sendable (String) -> Void
  private let start: Double
  private let firstStep: Int
  private var last: Double
  private var barLength = 0

  /// - Parameters:
  ///   - firstStep: the steps that were finished before this session.
  ///   - write: takes the text; standard error when left out.
  public init(
    style: Style, firstStep: Int, now: Double, write: (@Sendable (String) -> Void)? = nil
  ) {
    self.style = style
    // Where nobody listens any more, a run does not end because of that.
    self.write = write ?? { try? FileDescriptor.standardError.write(Array($0.utf8)) }
    self.firstStep = firstStep
    start = now
    last = now
  }

  /// What there is to say of a step.
  public struct Status: Sendable {
    /// Finished steps.
    public var step: Int
    /// The steps of the run.
    public var totalSteps: Int
    /// The current epoch, from 1.
    public var epoch: Int
    /// The epochs of the run.
    public var totalEpochs: Int
    /// The loss, if it is known.
    public var loss: Double?
    /// The share of hits in the last evaluation, if there was one.
    public var accuracy: Double?
    /// The examples of this session's steps.
    public var examples: Int
  }

  /// Called after each step; says something when it is time to.
  public mutating func update(_ status: Status, now: Double) {
    switch style {
    case .silent: return
    case .bar where now - last >= 0.1: draw(status, now)
    case .lines where now - last >= 10:
      last = now
      write(text(status, now) + "\n")
    default: return
    }
  }

  /// Writes a line that stays.
  public mutating func note(_ line: String) {
    guard style != .silent else { return }
    write(erasure + line + "\n")
    barLength = 0
  }

  private var erasure: String {
    barLength == 0 ? "" : "\r" + String(repeating: " ", count: barLength) + "\r"
  }

  private mutating func draw(_ status: Status, _ now: Double) {
    last = now
    let width = 24
    let filled = status.totalSteps == 0 ? width : width * status.step / status.totalSteps
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    let line = "\(bar) \(text(status, now))"
    let rest = String(repeating: " ", count: max(0, barLength - line.count))
    write("\r" + line + rest)
    barLength = line.count
  }

  /// `epoch 2/5  step 731/2345  loss 0.4213  accuracy 0.8531  512.0 steps/s  65536 examples/s  3s left`
  private func text(_ status: Status, _ now: Double) -> String {
    var parts = [
      "epoch \(status.epoch)/\(status.totalEpochs)", "step \(status.step)/\(status.totalSteps)",
    ]
    if let loss = status.loss { parts.append("loss \(loss.text(places: 4))") }
    if let accuracy = status.accuracy { parts.append("accuracy \(accuracy.text(places: 4))") }
    let steps = status.step - firstStep
    if steps > 0, now > start {
      let rate = Double(steps) / (now - start)
      parts.append("\(rate.text(places: 1)) steps/s")
      parts.append("\(Int(Double(status.examples) / (now - start))) examples/s")
      parts.append("\(duration(Double(status.totalSteps - status.step) / rate)) left")
    }
    return parts.joined(separator: "  ")
  }
}

/// `45s`, `3m12s`, `2h05m`.
func duration(_ seconds: Double) -> String {
  let total = Int(min(max(seconds, 0), 1e9).rounded())
  func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
  if total < 60 { return "\(total)s" }
  if total < 3600 { return "\(total / 60)m\(two(total % 60))s" }
  return "\(total / 3600)h\(two(total / 60 % 60))m"
}
