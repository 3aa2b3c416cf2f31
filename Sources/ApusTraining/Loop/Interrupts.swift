import Glibc
import Synchronization

/// Catches SIGINT, SIGTERM and SIGHUP during a run. The first signal lets the step in progress finish. If SIGINT or
/// SIGTERM follows, the process exits at once with code 130 or 143. If SIGHUP follows, nothing happens: when a terminal
/// closes, both the system and the shell may send SIGHUP to the process.
enum Interrupts {
  private static let signals = [SIGINT, SIGTERM, SIGHUP]
  private static let received = Atomic<Int32>(0)
  private static let installed = Mutex<[(signal: Int32, action: sigaction)]>([])

  /// The signal that was received, or `nil`.
  static var signal: Int32? {
    let value = received.load(ordering: .relaxed)
    return value == 0 ? nil : value
  }

  /// Catches the signals while `body` runs.
  static func watching<R>(_ body: () throws(TrainingError) -> R) throws(TrainingError) -> R {
    install()
    defer { restore() }
    return try body()
  }

  private static func install() {
    // `received` is accessed before a handler can run, so that no handler triggers its lazy initialization.
    received.store(0, ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      let first = Interrupts.received.compareExchange(expected: 0, desired: number, ordering: .relaxed)
      if !first.exchanged, number != SIGHUP { _exit(128 + number) }
    }
    action.sa_flags = Int32(SA_RESTART)
    // The signals may be blocked: a process inherits the signal mask of the thread that started it.
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    installed.withLock { installed in
      guard installed.isEmpty else { return }
      for signal in signals {
        var old = sigaction()
        // A signal that the parent ignores (nohup) stays ignored.
        guard sigaction(signal, nil, &old) == 0, !isIgnored(old) else { continue }
        if sigaction(signal, &action, nil) == 0 { installed.append((signal, old)) }
      }
    }
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  private static func restore() {
    installed.withLock { installed in
      for (signal, old) in installed {
        var old = old
        sigaction(signal, &old, nil)
      }
      installed.removeAll()
    }
  }
}
