import ApusTensor
import Synchronization

/// Where layers take random numbers from: a key that counts on with every draw.
///
/// A model that is built inside `withRandomKey(RandomKey(seed: 1)) { … }` starts with the same values every
/// time and on every device. Elsewhere the numbers come from one source of the process, which starts at seed 0.
public final class RandomSource: Sendable {
  private let stored: Mutex<RandomKey>

  /// A source that draws from a key on.
  public init(_ key: RandomKey) { stored = Mutex(key) }

  /// The key of the next draw. Setting it goes back to a place that was kept.
  public var key: RandomKey {
    get { stored.withLock { $0 } }
    set { stored.withLock { $0 = newValue } }
  }

  /// Draws with the key, which counts on.
  public func draw<R>(_ body: (inout RandomKey) -> sending R) -> sending R {
    stored.withLock { key in body(&key) }
  }

  @TaskLocal private static var taskLocal: RandomSource?
  private static let process = RandomSource(RandomKey(seed: 0))

  /// The source of the innermost `withRandomSource`, else that of the process.
  public static var current: RandomSource { taskLocal ?? process }

  fileprivate static func run<R>(_ source: RandomSource, _ body: () throws -> R) rethrows -> R {
    try $taskLocal.withValue(source, operation: body)
  }
}

/// Runs `body`; layers draw from `source`.
public func withRandomSource<R>(_ source: RandomSource, _ body: () throws -> R) rethrows -> R {
  try RandomSource.run(source, body)
}

/// Runs `body`; layers draw from a source of its own, which starts at `key`.
public func withRandomKey<R>(_ key: RandomKey, _ body: () throws -> R) rethrows -> R {
  try withRandomSource(RandomSource(key), body)
}
