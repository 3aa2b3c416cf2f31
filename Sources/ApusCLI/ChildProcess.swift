import Apus
import Glibc

/// The command, started once more.
enum ChildProcess {
  /// Runs `apus` with the given words and passes on the JSON objects that it prints. What it says on standard error
  /// goes where ours goes.
  static func output(of words: [String]) throws -> [JSONObject] {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw ChildFailure(words: words, status: 1, reason: lastError()) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    for end in ends { posix_spawn_file_actions_addclose(&actions, end) }
    var arguments = (["apus"] + words).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, &arguments, environ)
    close(ends[1])
    let text = code == 0 ? contents(of: ends[0]) : ""
    close(ends[0])
    guard code == 0 else {
      throw ChildFailure(words: words, status: 1, reason: String(cString: strerror(code)))
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    // The low seven bits are the signal that ended the process, the next byte is what it returned.
    let signal = status & 0x7F
    guard status == 0 else {
      throw ChildFailure(
        words: words, status: signal == 0 ? status >> 8 & 0xFF : 128 + signal,
        reason: signal == 0 ? "it ended with status \(status >> 8 & 0xFF)" : "signal \(signal) ended it")
    }
    return try text.split(separator: "\n").compactMap { try JSON(parsing: Array($0.utf8)).object }
  }

  private static func contents(of pipe: Int32) -> String {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(pipe, &part, part.count)
      if count > 0 { bytes += part[..<count] } else if count == 0 || errno != EINTR { break }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func lastError() -> String { String(cString: strerror(errno)) }
}

/// A process of ours failed; it has said why.
struct ChildFailure: Error, CustomStringConvertible {
  var words: [String]
  var status: Int32
  var reason: String

  var description: String { "apus \(words.joined(separator: " ")): \(reason)" }
}
