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
/// - Parameter mayBeUnrelated: Whether a loss that depends on none of `values` is accepted, because the caller reports
///   it.
package func lossGradients(
  of loss: Tensor, withRespectTo values: [Tensor], for operation: String, mayBeUnrelated: Bool
) -> [Tensor?] {
  var pass = BackwardPass(loss.node, values.map(\.node))
  pass.check(loss: loss, of: values, operation, mayBeUnrelated: mayBeUnrelated)
  return pass.run(loss.seed)
}

extension Tensor {
  /// The gradient of the differentiated tensor itself: ones.
  fileprivate var seed: Tensor { Tensor(repeating: 1, shape: shape, dtype: dtype, device: device) }
}

/// A reference to a tensor's value that, unlike a tensor, lets an evaluation overwrite the memory of the value.
package struct FormerValue: Sendable {
  private let node: Node

  /// Remembers the value of a tensor.
  package init(_ tensor: Tensor) { node = tensor.node }

  /// The value as a tensor; `nil` if its memory was reused.
  package var tensor: Tensor? { node.device.withEvaluator { _ in node.isConsumed } ? nil : Tensor(node: node) }
}
