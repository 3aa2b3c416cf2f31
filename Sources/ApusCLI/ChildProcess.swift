import Apus
import ApusRuns
import ApusSystem

/// Runs this command again as a child process.
enum ChildProcess {
  /// Runs `apus` with the arguments `words` and returns the JSON objects that the child process prints. The child
  /// process writes its errors to the standard error of this process.
  /// - Throws: `ChildFailure` if the child process cannot be started, or does not exit with 0.
  static func output(of words: [String]) throws -> [JSONObject] {
    let output: ProgramOutput
    do throws(FileError) {
      output = try ProgramOutput(running: "/proc/self/exe", as: "apus", words)
    } catch {
      throw ChildFailure(words: words, status: 1, reason: error.reason)
    }
    guard output.status == 0 else {
      throw ChildFailure(words: words, status: output.status, reason: output.ending)
    }
    return try output.bytes.split(separator: UInt8(ascii: "\n")).compactMap { try JSON(parsing: Array($0)).object }
  }
}

/// A child process failed. If it was started, and no signal ended it, it has printed the reason.
struct ChildFailure: Error, CustomStringConvertible {
  var words: [String]
  var status: Int32
  var reason: String

  var description: String { "apus \(words.joined(separator: " ")): \(reason)" }
}
