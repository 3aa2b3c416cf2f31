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
  try AnomalyScope.run(checks: true, body)
}

/// Runs `body`, the operations of a layer, whose name anomalies in it or in its gradient are reported with.
/// - Parameter layer: the key and the type of the layer.
package func namingOperations<R>(
  after layer: @autoclosure () -> (key: String, type: String), _ body: () throws -> R
) rethrows -> R {
  guard AnomalyScope.naming != nil else { return try body() }
  let (key, type) = layer()
  return try AnomalyScope.building(.layer(key: key, type: type), body)
}

/// Runs `body`, in which `currentLayer` tells layers apart.
package func namingLayers<R>(_ body: () throws -> R) rethrows -> R {
  // A scope that checks evaluations tells layers apart, too, and has to know of all nodes.
  if AnomalyScope.current != nil { return try body() }
  return try AnomalyScope.run(checks: false, body)
}

/// The keys and the type of the layer whose operations are being built, inside of `namingLayers(_:)`.
package var currentLayer: String? { AnomalyScope.naming == nil ? nil : AnomalyScope.openLayer }

/// Runs `body`, which builds operations that may overflow, since what depends on them is given up if they do: what they
/// give is an anomaly only where a value that was asked for is not finite in the end.
package func expectingOverflow<R>(_ body: () throws -> R) rethrows -> R {
  guard AnomalyScope.current != nil else { return try body() }
  return try AnomalyScope.building(.guarded, body)
}

/// A stretch of code whose evaluations are checked, and what its nodes were built for.
///
/// Nodes hold nothing for it: in such a stretch each notes its number here. What is built at the same time, in child
/// tasks, is told apart by the task.
final class AnomalyScope: Sendable {
  @TaskLocal private static var taskLocal: AnomalyScope?
  @TaskLocal private static var purpose: Nested?
  private static let active = Atomic<Int>(0)

  /// Whether evaluations are checked, not only layers told apart.
  private let checks: Bool

  private init(checks: Bool) { self.checks = checks }

  /// The innermost scope of the task. Without any in the process this costs one load.
  static var naming: AnomalyScope? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// The innermost scope of the task, if evaluations are checked in it.
  static var current: AnomalyScope? { naming.flatMap { $0.checks ? $0 : nil } }

  /// What nodes are built for.
  enum Purpose: Sendable {
    case layer(key: String, type: String)
    /// The gradient of the node of this serial.
    case gradient(of: UInt64)
    /// What may overflow.
    case guarded
  }

  /// A purpose inside of others.
  private final class Nested: Sendable {
    let purpose: Purpose
    let outer: Nested?

    init(_ purpose: Purpose, in outer: Nested?) { (self.purpose, self.outer) = (purpose, outer) }

    /// From the innermost on.
    var all: some Sequence<Purpose> { sequence(first: self, next: \.outer).lazy.map(\.purpose) }
  }

  /// Nodes from `first` to `last`, built one after the other for the same.
  private struct Stretch {
    var purpose: Nested
    var first: UInt64
    var last: UInt64
  }

  private let stretches = Mutex<[Stretch]>([])
  /// So many stretches are remembered at least: those of a long step.
  private static let capacity = 1 << 17

  static func run<R>(checks: Bool, _ body: () throws -> R) rethrows -> R {
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(AnomalyScope(checks: checks)) {
      try $purpose.withValue(nil, operation: body)
    }
  }

  /// Runs `body`, whose nodes are built for a purpose.
  static func building<R>(_ purpose: Purpose, _ body: () throws -> R) rethrows -> R {
    try $purpose.withValue(Nested(purpose, in: Self.purpose), operation: body)
  }

  /// Notes what a new node is built for. Without any scope in the process this costs one load.
  @inline(__always) static func note(_ serial: UInt64) {
    if active.load(ordering: .relaxed) != 0 { current?.add(serial) }
  }

  private func add(_ serial: UInt64) {
    guard let purpose = AnomalyScope.purpose else { return }
    stretches.withLock { stretches in
      if let last = stretches.indices.last, stretches[last].purpose === purpose, stretches[last].last + 1 == serial {
        stretches[last].last = serial
        return
      }
      if stretches.count >= 2 * AnomalyScope.capacity { stretches.removeFirst(AnomalyScope.capacity) }
      stretches.append(Stretch(purpose: purpose, first: serial, last: serial))
    }
  }

  /// The layer whose operations are being built.
  static var openLayer: String? {
    var (keys, type) = ([String](), String?.none)
    for case .layer(let key, let name) in purpose.map({ Array($0.all) }) ?? [] {
      keys.append(key)
      type = type ?? name
    }
    return type.map { "\(keys.reversed().joined(separator: ".")) (\($0))" }
  }

  /// Where a node comes from.
  struct Origin {
    var layer: String?
    var isGradient = false
    var isGuarded = false
  }

  func origin(of serial: UInt64) -> Origin {
    var origin = Origin()
    var (serial, keys, type) = (serial, [String](), String?.none)
    search: while let found = purpose(of: serial) {
      (keys, type) = ([], nil)
      var forward: UInt64?
      for purpose in found.all {
        switch purpose {
        case .layer(let key, let name):
          keys.append(key)
          type = type ?? name
        case .guarded: origin.isGuarded = true
        case .gradient(let node):
          // The layers are those of what is differentiated; guards are also those around the gradient.
          origin.isGradient = true
          forward = forward ?? node
        }
      }
      guard let forward else { break search }
      (serial, keys, type) = (forward, [], nil)
    }
    if let type { origin.layer = keys.reversed().joined(separator: ".") + " (\(type))" }
    return origin
  }

  private func purpose(of serial: UInt64) -> Nested? {
    stretches.withLock { $0.last { $0.first <= serial && serial <= $0.last }?.purpose }
  }
}
