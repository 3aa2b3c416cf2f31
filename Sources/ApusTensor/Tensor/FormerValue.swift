/// A reference to a tensor's value that, unlike a tensor, lets an evaluation overwrite the memory of the value.
package struct FormerValue: Sendable {
  private let node: Node

  /// Remembers the value of a tensor.
  package init(_ tensor: Tensor) { node = tensor.node }

  /// The value as a tensor; `nil` if its memory was reused.
  package var tensor: Tensor? { node.device.withEvaluator { _ in node.isConsumed } ? nil : Tensor(node: node) }
}
