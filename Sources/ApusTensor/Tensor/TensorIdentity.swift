/// Identifies a value without comparing elements.
public struct TensorIdentity: Hashable, Sendable {
  private let node: ObjectIdentifier

  fileprivate init(_ node: Node) { self.node = ObjectIdentifier(node) }
}

extension Tensor {
  /// Tensors that share one value have equal identities. The identity may denote another value once none of them is
  /// alive. A step that does not build its graph, see `CompiledStep`, gives a parameter a new value with the identity
  /// of the old one, if no other tensor shares the old value.
  public var identity: TensorIdentity { TensorIdentity(node) }
}
