import ApusTensor

/// Attention as one fused operation, in the configurations that this operation supports. Neither its forward nor its
/// backward step stores the attention weights. Second derivatives are computed from its definition, which consists of
/// ordinary operations.
extension AttentionProblem {
  /// The output `[batch…, heads, queries, width]`, or `nil` if the fused operation does not support the configuration.
  /// - Parameter random: the key of the dropout mask.
  func fusedOutput(_ random: RandomKey?) -> Tensor? {
    guard let shapes = FusedShapes(self) else { return nil }
    let dtype = query.dtype
    guard key.dtype == dtype, value.dtype == dtype else { return nil }
    // Attention of 16-bit types is computed in float32, and results are rounded once.
    let lane: DType = dtype == .float64 ? .float64 : .float32
    let inputs = zip([query, key, value], [shapes.query, shapes.key, shapes.value]).map {
      $0.reshaped(to: $1).cast(to: lane)
    }
    let weights: Shape = [shapes.query[0], shapes.query[1], shapes.query[2], shapes.key[2]]
    let others = AttentionMasks(masks.masks, isCausal: false, queryOffset: nil)
    let open = others.allowed(weights[2], weights[3], query.device)
    let offset = masks.queryOffset?.cast(to: .int64)
    let fused = FusedAttention(
      dropping: dropping, hasOffset: offset != nil,
      options: AttentionOptions(
        scale: scale, isCausal: masks.isCausal, offset: nil, open: nil,
        dropout: random.map { AttentionOptions.Dropout(rate: dropping.rate, key: $0) }))
    let added = masks.added.map { covering($0.cast(to: lane), weights) }
    let constants = [offset, open.map { covering($0, weights) }].compactMap(\.self)
    return fused.step(inputs + [added].compactMap(\.self), constants: constants)[0].cast(to: dtype)
      .reshaped(to: outputShape)
  }

  /// A mask broadcast to `weights`, the shape of the attention weights with one batch axis.
  private func covering(_ mask: Tensor, _ weights: Shape) -> Tensor {
    var shape = mask.shape
    while shape.rank < full.rank { shape = shape.inserting(1, at: 0) }
    // The batch axes are merged into one: as a view, unless the mask has several batch axes and varies along one of
    // them.
    let batches = shape.dropLast(3)
    guard batches.count < 2 || batches.allSatisfy({ $0 == 1 }) else {
      return mask.broadcast(to: full).reshaped(to: weights)
    }
    return mask.reshaped(to: Shape([batches.first ?? 1] + shape.suffix(3))).broadcast(to: weights)
  }
}

/// The shapes of queries, keys and values, each reshaped to four axes.
private struct FusedShapes {
  var query: Shape
  var key: Shape
  var value: Shape

  /// `nil` if the fused operation does not support the shapes.
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

/// Attention on tensors with four axes.
///
/// Its inputs are queries, keys, values and, if there is one, the additive mask. The gradient of the additive mask has
/// as many elements as the attention weights, so it is computed from the definition, and only if something uses it. The
/// constants are the offset and the Boolean mask, if there are any.
private struct FusedAttention: Sendable {
  var dropping: Dropping
  var hasOffset: Bool
  /// The options without their tensors.
  var options: AttentionOptions

  var step: FusedOperation {
    FusedOperation(resultCount: 1) { inputs, constants in
      let (output, whole) = Tensor.attention(
        inputs[0], inputs[1], inputs[2], added: inputs.dropFirst(3).first, options(constants))
      return [output, whole]
    } gradient: { gradients, inputs, constants, results in
      self.gradients(gradients[0]!, inputs, constants, whole: results[1])
    } definition: { inputs, constants in
      [definition(inputs, constants) ?? inputs[0]]
    }
  }

  private func options(_ constants: [Tensor]) -> AttentionOptions {
    var options = options
    options.offset = hasOffset ? constants[0] : nil
    options.open = constants.dropFirst(hasOffset ? 1 : 0).first
    return options
  }

  private func gradients(
    _ gradient: Tensor, _ inputs: [Tensor], _ constants: [Tensor], whole: Tensor
  ) -> [Tensor] {
    let parts = Tensor.attentionGradients(
      gradient, inputs[0], inputs[1], inputs[2], added: inputs.dropFirst(3).first, whole: whole, options(constants))
    guard inputs.count > 3 else { return parts }
    let targets = inputs.map { $0.aliased() }
    guard let output = definition(targets, constants) else { return parts + [inputs[3]] }
    return parts + ApusTensor.gradients(of: output, withRespectTo: [targets[3]], seed: gradient)
  }

  private func definition(_ inputs: [Tensor], _ constants: [Tensor]) -> Tensor? {
    let options = options(constants)
    let masks = AttentionMasks(
      [options.open].compactMap(\.self) + inputs.dropFirst(3), isCausal: options.isCausal, queryOffset: options.offset)
    let problem = AttentionProblem(inputs[0], inputs[1], inputs[2], masks, scale: options.scale, dropping: dropping)
    return problem.map { $0.output($0.weights(options.dropout?.key)) }
  }
}
