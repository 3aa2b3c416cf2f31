import ApusDevice

/// A gradient rule of the user's. It runs in the precision that the function ran in.
final class CustomRule: Sendable {
  private let productType = PrecisionScope.productType
  private let rule: @Sendable (_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?]

  init(_ rule: @escaping @Sendable (Tensor, [Tensor], Tensor) -> [Tensor?]) { self.rule = rule }

  func gradient(_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?] {
    PrecisionScope.run(productType) { rule(gradient, inputs, output) }
  }
}

/// A gradient rule of the user's for several results.
final class CustomRules: Sendable {
  let results: ResultList
  private let productType: DType?
  private let rule: @Sendable (_ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor?]

  init(_ types: [TensorType], _ rule: @escaping @Sendable ([Tensor?], [Tensor], [Tensor]) -> [Tensor?]) {
    results = ResultList(types)
    productType = PrecisionScope.productType
    self.rule = rule
  }

  /// The same for another node: results belong to one.
  init(renewing other: CustomRules) {
    results = ResultList(other.results.types)
    productType = other.productType
    rule = other.rule
  }

  func gradient(_ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor?] {
    PrecisionScope.run(productType) { rule(gradients, inputs, outputs) }
  }
}

extension Op {
  /// The value of the input; no gradient flows back.
  static let stopGradient: Op = Op(
    name: "stopGradient",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .notDifferentiable, lower: .view { .reshape($0.shape) })

  /// The value of the input under another identity: what is differentiated with respect to one of several tensors
  /// must not reach it through another of them.
  static let alias: Op = Op(
    name: "alias",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .unary { g, _, _ in g }, lower: .view { .reshape($0.shape) })

  /// Inputs: the result, then what the rule takes for its inputs. The value is the first input's.
  static let custom: Op = Op(
    name: "custom",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .rule { c in
      guard case .custom(let rule) = c.attributes else { fatalError("custom: no rule") }
      let inputs = (1..<c.inputCount).map(c.input)
      let found = rule.gradient(c.gradient, inputs, c.output)
      guard found.count == inputs.count else {
        ShapeError("withGradient", "the rule gives \(found.count) gradients for \(inputs.count) inputs").report()
        return []
      }
      for (gradient, input) in zip(found, inputs) {
        guard let gradient, input.shape.broadcast(with: gradient.shape) != gradient.shape else { continue }
        ShapeError("withGradient", "the rule's gradient \(gradient.shape) is not of its input's shape \(input.shape)")
          .report()
        return []
      }
      return [nil] + found
    },
    lower: .view { .reshape($0.shape) })
}

extension Op {
  /// Inputs: the results, then what the rule takes for its inputs. The values are those of the first inputs.
  static let customs: Op = Op(
    name: "custom", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .rule { c in
      guard case .customs(let rules) = c.attributes else { fatalError("custom: no rule") }
      let count = rules.results.types.count
      let inputs = (count..<c.inputCount).map(c.input)
      let found = rules.gradient(c.gradients, inputs, (0..<count).map { c.output($0) })
      guard found.count == inputs.count else {
        ShapeError("withGradient", "the rule gives \(found.count) gradients for \(inputs.count) inputs").report()
        return []
      }
      return Array(repeating: nil, count: count) + found
    },
    lower: .customs)
}

extension Tensor {
  /// The same value, as a constant for differentiation.
  public func stopGradient() -> Tensor { Tensor(.stopGradient, OpInputs(node)) }

  /// The same value under another identity, for differentiation with respect to one of several tensors.
  package func aliased() -> Tensor { Tensor(.alias, OpInputs(node)) }
}

/// A function with a gradient rule of one's own, in place of the rules of the operations in it.
///
/// - Parameters:
///   - inputs: what gradients flow to.
///   - gradient: from the gradient of the result, the inputs and the result to the gradients of the inputs
///     (`nil` for none).
///   - function: computes the result.
public func withGradient(
  _ inputs: [Tensor],
  _ gradient: @escaping @Sendable (_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?],
  function: ([Tensor]) -> Tensor
) -> Tensor {
  let result = function(inputs.map { $0.stopGradient() })
  return Tensor(
    .custom, OpInputs(list: [result.node] + inputs.map(\.node)), .custom(CustomRule(gradient)))
}

/// A function of several results with a gradient rule of one's own.
///
/// - Parameters:
///   - inputs: what gradients flow to.
///   - gradient: from the gradients of the results (`nil` for those that nothing depends on), the inputs and the
///     results to the gradients of the inputs (`nil` for none).
///   - function: computes the results.
public func withGradient(
  _ inputs: [Tensor],
  _ gradient: @escaping @Sendable (_ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor?],
  function: ([Tensor]) -> [Tensor]
) -> [Tensor] {
  let results = function(inputs.map { $0.stopGradient() })
  guard let device = results.first?.device else { return [] }
  let rules = CustomRules(results.map { TensorType($0.shape, $0.dtype) }, gradient)
  let node = Node(
    op: .customs, inputs: OpInputs(list: (results + inputs).map(\.node)), attributes: .customs(rules),
    type: TensorType(Shape(), .float32), device: .passUnretained(device))
  return results.indices.map { rules.results.part($0, of: node) }
}

/// A function whose inner values are not kept for the gradient but computed a second time: less memory
/// for more work.
///
/// - Parameter function: must depend on `inputs` alone, and draw no random numbers.
public func checkpointed(
  _ inputs: [Tensor], _ function: @escaping @Sendable ([Tensor]) -> Tensor
) -> Tensor {
  withGradient(inputs) { gradient, inputs, _ in
    CheckpointRegion.run {
      let inputs = inputs.map { $0.aliased() }
      return gradients(of: function(inputs), withRespectTo: inputs, seed: gradient)
    }
  } function: {
    function($0)
  }
}
