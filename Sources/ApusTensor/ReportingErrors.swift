import ApusDevice
import ApusSystem
import Glibc

/// Runs code that may throw. An error ends the process: the last line on standard error is `error: ` with the message,
/// and the exit status is 1.
/// ```swift
/// reportingErrors {
///   try model.state.load(from: path)
/// }
/// ```
/// By default, an uncaught error in Swift is a trap, which prints a message, the stack, registers and libraries. In a
/// program without this function, `SWIFT_BACKTRACE=enable=no` in the environment reduces that output to at most a few
/// frames of the stack. Programming errors, such as incompatible shapes, still trap inside `body`.
@discardableResult
public func reportingErrors<R>(_ body: () throws -> R) -> R {
  do { return try body() } catch { endProcess("\(error)") }
}

/// Runs asynchronous code that may throw. An error ends the process, as in the synchronous `reportingErrors(_:)`.
@discardableResult
public func reportingErrors<R>(
  isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> R
) async -> R {
  do { return try await body() } catch { endProcess("\(error)") }
}

/// Writes an error line to standard error and ends the process.
func endProcess(_ message: String) -> Never {
  // Flush the program's own output first.
  fflush(nil)
  writeToStandardError("error: \(message)\n")
  exit(1)
}
