import ApusDevice

/// A user-defined gradient rule. It runs in the precision (`withPrecision`) that was set when the rule was created, so
/// in the same precision as the function whose gradient it computes.
final class CustomGradient: Sendable {
  private let precision = PrecisionScope.current
  private let rule: @Sendable (_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?]

  init(_ rule: @escaping @Sendable (Tensor, [Tensor], Tensor) -> [Tensor?]) { self.rule = rule }

  func gradient(_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?] {
    PrecisionScope.run(precision) { rule(gradient, inputs, output) }
  }
}

/// A user-defined gradient rule for several results.
final class MultiResultCustomGradient: Sendable {
  let results: ResultList
  private let precision: Precision
  private let rule: @Sendable (_ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor?]

  init(_ types: [TensorType], _ rule: @escaping @Sendable ([Tensor?], [Tensor], [Tensor]) -> [Tensor?]) {
    results = ResultList(types)
    precision = PrecisionScope.current
    self.rule = rule
  }

  /// A copy of a rule for another node. The copy has its own result list, because a result list belongs to one node.
  init(renewing other: MultiResultCustomGradient) {
    results = ResultList(other.results.types)
    precision = other.precision
    rule = other.rule
  }

  func gradient(_ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor?] {
    PrecisionScope.run(precision) { rule(gradients, inputs, outputs) }
  }
}

extension Op {
  /// The value of the input; no gradient flows back.
  static let stopGradient: Op = Op(
    name: "stopGradient",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .notDifferentiable, lower: .view { .reshape($0.shape) })

  /// The value of the input as a new node. To differentiate with respect to several tensors separately, use an alias of
  /// each: even if one tensor is computed from another, no gradient flows from the alias of one to the alias of the
  /// other.
  static let alias: Op = Op(
    name: "alias",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .unary { g, _, _ in g }, lower: .view { .reshape($0.shape) })

  /// Inputs: the result, then the inputs of the gradient rule. The value is the result.
  static let customGradient: Op = Op(
    name: "customGradient",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .rule { c in
      guard case .customGradient(let rule) = c.attributes else { fatalError("customGradient: no rule") }
      let inputs = (1..<c.inputCount).map(c.input)
      let found = rule.gradient(c.gradient, inputs, c.output)
      return found.fitting(inputs, "withGradient").map { [nil] + $0 } ?? []
    },
    lower: .view { .reshape($0.shape) })
}

extension Op {
  /// Inputs: the results, then the inputs of the gradient rule. Result `i` has the value of input `i`.
  static let customGradientResults: Op = Op(
    name: "customGradientResults", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .rule { c in
      guard case .customGradientResults(let rules) = c.attributes else { fatalError("customGradientResults: no rule") }
      let count = rules.results.types.count
      let inputs = (count..<c.inputCount).map(c.input)
      let found = rules.gradient(c.gradients, inputs, (0..<count).map { c.output($0) })
      return found.fitting(inputs, "withGradient").map { Array(repeating: nil, count: count) + $0 } ?? []
    },
    lower: .customGradientResults)
}

extension [Tensor?] {
  /// These gradients, which a user-defined rule returned, if each fits its input; otherwise reports an error and
  /// returns `nil`.
  func fitting(_ inputs: [Tensor], _ operation: String) -> [Tensor?]? {
    guard count == inputs.count else {
      ShapeError(operation, "the rule returns \(count) gradients for \(inputs.count) inputs").report()
      return nil
    }
    for (gradient, input) in zip(self, inputs) {
      guard let gradient else { continue }
      guard input.shape.broadcast(with: gradient.shape) == gradient.shape else {
        ShapeError(operation, "the rule returns a gradient \(gradient.shape) for an input of shape \(input.shape)")
          .report()
        return nil
      }
      guard gradient.dtype.isFloatingPoint else {
        ShapeError(operation, "the rule's gradient is \(gradient.dtype), not floating-point")
          .report()
        return nil
      }
    }
    return self
  }
}

extension Tensor {
  /// The same value as a constant, in the same shape and type: no gradient flows through it.
  public func stopGradient() -> Tensor { Tensor(.stopGradient, OpInputs(node)) }

