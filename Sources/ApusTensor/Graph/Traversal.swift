/// A depth-first traversal of an acyclic graph. It leaves each vertex after all inputs of the vertex, so it leaves the
/// vertices in a topological order.
///
/// Inputs are followed in their order. Nothing is called recursively, so a chain of a million nodes does not overflow
/// the stack of the thread.
struct Traversal<Vertex> {
  /// The path from the root to the current vertex; for each vertex, the index of its next input.
  private var path: [(vertex: Vertex, next: Int)] = []

  /// Visits `root` and all vertices that it depends on.
  ///
  /// - Parameters:
  ///   - input: returns an input of a vertex by index, `nil` if there is none. Return `nil` for index 0 to stop at a
  ///     vertex.
  ///   - enter: is called for each edge, with the input and its user, and once for the root, with the user `nil`. It
  ///     returns whether the vertex is reached for the first time; the caller marks visited vertices.
  ///   - leave: is called once for each vertex that is reached, after its inputs.
  @inline(__always)
  mutating func run(
    from root: Vertex, input: (_ vertex: Vertex, _ index: Int) -> Vertex?,
    enter: (_ vertex: Vertex, _ user: Vertex?) -> Bool, leave: (_ vertex: Vertex) -> Void
  ) {
    guard enter(root, nil) else { return }
    path.append((root, 0))
    while !path.isEmpty {
      let (vertex, next) = path[path.count - 1]
      if let input = input(vertex, next) {
        path[path.count - 1].next = next + 1
        if enter(input, vertex) { path.append((input, 0)) }
      } else {
        path.removeLast()
        leave(vertex)
      }
    }
  }
}

extension Traversal<Unmanaged<Node>> {
  /// Visits a node and the nodes that it depends on, unless they have the mark `epoch`, and marks them.
  ///
  /// The caller holds the lock of the nodes' device; see `ComputeDevice.withEvaluator`.
  /// - Parameters:
  ///   - epoch: the result of `Evaluator.nextEpoch()`.
  ///   - passesValues: whether to visit the inputs of materialized nodes.
  @inline(__always)
  mutating func run(
    from root: Node, marking epoch: UInt32, passesValues: Bool, leave: (_ vertex: Unmanaged<Node>) -> Void
  ) {
    run(from: Unmanaged.passUnretained(root)) { vertex, index in
      vertex._withUnsafeGuaranteedRef {
        index < $0.inputCount && (passesValues || !$0.isMaterialized) ? $0.edge(index) : nil
      }
    } enter: { vertex, _ in
      vertex._withUnsafeGuaranteedRef { node in
        if node.mark == epoch { return false }
        node.mark = epoch
        return true
      }
    } leave: {
      leave($0)
    }
  }
}

/// A traversal of nodes that remembers which nodes it has visited, from one root to the next.
///
/// The caller holds the lock of the nodes' device; see `ComputeDevice.withEvaluator`.
struct NodeTraversal {
  private var traversal = Traversal<Node>()
  private var seen: Set<ObjectIdentifier> = []

  /// Calls `visit` with `root` and the nodes that it depends on, inputs before their users, each node once.
  /// - Parameter isEnd: whether to leave out the inputs of a node. By default, the inputs of materialized nodes are
  ///   left out.
  mutating func run(
    from root: Node, until isEnd: (Node) -> Bool = { $0.isMaterialized }, visit: (Node) -> Void
  ) {
    traversal.run(from: root) { node, index in
      index < node.inputCount && !isEnd(node) ? node.input(index) : nil
    } enter: { node, _ in
      seen.insert(ObjectIdentifier(node)).inserted
    } leave: { node in
      visit(node)
    }
  }
}
