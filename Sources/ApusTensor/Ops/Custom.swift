import ApusDevice

/// A gradient rule of the user's.
final class CustomRule: Sendable {
  let gradient: @Sendable (_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?]

  init(_ gradient: @escaping @Sendable (Tensor, [Tensor], Tensor) -> [Tensor?]) {
    self.gradient = gradient
  }
}

extension Op {
  /// The value of the input; no gradient flows back.
  static let stopGradient: Op = Op(
    name: "stopGradient",
    shape: { inputs, _ throws(ShapeError) in TensorType(inputs[0].shape, inputs[0].dtype) },
    gradient: .notDifferentiable, lower: .view { .reshape($0.shape) })

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

extension Tensor {
  /// The same value, as a constant for differentiation.
  public func stopGradient() -> Tensor { Tensor(.stopGradient, OpInputs(node)) }
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

/// A function whose inner values are not kept for the gradient but computed a second time: less memory
/// for more work.
///
/// - Parameter function: must depend on `inputs` alone, and draw no random numbers.
public func checkpointed(
  _ inputs: [Tensor], _ function: @escaping @Sendable ([Tensor]) -> Tensor
) -> Tensor {
  withGradient(inputs) { gradient, inputs, _ in
    CheckpointRegion.run {
      let again = function(inputs)
      return gradients(of: again, withRespectTo: inputs, seed: gradient)
    }
  } function: {
    function($0)
  }
}
