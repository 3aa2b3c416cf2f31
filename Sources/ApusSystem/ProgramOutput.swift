import Glibc

/// The standard output and the exit status of a program. The program inherits the standard error of this process.
package struct ProgramOutput: Sendable {
  /// The standard output.
  package var bytes: [UInt8]
  /// The exit status, or 128 plus the signal that ended the program.
  package var status: Int32

  /// How the program ended, in words.
  package var ending: String {
    status > 128 ? "signal \(status - 128) ended it" : "it ended with status \(status)"
  }

  /// Runs a program to its end.
  /// - Parameters:
  ///   - path: the path of the program; `PATH` is not searched.
  ///   - name: the program's `argv[0]`; by default its path.
  ///   - words: the program's arguments.
  /// - Throws: when the program cannot be started.
  package init(running path: String, as name: String? = nil, _ words: [String]) throws(FileError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .current("run", path) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    for end in ends { posix_spawn_file_actions_addclose(&actions, end) }
    var arguments = ([name ?? path] + words).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, path, &actions, nil, &arguments, environ)
    close(ends[1])
    bytes = code == 0 ? ProgramOutput.contents(of: ends[0]) : []
    close(ends[0])
    guard code == 0 else { throw FileError(operation: "run", path: path, code: code) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    // The low seven bits are the signal that ended the process, the next byte is its exit status.
    let signal = status & 0x7F
    self.status = signal == 0 ? status >> 8 & 0xFF : 128 + signal
  }

  /// The standard output of a program that succeeds.
  /// - Throws: when the program cannot be started or fails.
  package static func bytes(of path: String, _ words: [String]) throws(FileError) -> [UInt8] {
    let output = try ProgramOutput(running: path, words)
    guard output.status == 0 else { throw FileError(operation: "run", path: path, code: 0, detail: output.ending) }
    return output.bytes
  }

  private static func contents(of pipe: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(pipe, &part, part.count)
      if count > 0 { bytes += part[..<count] } else if count == 0 || errno != EINTR { break }
    }
    return bytes
  }
}
