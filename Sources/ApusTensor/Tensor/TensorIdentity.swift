/// Identifies the value of a tensor, without comparing elements.
public struct TensorIdentity: Hashable, Sendable {
  private let node: ObjectIdentifier

  fileprivate init(_ node: Node) { self.node = ObjectIdentifier(node) }
}

extension Tensor {
  /// Tensors that share one value have equal identities. After the last of these tensors is deallocated, another value
  /// may get the identity. A `CompiledStep` that runs without building its graph gives a parameter a new value with the
  /// identity of the old one, if no other tensor shares the old value.
  public var identity: TensorIdentity { TensorIdentity(node) }
}