  /// As `stopGradient()`, but for inputs whose gradients flow through a custom rule. The node's attributes are an empty
  /// list; those of `stopGradient()` are `.none`. The evaluator tells the two apart by this difference.
  fileprivate func detachedForCustomGradient() -> Tensor { Tensor(.stopGradient, OpInputs(node), .integers([])) }

  /// The same value as a new node, for differentiation with respect to one of several tensors.
  package func aliased() -> Tensor { Tensor(.alias, OpInputs(node)) }
}

/// A function with a custom gradient, which replaces the gradient rules of the operations inside the function.
///
/// - Parameters:
///   - inputs: the tensors that gradients flow to, of any shapes.
///   - gradient: computes the gradients of the inputs (`nil` for none) from `gradient` (the gradient of the result),
///     `inputs` and `output` (the result). Each gradient is floating-point, with the shape of its input or a shape that
///     the input was broadcast to.
///   - function: computes the result.
/// - Returns: the result of `function`, in its shape and type.
/// - Precondition: `gradient` returns one element for each input. This is checked when gradients are computed.
public func withGradient(
  _ inputs: [Tensor],
  _ gradient: @escaping @Sendable (_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?],
  function: ([Tensor]) -> Tensor
) -> Tensor {
  let result = function(inputs.map { $0.detachedForCustomGradient() })
  return Tensor(
    .customGradient, OpInputs(list: [result.node] + inputs.map(\.node)), .customGradient(CustomGradient(gradient)))
}

/// A function of several results with a custom gradient.
///
/// - Parameters:
///   - inputs: the tensors that gradients flow to, of any shapes.
///   - gradient: computes the gradients of the inputs (`nil` for none) from `gradients` (the gradients of the results,
///     `nil` for results that nothing depends on), `inputs` and `outputs` (the results). Each gradient is
///     floating-point, with the shape of its input or a shape that the input was broadcast to.
///   - function: computes the results.
/// - Returns: the results of `function`, in their shapes and types.
/// - Precondition: `gradient` returns one element for each input. This is checked when gradients are computed.
public func withGradient(
  _ inputs: [Tensor],
  _ gradient: @escaping @Sendable (_ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor?],
  function: ([Tensor]) -> [Tensor]
) -> [Tensor] {
  let results = function(inputs.map { $0.detachedForCustomGradient() })
  guard let device = results.first?.device else { return [] }
  let rules = MultiResultCustomGradient(results.map { TensorType($0.shape, $0.dtype) }, gradient)
  let node = Node(
    op: .customGradientResults, inputs: OpInputs(list: (results + inputs).map(\.node)),
    attributes: .customGradientResults(rules), type: TensorType(Shape(), .float32), device: .passUnretained(device))
  return results.indices.map { rules.results.tensor($0, of: node) }
}

/// A function whose intermediate values are recomputed for the gradient instead of stored (gradient checkpointing).
/// This saves the memory of these values, which are then computed twice.
///
/// `function` is called once; the gradient repeats the operations that `function` built from `inputs`. Other tensors
/// that `function` uses, such as a layer's parameters, receive gradients as usual. `function` draws its random numbers
/// once, and the repeated operations use the same numbers.
/// - Parameter inputs: the tensors that the recomputed values depend on, of any shapes.
/// - Returns: the result of `function`, in its shape and type.
public func checkpointed(_ inputs: [Tensor], _ function: ([Tensor]) -> Tensor) -> Tensor {
  let fixed = inputs.map { $0.detachedForCustomGradient() }
  let result = function(fixed)
  let (body, invariants) = LoopBody.capture(result, from: fixed)
  return withGradient(inputs + invariants.map { Tensor(node: $0) }) { gradient, inputs, _ in
    CheckpointRegion.run {
      let inputs = inputs.map { $0.aliased() }
      let indices = inputs.indices.filter { inputs[$0].dtype.isFloatingPoint }
      let found = gradients(of: body(inputs)[0], withRespectTo: indices.map { inputs[$0] }, seed: gradient)
      var list = [Tensor?](repeating: nil, count: inputs.count)
      for (index, gradient) in zip(indices, found) { list[index] = gradient }
      return list
    }
  } function: { _ in
    result
  }
}
