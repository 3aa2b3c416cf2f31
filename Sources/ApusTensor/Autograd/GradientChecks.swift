import ApusDevice

extension BackwardPass {
  /// Reports an output or an input that is not floating-point. Reports an input if an evaluation has released the part
  /// of the graph that leads from it to the output, because its gradient would silently be zero. If `unused` is
  /// `.refused`, also reports an input that the output does not depend on.
  func check(_ output: Tensor, _ inputs: [Tensor], _ unused: UnusedInputs) {
    for tensor in [output] + inputs where !tensor.dtype.isFloatingPoint {
      return ShapeError("gradients", "\(tensor.dtype) tensors have no gradients; use cast(to: .float32)").report()
    }
    for (number, input) in inputs.enumerated() where !isReached(number) {
      if let reason = reasonForMissingPath(to: input) {
        return ShapeError("gradients", "no gradient path leads to input \(number), since \(reason)").report()
      }
      guard unused == .refused else { continue }
      return ShapeError(
        "gradients", "the output does not depend on input \(number), \(input.dtype) of shape \(input.shape)"
      ).report()
    }
  }

  /// Reports one of `values` if an evaluation has released the part of the graph that led from it to the loss. If
  /// `mayBeUnrelated` is `false`, also reports a loss that depends on none of `values`.
  func check(loss: Tensor, of values: [Tensor], _ operation: String, mayBeUnrelated: Bool) {
    let unreached = values.indices.filter { !isReached($0) }
    for number in unreached {
      guard let reason = reasonForMissingPath(to: values[number]) else { continue }
      return ShapeError(
        operation,
        "no gradient path leads from the loss to a parameter of shape \(values[number].shape), since \(reason)"
      ).report()
    }
    guard unreached.count == values.count, !values.isEmpty, !mayBeUnrelated else { return }
    ShapeError(
      operation,
      "the loss depends on none of the \(values.count) trainable parameters; build it from the output of their model, "
        + "inside of the closure"
    ).report()
  }

  /// Why no gradient path leads from the output to `input` although the output was computed from it; `nil` if the
  /// output was not computed from `input`.
  private func reasonForMissingPath(to input: Tensor) -> String? {
    guard let last = order.indices.last else { return nil }
    let nodes = input.node.sourceSerials
    return order[last].takeUnretainedValue().device.withEvaluator { _ in reasonForMissingPath(to: nodes) }
  }

  /// - Parameter nodes: the serial numbers of the input's node and, if the input is a view, of the nodes that it views.
  private func reasonForMissingPath(to nodes: Set<UInt64>) -> String? {
    var flows = Array(repeating: false, count: order.count)
    flows[order.count - 1] = true
    for index in order.indices.reversed() where flows[index] {
      let found = order[index]._withUnsafeGuaranteedRef { node -> String? in
        guard edgeRange(index).isEmpty, let origin = node.origin, !isTarget(index),
          origin.record.output(origin.number, dependsOn: nodes)
        else { return nil }
        return node.op === Op.result ? "a loop or another operation with several results" : node.op.name
      }
      if let found {
        return
          "the result of \(found) was evaluated before, which released its graph; build the loss again "
          + "after an evaluation, take gradients before values are read, or read values and take gradients inside one "
          + "recordingGradients { }; "
          + "stopGradient() marks a value that is meant to be a constant"
      }
      guard isDifferentiable(index) else { continue }
      for edge in edgeRange(index) { flows[Int(edges[edge])] = true }
    }
    return nil
  }
}

extension Node {
  /// The serial numbers of this node and, if it is a view, of the nodes that it views.
  fileprivate var sourceSerials: Set<UInt64> {
    device.withEvaluator { _ in
      var found: Set<UInt64> = [serial]
      var node = self
      while node.op.isView, node.inputCount > 0 {
        node = node.input(0)
        found.insert(node.serial)
      }
      return found
    }
  }
}
