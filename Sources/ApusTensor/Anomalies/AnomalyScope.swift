import ApusDevice
import Synchronization

/// The first operation that gave NaN or an infinity.
public typealias Anomaly = ApusDevice.Anomaly

/// Runs `body`; each evaluation inside looks at the results of all its operations.
///
/// The first operation, in the order in which they were built, whose result has a NaN or an infinity although its
/// inputs had none is thrown as `DeviceError.notFinite` by whatever evaluates it: `eval(_:)`, reading a value, an
/// optimizer's update. The values themselves are there afterwards. A NaN that data bring in is named too, where
/// something depends on it; infinities that are brought in, such as those of masks, are not.
///
/// ```
/// try detectingAnomalies {
///   try optimizer.minimize { crossEntropy(model(images), labels) }
/// }
/// ```
/// Every intermediate value is kept in memory and read by the host: a step takes two or three times as long, and since
/// operations run apart that are one elsewhere, sums may be rounded in another way. Outside of such a scope nothing is
/// looked at, and nothing costs anything.
@discardableResult
public func detectingAnomalies<R>(_ body: () throws -> R) rethrows -> R {
  try AnomalyScope.run(body)
}

/// Runs `body`, the operations of a layer, whose name anomalies in it or in its gradient are reported with.
/// - Parameter layer: the key and the type of the layer.
package func namingOperations<R>(
  after layer: @autoclosure () -> (key: String, type: String), _ body: () throws -> R
) rethrows -> R {
  guard let scope = AnomalyScope.current else { return try body() }
  let (key, type) = layer()
  scope.enter(.layer(key: key, type: type))
  defer { scope.leave() }
  return try body()
}

/// Runs `body`, which builds operations that may overflow, since what depends on them is given up if they do: what they
/// give is an anomaly only where a value that was asked for is not finite in the end.
package func expectingOverflow<R>(_ body: () throws -> R) rethrows -> R {
  guard let scope = AnomalyScope.current else { return try body() }
  scope.enter(.guarded)
  defer { scope.leave() }
  return try body()
}

/// A stretch of code whose evaluations are checked, and what its nodes were built for.
///
/// Nodes are numbered in the order in which they are built: what a node belongs to follows from its number, so that
/// nodes hold nothing for it.
final class AnomalyScope: Sendable {
  @TaskLocal private static var taskLocal: AnomalyScope?
  private static let active = Atomic<Int>(0)

  /// The innermost scope of the task. Without any in the process this costs one load.
  static var current: AnomalyScope? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// What nodes are built for.
  enum Purpose: Sendable {
    case layer(key: String, type: String)
    /// The gradient of the node of this serial.
    case gradient(of: UInt64)
    /// What may overflow.
    case guarded
  }

  /// Nodes above `first` and up to `last`, built for something.
  fileprivate struct Stretch {
    var purpose: Purpose
    var first: UInt64
    var last: UInt64
  }

  private struct State {
    var open: [(purpose: Purpose, first: UInt64)] = []
    /// Those that have ended: inner ones before the outer ones around them.
    var closed: [Stretch] = []
  }

  private let state = Mutex(State())
  /// So many stretches are remembered at least: those of a long step.
  private static let capacity = 1 << 17

  static func run<R>(_ body: () throws -> R) rethrows -> R {
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(AnomalyScope(), operation: body)
  }

  func enter(_ purpose: Purpose) { state.withLock { $0.open.append((purpose, Node.lastSerial)) } }

  func leave() {
    state.withLock { state in
      guard let (purpose, first) = state.open.popLast() else { return }
      if state.closed.count >= 2 * AnomalyScope.capacity { state.closed.removeFirst(AnomalyScope.capacity) }
      state.closed.append(Stretch(purpose: purpose, first: first, last: Node.lastSerial))
    }
  }

  /// Where a node comes from.
  struct Origin {
    var layer: String?
    var isGradient = false
    var isGuarded = false
  }

  func origin(of serial: UInt64) -> Origin {
    let stretches = state.withLock { state in
      state.closed + state.open.reversed().map { Stretch(purpose: $0.purpose, first: $0.first, last: .max) }
    }
    var origin = Origin()
    var (serial, keys, type) = (serial, [String](), String?.none)
    var index = 0
    while index < stretches.count {
      let stretch = stretches[index]
      index += 1
      guard stretch.first < serial, serial <= stretch.last else { continue }
      switch stretch.purpose {
      case .layer(let key, let name):
        keys.append(key)
        type = type ?? name
      case .guarded: origin.isGuarded = true
      case .gradient(let forward):
        // The layers are those of what is differentiated; guards are also those around the gradient.
        origin.isGuarded = origin.isGuarded || stretches[index...].contains { $0.guards(serial) }
        origin.isGradient = true
        (serial, keys, type, index) = (forward, [], nil, 0)
      }
    }
    if let type { origin.layer = keys.reversed().joined(separator: ".") + " (\(type))" }
    return origin
  }
}

extension AnomalyScope.Stretch {
  fileprivate func guards(_ serial: UInt64) -> Bool {
    if case .guarded = purpose { first < serial && serial <= last } else { false }
  }
}
