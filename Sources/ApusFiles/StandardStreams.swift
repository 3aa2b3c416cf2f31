import Glibc

/// The three streams that a process is started with.
package enum StandardStreams {
  /// Opens closed standard streams on `/dev/null`: else the next file that is opened would get the number of one, and what
  /// is printed would go into that file.
  ///
  /// Input is opened for writing and the others for reading, so that using them stays the error that it was: results
  /// that are lost must not look like success.
  package static func openMissing() {
    for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) == -1 && errno == EBADF {
      // The lowest free number is this one: those below it are open by now.
      let opened = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
      guard opened == number || opened < 0 else {
        fatalError("StandardStreams: \(number) is free, but \(opened) was opened")
      }
    }
  }

  /// Ignores SIGPIPE: a write to a pipe without a reader fails with an error and does not end the process.
  ///
  /// A handler that does nothing, in place of `SIG_IGN`: programs that the process starts do not inherit it.
  package static func surviveClosedPipes() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    action.sa_flags = Int32(SA_RESTART)
    sigaction(SIGPIPE, &action, nil)
  }
}
