import ApusDevice

/// For losses that were differentiated before: which targets (the tensors whose gradients were asked for) have a
/// gradient.
///
/// The operations of a gradient depend only on the operations of the loss, unless the loss contains user-defined
/// gradient rules. So from the second time on that a loss with the same operations is differentiated, the gradients
/// become a deferred graph: see `DeferredGraph`.
struct GradientForms: ~Copyable {
  private var forms: [PlanKey: [Bool]] = [:]
  private var key = PlanKey()
  private var traversal = Traversal<Unmanaged<Node>>()
  private static let capacity = 256

  /// What is known of the gradients of a loss.
  enum Form {
    /// The loss was not differentiated before.
    case unknown(PlanKey)
    /// For each target, whether it has a gradient.
    case known([Bool])
  }

  /// Returns what is known of the gradients of `loss`; `nil` if the gradients cannot be deferred.
  /// - Parameter epoch: a mark that no node has.
  mutating func form(of loss: Node, _ targets: [Node], epoch: UInt32) -> Form? {
    key.begin()
    var (count, isOrdinary) = (Int32(0), true)
    var key = PlanKey()
    swap(&key, &self.key)
    traversal.run(from: loss, marking: epoch, passesValues: true) { vertex in
      vertex._withUnsafeGuaranteedRef { node in
        node.position = count
        count += 1
        if node.isMaterialized && node.hasEdges || node.mayHaveCustomGradient { isOrdinary = false }
        key.append(node, isOutput: false, isInput: node.isMaterialized)
      }
    }
    for target in targets {
      // The lock of the loss's device does not protect nodes of other devices.
      guard target.device === loss.device, target.mark == epoch else {
        isOrdinary = false
        break
      }
      key.append(UInt64(truncatingIfNeeded: target.position))
    }
    swap(&key, &self.key)
    guard isOrdinary else { return nil }
    self.key.finish()
    return forms[self.key].map { .known($0) } ?? .unknown(self.key)
  }

  /// Remembers which targets have a gradient.
  mutating func note(_ hasGradient: [Bool], for key: PlanKey) {
    if forms.count >= GradientForms.capacity { forms.removeAll() }
    forms[key] = hasGradient
  }
}

/// The gradients of a loss: a deferred graph, or operations that the caller must build.
enum DeferrableGradients {
  /// Results of a deferred graph; `nil` for targets without a gradient.
  case deferred([Tensor?])
  /// The caller must build the gradients. If there is a key, it then calls `GradientForms.note` with this key.
  case built(PlanKey?)
}

/// Defers the gradients of a loss, if a loss with the same operations was differentiated before.
func deferringGradients(of loss: Tensor, _ values: [Tensor]) -> DeferrableGradients {
  // In these scopes, nodes are recorded or marked when they are built, so their operations cannot be built later.
  guard AnomalyScope.naming == nil, CheckpointRegion.current == 0 else { return .built(nil) }
  return loss.device.withEvaluator { evaluator in
    let epoch = evaluator.nextEpoch()
    switch evaluator.gradientForms.form(of: loss.node, values.map(\.node), epoch: epoch) {
    case nil: return .built(nil)
    case .unknown(let key): return .built(key)
    // Under the same lock as `form`, so that no other thread releases the graph of the loss in between.
    case .known(let hasGradient): return .deferred(deferredGradients(of: loss, values, hasGradient, &evaluator))
    }
  }
}

/// The gradients of a loss as results of a deferred graph.
/// - Parameter hasGradient: for each of `values`, whether the loss has a gradient with respect to it.
private func deferredGradients(
  of loss: Tensor, _ values: [Tensor], _ hasGradient: [Bool], _ evaluator: inout Evaluator
) -> [Tensor?] {
  let indices = hasGradient.indices.filter { hasGradient[$0] }
  let types = indices.map { TensorType(values[$0].shape, values[$0].dtype) }
  let found = DeferredGraph.results(types, of: [loss] + values, &evaluator) { inputs in
    var pass = BackwardPass(inputs[0].node, inputs.dropFirst().map(\.node))
    let gradients = pass.run(inputs[0].gradientSeed)
    return indices.map { gradients[$0]! }
  }
  var result = [Tensor?](repeating: nil, count: values.count)
  for (index, gradient) in zip(indices, found) { result[index] = gradient }
  return result
}

extension Node {
  /// Whether the gradient may depend on more than the graph: a user-defined rule may capture anything.
  fileprivate var mayHaveCustomGradient: Bool {
    switch attributes {
    case .customGradient, .customGradientResults, .custom, .loop, .deferred: true
    default: false
    }
  }
}
