import ApusDevice

/// The gradients of `output` with respect to `inputs`: for each input `x`, `Σ seed · ∂output/∂x` over the elements of
/// `output`, in the shape and type of `x`.
///
/// The gradients are ordinary tensors and can be differentiated again. Inside `recordingGradients`, values that are
/// evaluated (for example, because they are read) keep their graph. A value that any thread evaluates outside of
/// `recordingGradients` releases its graph and counts as a constant. The exception is a value that is evaluated
/// together with its `stopGradient()`: it keeps its graph.
///
/// - Parameters:
///   - output: a tensor of any shape.
///   - seed: the gradient of `output` itself, in its shape; ones by default.
///   - unused: how to treat inputs that `output` does not depend on (`allow_unused` of PyTorch).
/// - Returns: one gradient for each input.
/// - Precondition: output and inputs are floating-point. If `output` depends on an input only through values that have
///   released their graph, the process stops instead of returning zeros.
public func gradients(
  of output: Tensor, withRespectTo inputs: [Tensor], seed: Tensor? = nil, unused: UnusedInputs = .zeros
) -> [Tensor] {
  var start = output.gradientSeed
  if let seed {
    if seed.shape == output.shape {
      start = seed.cast(to: output.dtype)
    } else {
      ShapeError("gradients", "the seed \(seed.shape) must have the shape \(output.shape) of the output").report()
    }
  }
  var pass = BackwardPass(output.node, inputs.map(\.node))
  pass.check(output, inputs, unused)
  let found = pass.run(start)
  return zip(inputs, found).map { input, gradient in
    gradient ?? Tensor(repeating: 0, shape: input.shape, dtype: input.dtype, device: input.device)
  }
}

/// As `gradients(of:withRespectTo:)`, with `nil` for tensors that `output` does not depend on.
package func partialGradients(of output: Tensor, withRespectTo inputs: [Tensor]) -> [Tensor?] {
  var pass = BackwardPass(output.node, inputs.map(\.node))
  return pass.run(output.gradientSeed)
}

extension Tensor {
  /// The gradient of this tensor with respect to itself: ones.
  var gradientSeed: Tensor { Tensor(repeating: 1, shape: shape, dtype: dtype, device: device) }
}

/// How `gradients` treats inputs that the output does not depend on.
public enum UnusedInputs: Hashable, Sendable {
  /// Their gradients are zeros.
  case zeros
  /// They are an error (`ShapeError`), which stops the process outside of `checkingShapes(_:)`.
  case refused
}

/// Runs `body` so that values read inside stay differentiable: they keep their graph until `body` ends.
public func recordingGradients<R>(_ body: () throws -> R) rethrows -> R {
  try GradientScope.run(body)
}

/// Whether the calling code runs inside `recordingGradients`, where values that are read stay differentiable.
public var isRecordingGradients: Bool { GradientScope.current != nil }

/// Reverse-mode differentiation over the graph of the output. Nodes that have released their graph count as constants.
///
/// The pass copies the edges of the graph under the device's lock. While the pass lasts, it counts as a tensor that
/// refers to each node. Otherwise, an evaluation on another thread would not store the values of all these nodes.
struct BackwardPass: ~Copyable {
  /// The output and its dependencies, inputs before their users. The pass owns these nodes.
  private(set) var order: [Unmanaged<Node>] = []
  /// The indices in `order` of the inputs of each node, concatenated.
  private(set) var edges: [Int32] = []
  /// The index in `edges` of the first input of each node.
  private var firstEdge: [Int32] = []
  /// For each node, whether gradients flow through it to a target: a tensor whose gradient the caller asked for.
  private var isNeeded: [Bool] = []
  /// The index of each target in `order`, −1 for targets that were not reached.
  private var targets: [Int] = []
  /// The gradient of each node: the sum of the contributions found so far, `nil` before the first.
  private var cotangents: [Tensor?] = []
  /// For each node that has several results, the gradients of these results.
  private var resultCotangents: [Int: [Tensor?]] = [:]
  /// For each node, the gradients of its parts (slices, see `GradientRule.part`) that were found so far.
  private var parts: [Int: [PartGradient]] = [:]

  init(_ output: Node, _ targetNodes: [Node]) {
    output.device.withExpandedGraph { collect(output, targetNodes, epoch: $0.nextEpoch()) }
    isNeeded = Array(repeating: false, count: order.count)
    for target in targets where target >= 0 { isNeeded[target] = true }
    for index in order.indices where !isNeeded[index] && isDifferentiable(index) {
      isNeeded[index] = edgeRange(index).contains { isNeeded[Int(edges[$0])] }
    }
  }

  deinit {
    for node in order {
      node._withUnsafeGuaranteedRef { _ = $0.handleCount.subtract(1, ordering: .releasing) }
      node.release()
    }
  }

  /// Whether a path leads from the output to target number `target`.
  func isReached(_ target: Int) -> Bool { targets[target] >= 0 }

  func isTarget(_ index: Int) -> Bool { targets.contains(index) }

  func isDifferentiable(_ index: Int) -> Bool { order[index]._withUnsafeGuaranteedRef(\.isDifferentiable) }

  func edgeRange(_ index: Int) -> Range<Int> {
    let end = index + 1 < firstEdge.count ? Int(firstEdge[index + 1]) : edges.count
    return Int(firstEdge[index])..<end
  }

