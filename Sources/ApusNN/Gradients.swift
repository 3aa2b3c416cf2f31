import ApusTensor

/// The gradients of a loss with respect to some parameters.
public struct Gradients: Sendable {
  /// The parameters that the loss is differentiated with respect to.
  public let parameters: [Parameter]
  /// One gradient for each of `parameters`, in its shape and type; `nil` for a parameter that is frozen or that the
  /// loss does not depend on.
  public internal(set) var tensors: [Tensor?]
  /// Whether all gradients of a scaled loss are finite, `bool` of shape `[]`; if not, the update is skipped. `nil` if
  /// the loss was not scaled.
  public internal(set) var isFinite: Tensor? = nil
  /// The losses that were differentiated. An update evaluates them too, because an invalid label may be detected only
  /// when the loss is evaluated.
  var losses: [Tensor] = []
  /// The statistics and random keys to restore if an update with these gradients fails, in order of creation.
  var origins: [StepOrigin] = []

  /// The gradient of a parameter, in the parameter's shape and type; `nil` if the parameter has no gradient or is not
  /// one of `parameters`.
  public subscript(parameter: Parameter) -> Tensor? {
    parameters.firstIndex { $0 === parameter }.flatMap { tensors[$0] }
  }

  /// The Euclidean norm of all gradients together, `√(Σ g²)`, a scalar; `float32` for 16-bit gradients.
  public var norm: Tensor {
    tensors.compactMap(\.self).totalSum { $0.squared() }.sqrt()
  }

  /// Scales the gradients `g` down to a norm of at most `limit`: `g · min(1, limit / (‖g‖ + 10⁻⁶))`, where `‖g‖` is
  /// `norm` (Pascanu, Mikolov, Bengio, 2013; as `torch.nn.utils.clip_grad_norm_`).
  public consuming func clipped(toNorm limit: Double) -> Gradients {
    let scale = (Tensor.number(limit, device: norm.device) / (norm + 1e-6)).clamped(upper: 1)
    for index in tensors.indices {
      guard let gradient = tensors[index] else { continue }
      tensors[index] = gradient * scale.cast(to: gradient.dtype)
    }
    return self
  }

  /// Clips each element to `−limit … limit`, as `torch.nn.utils.clip_grad_value_`.
  public consuming func clipped(toValue limit: Double) -> Gradients {
    mapped { gradient, _ in gradient.clamped(lower: -limit, upper: limit) }
  }

  /// Multiplies each element by `factor`.
  public consuming func scaled(by factor: Double) -> Gradients {
    mapped { gradient, number in gradient * number(factor) }
  }

  /// Adds two lists of gradients of the same parameters.
  /// - Precondition: `self` and `other` have the same `parameters`, in the same order.
  public consuming func adding(_ other: Gradients) -> Gradients {
    guard parameters == other.parameters else { fatalError("Gradients: the gradients are of different parameters") }
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

extension [Tensor] {
  /// `Σ term(x)` over the elements `x` of all tensors, a scalar; 0 for no tensors. 16-bit tensors are first cast to
  /// `float32`.
  func totalSum(of term: (Tensor) -> Tensor) -> Tensor {
    let sums = map { term($0.wideLane).sum() }
    guard let first = sums.first else { return .zeros([]) }
    return sums.dropFirst().reduce(first, +)
  }
}

/// Computes a loss and its gradients with respect to parameters.
///
/// Nothing is evaluated here: the loss is evaluated together with the update, when an optimizer applies the gradients.
///
/// - Parameters:
///   - parameters: the parameters; frozen ones get no gradient.
///   - loss: builds the loss, a tensor of one element.
/// - Returns: the loss, and the gradients, each in the shape and type of its parameter.
/// - Precondition: the loss has one element and depends on a parameter that is not frozen. The process stops if the
///   gradient path to such a parameter is lost: the loss was built from a value that depends on the parameter, and an
///   earlier evaluation of that value has released its graph.
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

/// As `valueAndGradients(of:_:)`, for a closure that also returns another value, for example the outputs of the model.
/// If that value is a `Tensor` or `[Tensor]`, it is evaluated together with the loss.
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
  // While `ParameterReads` are recorded, the loss may be independent of all parameters: the code that records the reads
  // reports unused parameters by name. An update of rows looks for lookups in the operations of the gradient.
  let isRecording = ParameterReads.current != nil
  var found = lossGradients(
    of: loss, withRespectTo: targets, for: "gradients of the loss", mayBeUnrelated: isRecording,
    mayDefer: !isRecording && !parameters.contains(where: \.updatesRows))
  if targets.count < parameters.count {
    var rest = found[...]
    found = parameters.map { $0.isTrainable ? rest.removeFirst() : nil }
  }
  return Gradients(parameters: parameters, tensors: found, losses: [loss])
}
