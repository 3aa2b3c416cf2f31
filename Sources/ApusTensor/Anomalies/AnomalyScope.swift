import ApusDevice
import Synchronization

/// The first operation whose result had a NaN or an infinity.
public typealias Anomaly = ApusDevice.Anomaly

/// Runs `body`. In each evaluation inside, the results of all evaluated operations are checked for NaN and infinities.
///
/// `DeviceError.notFinite` reports the first operation, in order of creation, whose result has a NaN or an infinity
/// although its inputs have none. Any call that evaluates throws this error: `eval(_:)`, reading a value, an
/// optimizer's update. The values that the call computed can still be read afterwards. Infinities in the input data,
/// such as in masks, are not reported. Two kinds of NaN are reported only if a requested value is not finite: a NaN in
/// the input data, and a NaN that is computed from infinities in the input data.
///
/// ```swift
/// try detectingAnomalies {
///   try optimizer.minimize { crossEntropy(model(images), labels) }
/// }
/// ```
/// Every intermediate value is kept in memory and read by the host, so a training step takes two or three times as
/// long. Sums may be rounded differently, because operations are not fused. Outside of `body`, nothing is checked.
@discardableResult
public func detectingAnomalies<R>(_ body: () throws -> R) rethrows -> R {
  try AnomalyScope.run(checks: true, body)
}

/// Runs `body`, which builds the operations of a layer; an anomaly in one of these operations, or in their gradients,
/// is reported with the name of the layer.
/// - Parameter layer: the key of the layer in the model, and its type; evaluated only inside of
///   `detectingAnomalies(_:)` or `namingLayers(_:)`.
package func namingOperations<R>(
  after layer: @autoclosure () -> (key: String, type: String), _ body: () throws -> R
) rethrows -> R {
  guard AnomalyScope.naming != nil else { return try body() }
  let (key, type) = layer()
  return try AnomalyScope.building(.layer(key: key, type: type), body)
}

/// Runs `body`; inside, `currentLayer` is the layer that is being built.
package func namingLayers<R>(_ body: () throws -> R) rethrows -> R {
  // A scope that checks evaluations also tracks layers. No second scope is opened inside it, because only the innermost
  // scope records nodes.
  if AnomalyScope.current != nil { return try body() }
  return try AnomalyScope.run(checks: false, body)
}

/// The layer whose operations are being built: its key, after the keys of the layers that contain it, and its type in
/// parentheses. `nil` outside of all layers, and outside of `namingLayers(_:)` and `detectingAnomalies(_:)`.
package var currentLayer: String? { AnomalyScope.naming == nil ? nil : AnomalyScope.openLayer }

/// Runs `body`, which builds operations whose results may overflow without harm: the caller discards the values that
/// are computed from overflowed results. A result of these operations is an anomaly only if a requested value is not
/// finite in the end.
package func expectingOverflow<R>(_ body: () throws -> R) rethrows -> R {
  guard AnomalyScope.current != nil else { return try body() }
  return try AnomalyScope.building(.guarded, body)
}

/// A scope of code whose evaluations are checked or whose layers are tracked. A scope that checks evaluations also
/// records for which `Purpose` each node was built.
///
/// Nodes do not store their purpose: the scope records the serial (the number in the order of creation) of each node
/// that is built inside. The current purpose is a task-local value, so child tasks may build nodes for different
/// purposes concurrently.
final class AnomalyScope: Sendable {
  @TaskLocal private static var taskLocal: AnomalyScope?
  @TaskLocal private static var purpose: Nested?
  private static let active = Atomic<Int>(0)

  /// Whether evaluations are checked; if `false`, the scope only tracks layers.
  private let checks: Bool

  private init(checks: Bool) { self.checks = checks }

  /// The innermost scope of the Swift task. If no scope is active in the process, only the counter `active` is read.
  static var naming: AnomalyScope? { active.load(ordering: .relaxed) == 0 ? nil : taskLocal }

  /// The innermost scope of the Swift task, if evaluations are checked in it.
  static var current: AnomalyScope? { naming.flatMap { $0.checks ? $0 : nil } }

  /// The purposes that nodes are built for.
  enum Purpose: Sendable {
    case layer(key: String, type: String)
    /// The gradient of the node with this serial.
    case gradient(of: UInt64)
    /// Operations whose results may overflow without harm; see `expectingOverflow(_:)`.
    case guarded
  }

  /// A purpose nested in others.
  private final class Nested: Sendable {
    let purpose: Purpose
    let outer: Nested?

    init(_ purpose: Purpose, in outer: Nested?) { (self.purpose, self.outer) = (purpose, outer) }

    /// All purposes, innermost first.
    var all: some Sequence<Purpose> { sequence(first: self, next: \.outer).lazy.map(\.purpose) }
  }

  /// The nodes with the serials `first` to `last`, all built for one purpose.
  private struct Stretch {
    var purpose: Nested
    var first: UInt64
    var last: UInt64
  }

  private let stretches = Mutex<[Stretch]>([])
  /// When there are `2 · capacity` stretches, the older half is removed. The newer half is enough for a long training
  /// step.
  private static let capacity = 1 << 17

  static func run<R>(checks: Bool, _ body: () throws -> R) rethrows -> R {
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    return try $taskLocal.withValue(AnomalyScope(checks: checks)) {
      try $purpose.withValue(nil, operation: body)
    }
  }

  /// Runs `body`; the nodes that it builds have this purpose.
  static func building<R>(_ purpose: Purpose, _ body: () throws -> R) rethrows -> R {
    try $purpose.withValue(Nested(purpose, in: Self.purpose), operation: body)
  }

  /// Records the purpose of a new node. If no scope is active in the process, only the counter `active` is read.
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

  /// The layer of a node, and whether the node belongs to a gradient or may overflow.
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
          // The layer of a gradient is the layer of the differentiated node. `.guarded` may enclose the gradient or
          // that node.
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
