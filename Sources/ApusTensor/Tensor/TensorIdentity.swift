/// Identifies a value without comparing elements.
public struct TensorIdentity: Hashable, Sendable {
  private let node: ObjectIdentifier

  fileprivate init(_ node: Node) { self.node = ObjectIdentifier(node) }
}

extension Tensor {
  /// Tensors that share one value have equal identities. The identity may denote another value once none of them is
  /// alive.
  public var identity: TensorIdentity { TensorIdentity(node) }
}