  /// Collects the nodes of the graph in topological order. The caller holds the device's lock, which protects `mark`
  /// and `position` of the nodes.
  private mutating func collect(_ output: Node, _ targetNodes: [Node], epoch: UInt32) {
    var traversal = Traversal<Unmanaged<Node>>()
    traversal.run(from: output, marking: epoch, passesValues: true) { vertex in
      let node = vertex.takeUnretainedValue()
      node.position = Int32(truncatingIfNeeded: order.count)
      firstEdge.append(Int32(truncatingIfNeeded: edges.count))
      for index in 0..<node.inputCount { edges.append(node.edge(index)._withUnsafeGuaranteedRef(\.position)) }
      order.append(vertex.retain())
      node.handleCount.add(1, ordering: .relaxed)
    }
    // Targets on other devices are not in the graph, and this lock does not protect their marks.
    targets = targetNodes.map { $0.device === output.device && $0.mark == epoch ? Int($0.position) : -1 }
  }

  /// Runs the rules outside of all precision scopes, even if the caller is inside of `withPrecision`: each rule computes
  /// in the types and the precision of its operation.
  mutating func run(_ seed: Tensor) -> [Tensor?] {
    PrecisionScope.run(.float32) { propagate(seed) }
  }

  private mutating func propagate(_ seed: Tensor) -> [Tensor?] {
    cotangents = Array(repeating: nil, count: order.count)
    if let last = order.indices.last, isNeeded[last] { cotangents[last] = seed }
    let namesOrigins = AnomalyScope.current != nil
    for index in order.indices.reversed() {
      joinParts(of: index, namesOrigins)
      let ofResults = resultCotangents[index]
      guard let gradient = cotangents[index] ?? ofResults?.lazy.compactMap({ $0 }).first else { continue }
      let node = order[index].takeUnretainedValue()
      let range = edgeRange(index)
      switch node.op.gradient {
      case .notDifferentiable, .definedByCaller: break
      case .result: collect(gradient, ofResult: node, along: range)
      case .part: collect(gradient, ofPart: node, along: range)
      case .rule(let rule):
        var mask: UInt64 = 0
        for (input, edge) in range.enumerated() where isNeeded[Int(edges[edge])] { mask |= 1 << UInt64(min(input, 63)) }
        if mask == 0 { continue }
        let context = GradientInput(
          node: node, gradient: gradient, resultGradients: ofResults, neededMask: mask, nodes: order,
          inputs: edges[range])
        if namesOrigins {
          AnomalyScope.building(.gradient(of: node.serial)) { add(rule(context), along: range) }
        } else {
          add(rule(context), along: range)
        }
      }
    }
    return targets.map { $0 < 0 ? nil : cotangents[$0] }
  }

  /// Stores the gradient of one of several results until the rule of their operation runs.
  private mutating func collect(_ gradient: Tensor, ofResult result: Node, along range: Range<Int>) {
    guard let edge = range.first, isNeeded[Int(edges[edge])] else { return }
    let whole = Int(edges[edge])
    let count = order[whole].takeUnretainedValue().results.types.count
    resultCotangents[whole, default: Array(repeating: nil, count: count)][result.attributes.integers[0]] = gradient
  }

  /// Stores the gradient of a part until the gradients of all parts of its tensor are known.
  private mutating func collect(_ gradient: Tensor, ofPart part: Node, along range: Range<Int>) {
    guard let edge = range.first, isNeeded[Int(edges[edge])] else { return }
    parts[Int(edges[edge]), default: []].append(PartGradient(part: part, gradient: gradient))
  }

  /// Adds the gradients of a node's parts to the gradient of the node; called when the gradients of all parts are
  /// known. The rule of an `Op` (a kind of slice) runs once, for all parts that are results of this `Op`.
  private mutating func joinParts(of index: Int, _ namesOrigins: Bool) {
    guard var left = parts.removeValue(forKey: index) else { return }
    let shape = order[index]._withUnsafeGuaranteedRef(\.shape)
    while let op = left.first?.part.op, case .part(let rule) = op.gradient {
      let found = left.filter { $0.part.op === op }
      left.removeAll { $0.part.op === op }
      let contributions =
        namesOrigins
        ? AnomalyScope.building(.gradient(of: found[0].part.serial)) { rule(found, shape) } : rule(found, shape)
      for contribution in contributions { add(contribution, at: index) }
    }
  }

  /// Adds the gradients that a rule returns to the gradients of its node's inputs.
  private mutating func add(_ contributions: [Tensor?], along range: Range<Int>) {
    for (input, contribution) in contributions.enumerated() {
      guard let contribution else { continue }
      let index = Int(edges[range.lowerBound + input])
      if isNeeded[index] { add(contribution, at: index) }
    }
  }

  /// Sums a contribution over the axes that were broadcast, converts it to the type of the node, and adds it to the
  /// node's gradient.
  private mutating func add(_ contribution: Tensor, at index: Int) {
    let (shape, dtype) = order[index]._withUnsafeGuaranteedRef { ($0.shape, $0.dtype) }
    var value = contribution
    if value.shape != shape { value = value.summed(to: shape) }
    if value.dtype != dtype { value = value.cast(to: dtype) }
    cotangents[index] = cotangents[index].map { $0 + value } ?? value
  }
}
