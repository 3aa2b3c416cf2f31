import Glibc

/// The three standard streams of a process.
package enum StandardStreams {
  /// Opens closed standard streams on `/dev/null`: otherwise the next opened file would get the descriptor of a
  /// standard stream, and output would be written to that file.
  ///
  /// Input is opened for writing and the others for reading, so that using them is still an error: lost results must
  /// not look like success.
  package static func openMissing() {
    for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) == -1 && errno == EBADF {
      // This is the lowest free descriptor: lower ones are open by now.
      let opened = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
      guard opened == number || opened < 0 else {
        fatalError("StandardStreams: \(number) is free, but \(opened) was opened")
      }
    }
  }

  /// Ignores SIGPIPE: a write to a pipe without a reader fails with an error and does not end the process.
  ///
  /// The handler is empty instead of `SIG_IGN`, because child processes do not inherit handlers.
  package static func surviveClosedPipes() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    action.sa_flags = Int32(SA_RESTART)
    sigaction(SIGPIPE, &action, nil)
  }
}
