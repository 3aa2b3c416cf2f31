import ApusDevice

/// The gradients of `output` with respect to `inputs`: for each input `x`, `Σ ∂output/∂x` over the elements
/// of `output`, in the shape and type of `x`.
///
/// The gradients are ordinary tensors and can be differentiated again. Values that were read in between
/// keep their place in the graph inside `recordingGradients`.
///
/// - Parameter seed: the gradient of `output` itself, ones when left out.
/// - Returns: one gradient for each input; zeros where `output` does not depend on it.
public func gradients(
  of output: Tensor, withRespectTo inputs: [Tensor], seed: Tensor? = nil
) -> [Tensor] {
  let seed = seed ?? Tensor(repeating: 1, shape: output.shape, dtype: output.dtype, device: output.device)
  var pass = BackwardPass(output.node, inputs.map(\.node))
  let found = pass.run(seed)
  return zip(inputs, found).map { input, gradient in
    gradient ?? Tensor(repeating: 0, shape: input.shape, dtype: input.dtype, device: input.device)
  }
}

/// Runs `body` so that values read inside stay differentiable: their edges are kept to its end.
public func recordingGradients<R>(_ body: () throws -> R) rethrows -> R {
  try GradientScope.run(body)
}

/// Reverse-mode differentiation over the pending graph.
struct BackwardPass {
  /// Nodes between the inputs and the output, inputs first.
  private var order: [Node] = []
  private var targets: [Node]
  private var cotangents: [Tensor?] = []
  private var position: [ObjectIdentifier: Int] = [:]

  init(_ output: Node, _ targets: [Node]) {
    self.targets = targets
    collect(output)
  }

  /// Whether a target was reached.
  func reaches(_ node: Node) -> Bool { position[ObjectIdentifier(node)] != nil }

  /// Finds the nodes that depend on a target.
  private mutating func collect(_ output: Node) {
    let isTarget = Set(targets.map(ObjectIdentifier.init))
    var depends: [ObjectIdentifier: Bool] = [:]
    var stack: [(node: Node, next: Int)] = [(output, 0)]
    depends[ObjectIdentifier(output)] = false
    while let (node, next) = stack.last {
      if next < node.inputCount {
        stack[stack.count - 1].next = next + 1
        let input = node.input(next)
        if depends.updateValue(depends[ObjectIdentifier(input)] ?? false, forKey: ObjectIdentifier(input)) == nil {
          stack.append((input, 0))
        }
        continue
      }
      stack.removeLast()
      let identifier = ObjectIdentifier(node)
      var isNeeded = isTarget.contains(identifier)
      if case .rule = node.op.gradient, node.dtype.isFloatingPoint {
        for index in 0..<node.inputCount where !isNeeded {
          isNeeded = depends[ObjectIdentifier(node.input(index))]!
        }
      }
      depends[identifier] = isNeeded
      if isNeeded {
        position[identifier] = order.count
        order.append(node)
      }
    }
  }

  mutating func run(_ seed: Tensor) -> [Tensor?] {
    cotangents = Array(repeating: nil, count: order.count)
    if let last = order.indices.last { cotangents[last] = seed }
    for index in order.indices.reversed() {
      let node = order[index]
      guard let gradient = cotangents[index], case .rule(let rule) = node.op.gradient,
        node.inputCount > 0
      else { continue }
      let positions = position
      let context = GradientInput(node: node, gradient: gradient) { input in
        positions[ObjectIdentifier(node.input(input))] != nil
      }
      for (input, contribution) in rule(context).enumerated() {
        guard let contribution, let place = position[ObjectIdentifier(node.input(input))] else { continue }
        add(contribution, at: place)
      }
    }
    return targets.map { target in position[ObjectIdentifier(target)].flatMap { cotangents[$0] } }
  }

  /// Adds a contribution, summed over the axes that were broadcast and in the type of the node.
  private mutating func add(_ contribution: Tensor, at index: Int) {
    let node = order[index]
    var value = contribution
    if value.shape != node.shape { value = value.summed(to: node.shape) }
    if value.dtype != node.dtype { value = value.cast(to: node.dtype) }
    cotangents[index] = cotangents[index].map { $0 + value } ?? value
  }
}
