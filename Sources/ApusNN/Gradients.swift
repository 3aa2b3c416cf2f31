import ApusTensor

/// The gradients of a loss, one for each of some parameters.
public struct Gradients: Sendable {
  /// What there are gradients of.
  public let parameters: [Parameter]
  /// Parallel to `parameters`; `nil` for frozen ones and those that the loss does not depend on.
  public internal(set) var tensors: [Tensor?]
  /// Whether all gradients of a scaled loss are finite, `bool` of shape `[]`: an update that takes others is given up.
  /// `nil` where the loss was not scaled.
  public internal(set) var isFinite: Tensor? = nil
  /// What the gradients are of: an update computes them as well, for what is wrong with a label may show there alone.
  var losses: [Tensor] = []
  /// What to go back to where an update with these gradients fails, the latest last.
  var origins: [StepOrigin] = []

  /// The gradient of a parameter.
  public subscript(parameter: Parameter) -> Tensor? {
    parameters.firstIndex { $0 === parameter }.flatMap { tensors[$0] }
  }

  /// The square root of the sum of all squares; `float32` of gradients of 16 bits.
  public var norm: Tensor {
    let squares = tensors.compactMap { $0?.wideLane.squared().sum() }
    guard let first = squares.first else { return .zeros([]) }
    return squares.dropFirst().reduce(first, +).sqrt()
  }

  /// Scaled down to a norm of at most `limit`: `g · min(1, limit / (‖g‖ + 10⁻⁶))` (Pascanu, Mikolov, Bengio,
  /// 2013; as `torch.nn.utils.clip_grad_norm_`).
  public consuming func clipped(toNorm limit: Double) -> Gradients {
    let scale = (Tensor.number(limit, device: norm.device) / (norm + 1e-6)).clamped(upper: 1)
    for index in tensors.indices {
      guard let gradient = tensors[index] else { continue }
      tensors[index] = gradient * scale.cast(to: gradient.dtype)
    }
    return self
  }

  /// Each number cut to `−limit … limit`, as `torch.nn.utils.clip_grad_value_`.
  public consuming func clipped(toValue limit: Double) -> Gradients {
    mapped { gradient, number in gradient.maximum(number(-limit)).minimum(number(limit)) }
  }

  /// Each number times `factor`.
  public consuming func scaled(by factor: Double) -> Gradients {
    mapped { gradient, number in gradient * number(factor) }
  }

  /// The sums of two lists of gradients of the same parameters.
  public consuming func adding(_ other: Gradients) -> Gradients {
    guard parameters == other.parameters else { fatalError("Gradients: those of other parameters cannot be added") }
    for index in tensors.indices {
      guard let gradient = other.tensors[index] else { continue }
      tensors[index] = tensors[index].map { $0 + gradient } ?? gradient
    }
    if let flag = other.isFinite { isFinite = isFinite.map { $0.logicalAnd(flag) } ?? flag }
    losses += other.losses
    origins += other.origins
    return self
  }

  private consuming func mapped(_ body: (_ gradient: Tensor, _ number: (Double) -> Tensor) -> Tensor) -> Gradients {
    for index in tensors.indices {
      guard let gradient = tensors[index] else { continue }
      tensors[index] = body(gradient) { .number($0, dtype: gradient.dtype, device: gradient.device) }
    }
    return self
  }
}

/// Computes a loss and its gradients with respect to parameters.
///
/// Nothing is evaluated here: the loss is, together with the update, when an optimizer takes the gradients.
///
/// - Parameters:
///   - parameters: frozen ones get no gradient.
///   - loss: builds the loss, a tensor of one element.
/// - Precondition: the loss depends on a parameter that is not frozen. One that has lost the way to it stops the process:
///   it was built from a value that depends on the parameter, was evaluated before and has let go of its graph.
public func valueAndGradients(
  of parameters: [Parameter], _ loss: () throws -> Tensor
) rethrows -> (value: Tensor, gradients: Gradients) {
  let result = try recordingGradients {
    let value = try loss()
    return (value: value, gradients: differentiate(value, parameters))
  }
  result.value.evaluateWithNext()
  return result
}

/// As `valueAndGradients(of:_:)`, for a closure that also returns something else, for example the outputs of the
/// model. Tensors among it (`Tensor`, `[Tensor]`) are evaluated together with the loss.
public func valueAndGradients<Auxiliary>(
  of parameters: [Parameter], _ loss: () throws -> (Tensor, Auxiliary)
) rethrows -> (value: Tensor, gradients: Gradients, auxiliary: Auxiliary) {
  let result = try recordingGradients {
    let (value, auxiliary) = try loss()
    return (value: value, gradients: differentiate(value, parameters), auxiliary: auxiliary)
  }
  result.value.evaluateWithNext()
  if let tensor = result.auxiliary as? Tensor { tensor.evaluateWithNext() }
  if let tensors = result.auxiliary as? [Tensor] { for tensor in tensors { tensor.evaluateWithNext() } }
  return result
}

func differentiate(_ loss: Tensor, _ parameters: [Parameter]) -> Gradients {
  guard loss.elementCount == 1 else {
    fatalError("the loss has shape \(loss.shape), not one element; take its mean() or sum()")
  }
  var targets: [Tensor] = []
  targets.reserveCapacity(parameters.count)
  for parameter in parameters where parameter.isTrainable { targets.append(parameter.value) }
  // A caller that records reads reports unused parameters by name.
  var found = lossGradients(
    of: loss, withRespectTo: targets, for: "gradients of the loss", mayBeUnrelated: ParameterReads.current != nil)
  if targets.count < parameters.count {
    var rest = found[...]
    found = parameters.map { $0.isTrainable ? rest.removeFirst() : nil }
  }
  return Gradients(parameters: parameters, tensors: found, losses: [loss])
}
