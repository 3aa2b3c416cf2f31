import Glibc

/// Runs the part of a program that may fail. An error that it throws ends the process: the last line on standard error is
/// `error: ` with the message, and the exit status is 1.
/// ```
/// reportingErrors {
///   try model.state.load(from: path)
/// }
/// ```
/// Swift's own way to end at an uncaught error is a trap, whose message stack, registers and libraries follow. Where a
/// program does not use this function, `SWIFT_BACKTRACE=enable=no` in the environment leaves at most a few frames of these.
/// Mistakes in a program, such as shapes that do not fit, trap here too.
@discardableResult
public func reportingErrors<R>(_ body: () throws -> R) -> R {
  do { return try body() } catch { endProcess("\(error)") }
}

/// The same for a part that waits for tasks.
@discardableResult
public func reportingErrors<R>(
  isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> R
) async -> R {
  do { return try await body() } catch { endProcess("\(error)") }
}

/// Ends the process with a last line for standard error.
func endProcess(_ message: String) -> Never {
  // What the program has printed comes first.
  fflush(nil)
  let line = "error: \(message)\n"
  line.utf8CString.withUnsafeBufferPointer { text in
    var sent = 0
    while sent < text.count - 1 {
      let count = write(STDERR_FILENO, text.baseAddress! + sent, text.count - 1 - sent)
      if count < 0 && errno != EINTR { break }
      sent += max(count, 0)
    }
  }
  exit(1)
}
