import ApusDevice

/// How gradients flow through an operation.
enum GradientRule: Sendable {
  /// The result does not depend smoothly on any input (comparisons, indices, random bits).
  case notDifferentiable
  /// A custom gradient around the operation defines its derivatives.
  case definedByCaller
  /// Builds the gradients of the inputs from the gradient of the result; `nil` for inputs that have none. A gradient
  /// may have the broadcast shape of the result; it is then summed to the shape of the input.
  case rule(@Sendable (GradientInput) -> [Tensor?])
  /// The node is one of the results of an operation with several results. The rule of that operation runs once, with
  /// the gradients of all results (``GradientInput/gradients``).
  case result
  /// The result is a part of the input: the operation is a slice. If the operation is applied to one tensor several
  /// times, the rule runs once for all these parts. It gets the gradients of the parts and the shape of the tensor, and
  /// returns tensors of this shape, whose sum is the gradient of the tensor. A separate rule for each part would be
  /// correct too, but would add up tensors that are mostly zeros.
  case part(@Sendable ([PartGradient], Shape) -> [Tensor])

  /// A rule that builds several operations. For 16-bit types, these operations compute in `float32`, and only the final
  /// gradient is rounded to 16 bits. Rounded intermediate values could overflow or underflow: in `float16`, `x²`
  /// overflows from 256 on.
  static func composed(_ rule: @escaping @Sendable (GradientInput) -> [Tensor?]) -> GradientRule {
    .rule { context in rule(context.inWideLane) }
  }

  /// The `composed` rule of a function of one input. `rule` gets the gradient of the result, then the input `x`, then
  /// the result; it returns the gradient of `x`.
  static func unary(_ rule: @escaping @Sendable (Tensor, Tensor, Tensor) -> Tensor) -> GradientRule {
    .composed { context in [rule(context.gradient, context.input(0), context.output)] }
  }
}

/// The gradient of one part of a tensor. The rule of a `GradientRule.part` gets an array of them.
struct PartGradient {
  /// A result of an operation whose rule is a `GradientRule.part`.
  let part: Node
  let gradient: Tensor
}

/// The arguments of a gradient rule.
struct GradientInput {
  let node: Node
  /// The gradient of the result. For an operation that has several results, the first of their gradients that is not
  /// `nil`.
  var gradient: Tensor
  /// For an operation that has several results, the gradients of all results, with `nil` for results that nothing
  /// depends on.
  let resultGradients: [Tensor?]?
  /// Bit `i`: whether the gradient of input `i` is needed (all inputs from 63 on share bit 63).
  let neededMask: UInt64
  /// The nodes of the backward pass.
  let nodes: [Unmanaged<Node>]
  /// The indices of this node's inputs in `nodes`. The node's own edges may have been cut since the pass began, by an
  /// evaluation on another thread or in a user-defined rule.
  let inputs: ArraySlice<Int32>
  /// Whether the rule reads 16-bit values as `float32`.
  var isWide = false

  /// The same arguments, with 16-bit values read as `float32`.
  var inWideLane: GradientInput {
    guard node.dtype == .float16 || node.dtype == .bfloat16 else { return self }
    var wide = self
    wide.isWide = true
    wide.gradient = gradient.wideLane
    return wide
  }

  /// The gradients of all results, with `nil` for results that nothing depends on.
  var gradients: [Tensor?] { resultGradients ?? [gradient] }

  func isNeeded(_ index: Int) -> Bool { neededMask >> UInt64(min(index, 63)) & 1 == 1 }

  func inputNode(_ index: Int) -> Node {
    nodes[Int(inputs[inputs.startIndex + index])].takeUnretainedValue()
  }

  func input(_ index: Int) -> Tensor {
    let input = Tensor(node: inputNode(index))
    return isWide ? input.wideLane : input
  }
  var inputCount: Int { inputs.count }
  var output: Tensor { isWide ? Tensor(node: node).wideLane : Tensor(node: node) }
  /// Returns one result of an operation with several results.
  func output(_ index: Int) -> Tensor { node.results.tensor(index, of: node) }
  var attributes: Attributes { node.attributes }
}

extension Node {
  /// Whether gradients flow to the inputs.
  var isDifferentiable: Bool {
    switch op.gradient {
    case .notDifferentiable, .definedByCaller: false
    case .rule, .result, .part: dtype.isFloatingPoint
    }
  }
}
