import Synchronization

/// A scope of code that may read values before it takes gradients. Nodes evaluated inside keep their edges, so that
/// gradients still flow through them. The edges are cut when the outermost scope ends.
final class GradientScope: Sendable {
  @TaskLocal static var taskLocal: GradientScope?
  private static let active = Atomic<Int>(0)
  private let kept = Mutex<[Node]>([])
  private let hasEnded = Atomic(false)

  /// Whether the scope has not ended, so that values that were read inside may still be differentiated.
  var isOpen: Bool { !hasEnded.load(ordering: .acquiring) }

  /// The innermost scope of the Swift task. If no scope is active in the process, only the counter `active` is read.
  static var current: GradientScope? {
    active.load(ordering: .relaxed) == 0 ? nil : taskLocal
  }

  func keep(_ node: Node) { kept.withLock { $0.append(node) } }

  /// Cuts the edges of materialized values. An intermediate node without a value keeps its edges, because a graph that
  /// refers to it must compute it again.
  private func cutEdges() {
    var nodes = kept.withLock { $0 }
    while let device = nodes.first?.device {
      device.withEvaluator { _ in
        for node in nodes where node.device === device && node.isMaterialized { node.cutEdges() }
      }
      nodes.removeAll { $0.device === device }
    }
  }

  /// Runs `body` in a new scope. Inside another scope, `body` runs in that scope instead.
  static func run<R>(_ body: () throws -> R) rethrows -> R {
    if taskLocal != nil { return try body() }
    let scope = GradientScope()
    active.add(1, ordering: .relaxed)
    defer {
      active.subtract(1, ordering: .relaxed)
      scope.hasEnded.store(true, ordering: .releasing)
      scope.cutEdges()
    }
    return try $taskLocal.withValue(scope, operation: body)
  }
}

/// Marks the nodes that recompute a checkpointed function for its gradient. The planner merges common subexpressions,
/// but it must not merge these nodes with the equal nodes of the first computation.
enum CheckpointRegion {
  @TaskLocal static var taskLocal: UInt32 = 0
  private static let active = Atomic<Int>(0)
  private static let count = Atomic<UInt32>(0)

  static var current: UInt32 { active.load(ordering: .relaxed) == 0 ? 0 : taskLocal }

  /// Runs `body`; the nodes that it builds belong to a new region.
  static func run<R>(_ body: () throws -> R) rethrows -> R {
    active.add(1, ordering: .relaxed)
    defer { active.subtract(1, ordering: .relaxed) }
    let region = count.add(1, ordering: .relaxed).newValue
    return try $taskLocal.withValue(region, operation: body)
  }
}
