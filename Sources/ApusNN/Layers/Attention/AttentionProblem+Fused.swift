import ApusTensor

/// Attention as one step, where its configuration has one: no weights are stored, forward or backward. The rule of the
/// backward step differentiates the definition.
extension AttentionProblem {
  /// `[batch…, heads, queries, width]`, or `nil` where the definition has to do.
  func fusedOutput() -> Tensor? {
    guard masks.added == nil, let shapes = FusedShapes(self) else { return nil }
    let dtype = query.dtype
    guard key.dtype == dtype, value.dtype == dtype else { return nil }
    // The narrow types are computed in float32 and rounded once.
    let lane: DType = dtype == .float64 ? .float64 : .float32
    let inputs = zip([query, key, value], [shapes.query, shapes.key, shapes.value]).map {
      $0.reshaped(to: $1).cast(to: lane)
    }
    let weights: Shape = [shapes.query[0], shapes.query[1], shapes.query[2], shapes.key[2]]
    let open = masks.masks.isEmpty ? nil : openKeys(weights)
    let fused = FusedAttention(
      open: open, offset: masks.queryOffset?.cast(to: .int64),
      options: AttentionOptions(scale: scale, isCausal: masks.isCausal))
    return fused.output(inputs).cast(to: dtype)
      .reshaped(to: Shape(full.dropLast() + [value.shape[value.rank - 1]]))
  }

  /// All masks of truth values but the causal one, over four axes.
  private func openKeys(_ weights: Shape) -> Tensor? {
    let others = AttentionMasks(masks.masks, isCausal: false, queryOffset: nil)
    guard let open = others.allowed(weights[2], weights[3], query.device) else { return nil }
    var shape = open.shape
    while shape.rank < full.rank { shape = shape.inserting(1, at: 0) }
    // The axes of batches become one, which is a view unless the mask differs along several of them.
    let batches = shape.dropLast(3)
    guard batches.count < 2 || batches.allSatisfy({ $0 == 1 }) else {
      return open.broadcast(to: full).reshaped(to: weights)
    }
    return open.reshaped(to: Shape([batches.first ?? 1] + shape.suffix(3))).broadcast(to: weights)
  }
}

/// Queries, keys and values with four axes.
private struct FusedShapes {
  var query: Shape
  var key: Shape
  var value: Shape

  /// `nil` where the step does not take such shapes.
  init?(_ problem: AttentionProblem) {
    let all = [problem.query, problem.key, problem.value].map { tensor in
      var shape = tensor.shape
      if shape.rank == 2 { shape = shape.inserting(1, at: 0) }
      return shape
    }
    let batches = all.map { Shape($0.dropLast(3)) }
    let heads = all.map { $0[$0.rank - 3] }
    guard batches[0] == batches[1], batches[0] == batches[2], heads[1] == heads[2], heads[1] > 0,
      heads[0] % heads[1] == 0, all.allSatisfy({ $0.elementCount > 0 && $0[$0.rank - 1] <= Tensor.attentionLimit })
    else { return nil }
    let shapes = all.map { Shape([batches[0].elementCount] + $0.suffix(3)) }
    (query, key, value) = (shapes[0], shapes[1], shapes[2])
  }
}

/// Attention on tensors with four axes, with what does not take part in derivatives.
private struct FusedAttention: Sendable {
  var open: Tensor?
  var offset: Tensor?
  var options: AttentionOptions

  func output(_ inputs: [Tensor]) -> Tensor {
    let found: [Tensor] = withGradient(inputs) { gradients, inputs, outputs in
      guard let gradient = gradients[0] else { return inputs.map { _ in nil } }
      return self.gradients(gradient, inputs, outputs[1])
    } function: { inputs in
      let (output, whole) = Tensor.attention(inputs[0], inputs[1], inputs[2], offset: offset, mask: open, options)
      return [output, whole]
    }
    return found[0]
  }

  /// - Parameter whole: what the forward step gave: a function of the inputs, through which nothing flows back here.
  private func gradients(_ gradient: Tensor, _ inputs: [Tensor], _ whole: Tensor) -> [Tensor] {
    withGradient([gradient] + inputs + [whole]) { gradients, inputs, _ in
      self.second(gradients, inputs) + [nil]
    } function: { inputs in
      Tensor.attentionGradients(
        inputs[0], inputs[1], inputs[2], inputs[3], whole: inputs[4], offset: offset, mask: open, options)
    }
  }

  /// The gradients of the gradients: those of the definition's.
  private func second(_ gradients: [Tensor?], _ inputs: [Tensor]) -> [Tensor?] {
    let targets = inputs.prefix(4).map { $0.aliased() }
    let values = Array(targets.dropFirst())
    guard let problem = definition(values) else { return targets.map { _ in nil } }
    let first = ApusTensor.gradients(
      of: problem.output(problem.weights(nil)), withRespectTo: values, seed: targets[0])
    let terms = zip(first, gradients).compactMap { first, gradient in gradient.map { (first * $0).sum() } }
    guard let start = terms.first else { return targets.map { _ in nil } }
    return partialGradients(of: terms.dropFirst().reduce(start) { $0 + $1 }, withRespectTo: targets)
  }

  private func definition(_ inputs: [Tensor]) -> AttentionProblem? {
    let masks = AttentionMasks([open].compactMap(\.self), isCausal: options.isCausal, queryOffset: offset)
    return AttentionProblem(
      inputs[0], inputs[1], inputs[2], masks, scale: options.scale,
      dropping: Dropping(0, isAlwaysOn: false, AttentionProblem.name))
  }
}
