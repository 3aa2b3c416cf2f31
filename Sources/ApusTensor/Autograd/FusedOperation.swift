/// An operation with one fused step for its value and one for its gradient. Derivatives of the gradient are computed
/// from `definition`, which consists of ordinary operations.
///
/// Tensors other than the inputs, such as masks, are passed as `constants`. A tensor that the gradient rule captured
/// instead would stay referenced, so that each evaluation would have to store its value.
package struct FusedOperation: Sendable {
  /// Returns the results, then the values that `gradient` needs.
  package var forward: @Sendable (_ inputs: [Tensor], _ constants: [Tensor]) -> [Tensor]
  /// Computes the gradients of the inputs from the gradients of the results (`nil` for results that nothing depends
  /// on), the inputs, the constants and all values returned by `forward`.
  package var gradient:
    @Sendable (_ gradients: [Tensor?], _ inputs: [Tensor], _ constants: [Tensor], _ results: [Tensor]) -> [Tensor]
  /// Computes the results from the inputs in ordinary operations.
  package var definition: @Sendable (_ inputs: [Tensor], _ constants: [Tensor]) -> [Tensor]
  /// The number of results, without the values that the gradient needs.
  package var resultCount: Int

  package init(
    resultCount: Int, forward: @escaping @Sendable ([Tensor], [Tensor]) -> [Tensor],
    gradient: @escaping @Sendable ([Tensor?], [Tensor], [Tensor], [Tensor]) -> [Tensor],
    definition: @escaping @Sendable ([Tensor], [Tensor]) -> [Tensor]
  ) {
    self.resultCount = resultCount
    self.forward = forward
    self.gradient = gradient
    self.definition = definition
  }

  /// The results. No gradient flows to constants.
  package func callAsFunction(_ inputs: [Tensor], constants: [Tensor]) -> [Tensor] {
    let (count, others) = (inputs.count, constants.count)
    let found: [Tensor] = withGradient(inputs + constants) { gradients, arguments, results in
      let given = Array(gradients.prefix(resultCount))
      return first(given, Array(arguments.prefix(count)), Array(arguments.suffix(others)), results)
        + Array(repeating: nil, count: others)
    } function: { arguments in
      forward(Array(arguments.prefix(count)), Array(arguments.suffix(others)))
    }
    return Array(found.prefix(resultCount))
  }

  /// The gradients of the inputs, computed by an operation whose custom gradient is `second`.
  private func first(
    _ gradients: [Tensor?], _ inputs: [Tensor], _ constants: [Tensor], _ results: [Tensor]
  ) -> [Tensor?] {
    let indices = gradients.indices.filter { gradients[$0] != nil }
    guard !indices.isEmpty else { return inputs.map { _ in nil } }
    // `second` differentiates `definition`, a function of the inputs. So all gradients flow directly to the inputs, and
    // none flows through `results`, which `forward` computed from them.
    let arguments = gradients.compactMap(\.self) + inputs + constants + results
    let (count, others, all) = (indices.count + inputs.count, constants.count, arguments.count)
    return withGradient(arguments) { seconds, arguments, _ in
      second(seconds, indices, Array(arguments.prefix(count)), Array(arguments[count..<count + others]))
        + Array(repeating: nil, count: all - count)
    } function: { arguments in
      var given: [Tensor?] = Array(repeating: nil, count: gradients.count)
      for (index, gradient) in zip(indices, arguments) { given[index] = gradient }
      return gradient(
        given, Array(arguments[indices.count..<count]), Array(arguments[count..<count + others]),
        Array(arguments[(count + others)...]))
    }
  }

  /// The gradients of `arguments`, computed from `definition`. `seconds` are the gradients of the results of `first`.
  /// - Parameter arguments: the gradients of the results at `indices`, then the inputs.
  private func second(
    _ seconds: [Tensor?], _ indices: [Int], _ arguments: [Tensor], _ constants: [Tensor]
  ) -> [Tensor?] {
    let targets = arguments.map { $0.aliased() }
    let values = Array(targets[indices.count...])
    let results = definition(values, constants)
    let weighted = zip(indices, targets).map { (results[$0] * $1).sum() }
    let first = partialGradients(of: weighted.dropFirst().reduce(weighted[0]) { $0 + $1 }, withRespectTo: values)
    let terms = zip(first, seconds).compactMap { first, second in
      first.flatMap { first in second.map { (first * $0).sum() } }
    }
    guard let start = terms.first else { return arguments.map { _ in nil } }
    return partialGradients(of: terms.dropFirst().reduce(start) { $0 + $1 }, withRespectTo: targets)
  }
}
