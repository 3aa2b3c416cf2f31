import ApusTensor
import Synchronization

/// The source of random numbers for initial values (`Initializer`) and for layers that draw when they run (`Dropout`,
/// `RReLU`): a key that advances with every draw.
///
/// ```swift
/// let model = withRandomKey(RandomKey(seed: 1)) { Linear(784, 10) }
/// ```
/// The model above has the same initial values in every process and on every device. The scope of
/// `withRandomKey` is task-local: it ends with the closure, other tasks do not see it, and child tasks of a task group
/// or `async let` draw from the same source.
///
/// Outside of such a scope, all threads draw from one source of the process, so that models can be built without a
/// scope. The source starts at `RandomKey(seed: 0)`, so a process that draws in the same order gets the same numbers in
/// every run. One additional draw (by another layer, or another call with dropout) changes all later numbers. If
/// threads draw concurrently, it is not determined which thread gets which number. Therefore build models inside of
/// `withRandomKey`, and give each task that draws concurrently a key of its own (`key.stream(index)`).
///
/// `Trainer` does not use the source of the process: its steps draw from a source that the trainer creates from its
/// seed.
///
/// `RandomSource.current.key` is the state of the source in use. A checkpoint can store it and set it again.
public final class RandomSource: Sendable {
  private let stored: Mutex<RandomKey>

  /// A source whose first draw uses `key`.
  public init(_ key: RandomKey) { stored = Mutex(key) }

  /// The key of the next draw. Setting it restores a saved state.
  public var key: RandomKey {
    get { stored.withLock { $0 } }
    set { stored.withLock { $0 = newValue } }
  }

  /// Passes the key to `body`, whose draws advance it.
  public func draw<R>(_ body: (inout RandomKey) -> sending R) -> sending R {
    stored.withLock { key in body(&key) }
  }

  @TaskLocal private static var taskLocal: RandomSource?
  private static let process = RandomSource(RandomKey(seed: 0))

  /// The source of the innermost `withRandomSource` or `withRandomKey` of the Swift task; outside of both, the source
  /// of the process.
  public static var current: RandomSource { taskLocal ?? process }

  fileprivate static func run<R>(_ source: RandomSource, _ body: () throws -> R) rethrows -> R {
    try $taskLocal.withValue(source, operation: body)
  }
}

/// Runs `body`, in which layers draw from `source`. The source keeps its state: a second scope with the same source
/// continues where the first one ended.
public func withRandomSource<R>(_ source: RandomSource, _ body: () throws -> R) rethrows -> R {
  try RandomSource.run(source, body)
}

/// Runs `body`, in which layers draw from a new source that starts at `key`. A second scope with the same key draws the
/// same numbers.
public func withRandomKey<R>(_ key: RandomKey, _ body: () throws -> R) rethrows -> R {
  try withRandomSource(RandomSource(key), body)
}
