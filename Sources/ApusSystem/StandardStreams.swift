import Glibc

/// The three standard streams of a process.
package enum StandardStreams {
  /// Opens `/dev/null` for each standard stream that is closed: otherwise the next opened file would get the descriptor
  /// of the stream, and output would be written to that file.
  ///
  /// In place of the input, `/dev/null` is opened only for writing; in place of an output, only for reading. So reading
  /// the input or writing an output is still an error: lost results must not look like success.
  package static func openMissing() {
    for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) == -1 && errno == EBADF {
      // `open` returns the lowest free descriptor, which is `number`: all lower descriptors are open by now.
      let opened = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
      guard opened == number || opened < 0 else {
        fatalError("StandardStreams: \(number) is free, but \(opened) was opened")
      }
    }
  }

  /// Ignores SIGPIPE: a write to a pipe without a reader fails with an error and does not end the process.
  ///
  /// The handler is an empty function instead of `SIG_IGN`: a program that this process starts would inherit `SIG_IGN`,
  /// but it does not inherit a function.
  package static func surviveClosedPipes() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    action.sa_flags = Int32(SA_RESTART)
    sigaction(SIGPIPE, &action, nil)
  }
}
