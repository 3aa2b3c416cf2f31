import ApusDevice

// What layers and training loops need of the graph.

/// Whether code runs inside `recordingGradients`, so that what it builds may be differentiated.
public var isRecordingGradients: Bool { GradientScope.current != nil }

extension Tensor {
  /// Computes the value in the plan of whatever is evaluated next on the device, if it is still referred
  /// to by then: a loss or a statistic rides along with the update of the parameters.
  public func evaluateWithNext() {
    device.withEvaluator { if !node.isMaterialized { $0.attach(node) } }
  }
}

/// As `gradients(of:withRespectTo:)`, with `nil` for tensors that `output` does not depend on.
package func partialGradients(of output: Tensor, withRespectTo inputs: [Tensor]) -> [Tensor?] {
  var pass = BackwardPass(output.node, inputs.map(\.node))
  return pass.run(output.seed)
}

/// As `partialGradients`. A loss that has lost the way to one of the values, or that depends on none of them, is reported
/// as a mistake of `operation`.
///
/// - Parameter mayBeUnrelated: Whether the caller reports a loss that depends on none.
package func lossGradients(
  of loss: Tensor, withRespectTo values: [Tensor], for operation: String, mayBeUnrelated: Bool
) -> [Tensor?] {
  var pass = BackwardPass(loss.node, values.map(\.node))
  pass.check(loss: loss, of: values, operation, mayBeUnrelated: mayBeUnrelated)
  return pass.run(loss.seed)
}

extension Tensor {
  /// The gradient of what is differentiated.
  fileprivate var seed: Tensor { Tensor(repeating: 1, shape: shape, dtype: dtype, device: device) }
}

/// A value to go back to. It does not keep an evaluation from taking its memory over.
package struct FormerValue: Sendable {
  private let node: Node

  /// Remembers what a tensor refers to.
  package init(_ tensor: Tensor) { node = tensor.node }

  /// The value as a tensor; `nil` where its memory was taken over.
  package var tensor: Tensor? { node.device.withEvaluator { _ in node.isConsumed } ? nil : Tensor(node: node) }
}
