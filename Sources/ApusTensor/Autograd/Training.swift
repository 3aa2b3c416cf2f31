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
  let seed = Tensor(repeating: 1, shape: output.shape, dtype: output.dtype, device: output.device)
  var pass = BackwardPass(output.node, inputs.map(\.node))
  return pass.run(seed)
}
