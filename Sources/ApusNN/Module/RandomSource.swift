import ApusTensor
import Synchronization

/// The source of random numbers for layers: a key that advances with every draw.
///
/// A model that is built inside `withRandomKey(RandomKey(seed: 1)) { … }` starts with the same values every time and on
/// every device. Otherwise random numbers come from a process-wide source with seed 0.
public final class RandomSource: Sendable {
  private let stored: Mutex<RandomKey>

  /// A source whose first draw uses `key`.
  public init(_ key: RandomKey) { stored = Mutex(key) }

  /// The key of the next draw. Setting it restores a saved state.
  public var key: RandomKey {
    get { stored.withLock { $0 } }
    set { stored.withLock { $0 = newValue } }
  }

  /// Runs `body` with the key, which advances.
  public func draw<R>(_ body: (inout RandomKey) -> sending R) -> sending R {
    stored.withLock { key in body(&key) }
  }

  @TaskLocal private static var taskLocal: RandomSource?
  private static let process = RandomSource(RandomKey(seed: 0))

  /// The source of the innermost `withRandomSource`, otherwise the process-wide source.
  public static var current: RandomSource { taskLocal ?? process }

  fileprivate static func run<R>(_ source: RandomSource, _ body: () throws -> R) rethrows -> R {
    try $taskLocal.withValue(source, operation: body)
  }
}

/// Runs `body`, in which layers draw from `source`.
public func withRandomSource<R>(_ source: RandomSource, _ body: () throws -> R) rethrows -> R {
  try RandomSource.run(source, body)
}

/// Runs `body`, in which layers draw from a new source that starts at `key`.
public func withRandomKey<R>(_ key: RandomKey, _ body: () throws -> R) rethrows -> R {
  try withRandomSource(RandomSource(key), body)
}
