import Glibc

/// A thread of the system that runs a function to its end.
package struct WorkerThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private var thread = pthread_t()

  /// Starts a thread. It retains what `run` refers to until `run` returns.
  /// - Throws: the error code of the system if it cannot start a thread.
  package init(_ run: @escaping @Sendable () -> Void) throws(WorkerThreadError) {
    let argument = Unmanaged.passRetained(Body(run))
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
    guard status == 0 else {
      argument.release()
      throw WorkerThreadError(code: status)
    }
  }

  /// Waits for the end of the function. Called once.
  package func join() { pthread_join(thread, nil) }
}

/// The system could not start a thread.
package struct WorkerThreadError: Error {
  /// The code that `pthread_create` returned, such as `EAGAIN`.
  package let code: Int32
}
