import Apus
import ApusRuns
import ApusSystem
import Synchronization

/// Reports on standard error how much of a large file has been read; a file that is read quickly causes no message.
final class ReadingReport: Sendable {
  /// The minimum number of seconds between two messages, and from the start of a file to its first message.
  private static let interval = 3.0

  private struct State {
    var path = ""
    var latest = 0.0
  }

  private let state = Mutex(State())
  private let now: @Sendable () -> Double
  private let write: @Sendable (String) -> Void

  init(
    now: @escaping @Sendable () -> Double = { ContinuousClock.seconds },
    write: @escaping @Sendable (String) -> Void = { Diagnostics.write($0) }
  ) {
    (self.now, self.write) = (now, write)
  }

  /// Records that the fraction `share` of a file has been read, and writes a message if one is due.
  @Sendable func note(_ path: String, _ share: Double) {
    let isDue = state.withLock { state in
      let time = now()
      if path != state.path { state = State(path: path, latest: time) }
      guard time - state.latest >= ReadingReport.interval else { return false }
      state.latest = time
      return true
    }
    if isDue { write("reading \(path.printable()): \(Int(100 * min(1, max(0, share)))) %") }
  }
}
