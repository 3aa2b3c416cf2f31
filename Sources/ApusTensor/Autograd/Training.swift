import ApusDevice

// Graph functions that layers and training loops use.

/// Whether the calling code runs inside `recordingGradients`, where values that are read stay differentiable.
public var isRecordingGradients: Bool { GradientScope.current != nil }

extension Tensor {
  /// Computes the value together with the next evaluation on the device, if a tensor still refers to it by then. For
  /// example, a loss or a statistic is computed in the plan that updates the parameters.
  public func evaluateWithNext() {
    device.withEvaluator { if !node.isMaterialized { $0.attach(node) } }
  }
}

/// As `gradients(of:withRespectTo:)`, with `nil` for tensors that `output` does not depend on.
package func partialGradients(of output: Tensor, withRespectTo inputs: [Tensor]) -> [Tensor?] {
  var pass = BackwardPass(output.node, inputs.map(\.node))
  return pass.run(output.seed)
}

/// As `partialGradients`, but reports an error that names `operation` in two cases: an evaluation has released the
/// gradient path from the loss to one of `values`, or the loss depends on none of `values`.
///
/// If a loss with the same operations was differentiated before, the gradients are a deferred graph: see
/// `GradientForms`.
/// - Parameters:
///   - mayBeUnrelated: Whether a loss that depends on none of `values` is accepted, because the caller reports it.
///   - mayDefer: Whether the gradients may be a deferred graph.
package func lossGradients(
  of loss: Tensor, withRespectTo values: [Tensor], for operation: String, mayBeUnrelated: Bool, mayDefer: Bool
) -> [Tensor?] {
  let form = mayDefer ? gradientForm(of: loss, values) : nil
  if case .known(let hasGradient) = form { return deferredGradients(of: loss, values, hasGradient) }
  var pass = BackwardPass(loss.node, values.map(\.node))
  pass.check(loss: loss, of: values, operation, mayBeUnrelated: mayBeUnrelated)
  let gradients = pass.run(loss.seed)
  if case .unknown(let key) = form {
    loss.device.withEvaluator { $0.gradientForms.note(gradients.map { $0 != nil }, for: key) }
  }
  return gradients
}

extension Tensor {
  /// The gradient of the differentiated tensor itself: ones.
  var seed: Tensor { Tensor(repeating: 1, shape: shape, dtype: dtype, device: device) }
}

/// A reference to a tensor's value that, unlike a tensor, lets an evaluation overwrite the memory of the value.
package struct FormerValue: Sendable {
  private let node: Node

  /// Remembers the value of a tensor.
  package init(_ tensor: Tensor) { node = tensor.node }

  /// The value as a tensor; `nil` if its memory was reused.
  package var tensor: Tensor? { node.device.withEvaluator { _ in node.isConsumed } ? nil : Tensor(node: node) }
}
