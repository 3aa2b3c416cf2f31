import ApusDevice
import Synchronization

/// Operations that are built only if no plan for them is known.
///
/// A training step builds the same gradients in each step. A deferred graph stands for such operations: one node with
/// the inputs and the results of the operations. If the plan cache has a plan for a graph with this node, the plan
/// runs, and the operations are never built. Otherwise `ComputeDevice.expandDeferredGraphs()` builds them: each result
/// becomes the operation that computes it, and the evaluation plans the expanded graph.
///
/// Evaluations and `GradientForms` handle deferred graphs. Every other traversal of a graph runs inside
/// `ComputeDevice.withExpandedGraph(_:)`, which builds the operations first.
final class DeferredGraph: Sendable {
  let results: ResultList
  /// Builds the results from the inputs. It must not refer to tensors other than its arguments. Which
  /// operations it builds may depend on the operations that compute the inputs and on the types of the inputs, but not
  /// on values.
  private let build: @Sendable (_ inputs: [Tensor]) -> [Tensor]
  private let isExpanded = Mutex(false)
  private let claim = Atomic(false)

  /// Whether a thread builds the operations or has built them. While a thread builds them, no evaluation may contain
  /// the deferred graph, because the evaluation would release the graph of the inputs. Accessed under the device's
  /// lock.
  var hasStartedExpansion: Bool { claim.load(ordering: .relaxed) }

  private init(_ types: [TensorType], build: @escaping @Sendable ([Tensor]) -> [Tensor]) {
    results = ResultList(types)
    self.build = build
  }

  /// Returns the results of a new deferred graph, whose operations `build` builds when they are needed.
  /// - Parameter evaluator: the evaluator of the inputs' device.
  static func results(
    _ types: [TensorType], of inputs: [Tensor], _ evaluator: inout Evaluator,
    build: @escaping @Sendable ([Tensor]) -> [Tensor]
  ) -> [Tensor] {
    let graph = DeferredGraph(types, build: build)
    let node = Node(
      op: .deferred, inputs: OpInputs(list: inputs.map(\.node)), attributes: .deferred(graph),
      type: TensorType(Shape(), .float32), device: inputs[0].node.deviceReference)
    evaluator.deferred.append(DeferredNode(node: node))
    evaluator.deferredCounts.created += 1
    return types.indices.map { graph.results.tensor($0, of: node) }
  }

  /// Whether the Swift task is building the operations of a deferred graph.
  @TaskLocal fileprivate static var isExpanding = false

  /// Builds the operations of `node`, unless they exist already. If another thread is building them, waits for it.
  fileprivate func expand(_ node: Node) {
    isExpanded.withLock { isExpanded in
      if isExpanded { return }
      isExpanded = true
      let inputs = node.device.withEvaluator { _ -> [Tensor]? in
        // An evaluation on another thread may have computed the results.
        guard node.hasEdges else { return nil }
        claim.store(true, ordering: .relaxed)
        return (0..<node.inputCount).map { Tensor(node: node.input($0)) }
      }
      guard let inputs else { return }
      let sources = DeferredGraph.$isExpanding.withValue(true) { build(inputs).map(\.node) }
      var counts: [ObjectIdentifier: Int] = [:]
      for source in sources { counts[ObjectIdentifier(source), default: 0] += 1 }
      node.device.withEvaluator { evaluator in
        evaluator.deferredCounts.expanded += 1
        for result in results.living {
          let source = sources[result.attributes.integers[0]]
          result.expand(to: source, isShared: counts[ObjectIdentifier(source)]! > 1)
        }
      }
    }
  }
}

/// A weak reference to the node of a deferred graph. The results of the graph keep the node alive.
struct DeferredNode {
  weak var node: Node?
}

extension Op {
  static let deferred: Op = Op(
    name: "deferred", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .notDifferentiable, lower: .deferred)
}

extension ComputeDevice {
  /// Builds the operations of all deferred graphs of the device. Does nothing if called while this Swift task is
  /// building the operations of a deferred graph: building runs a backward pass, which calls this method again.
  func expandDeferredGraphs() {
    // In order of creation: a graph may read the results of earlier ones.
    let nodes = withEvaluator { evaluator in evaluator.deferred.compactMap(\.node) }
    guard !nodes.isEmpty, !DeferredGraph.isExpanding else { return }
    for node in nodes {
      if case .deferred(let graph) = node.attributes { graph.expand(node) }
    }
    withEvaluator { evaluator in
      evaluator.deferred.removeAll { other in other.node == nil || nodes.contains { $0 === other.node } }
    }
  }

  /// How many deferred graphs were created on the device, and for how many of them the operations were built.
  package var deferredGraphCounts: (created: Int, expanded: Int) { withEvaluator { $0.deferredCounts } }

  /// As `withEvaluator`, after the operations of all deferred graphs are built.
  func withExpandedGraph<R, E: Error>(_ body: (inout Evaluator) throws(E) -> R) throws(E) -> R {
    expandDeferredGraphs()
    return try withEvaluator(body)
  }
}
