import ApusTensor

/// Initializers with which layers start as the identity.
extension Initializer {
  /// Ones on the diagonal, zeros elsewhere (PyTorch's `eye_`): a dense layer initially passes its input through.
  /// - Precondition: the shape has two axes.
  public static let identity = Initializer { shape, _, _ in
    guard shape.rank == 2 else { fatalError("identity: \(shape) is not [outputs, inputs]") }
    return .eye(shape[0], shape[1])
  }

  /// A convolution initially passes input channel `k` of each group through to output channel `k` of the group: in each
  /// group `W[k, k, ⌊kernel / 2⌋]` is 1, all other elements are 0 (PyTorch's `dirac_`).
  /// - Precondition: the shape is `[outputs, inputs / groups, kernel…]`, and `groups` divides `outputs`.
  public static func dirac(groups: Int = 1) -> Initializer {
    Initializer { shape, _, _ in
      guard (3...5).contains(shape.rank) else { fatalError("dirac: \(shape) is not [outputs, inputs, kernel…]") }
      guard groups > 0, shape[0] % groups == 0 else {
        fatalError("dirac: \(groups) groups do not divide the \(shape[0]) outputs of \(shape)")
      }
      let kernel = shape.dropFirst(2)
      let center = kernel.reduce(0) { $0 * $1 + $1 / 2 }
      let size = kernel.reduce(1, *)
      let outputs = shape[0] / groups
      var values = [Float](repeating: 0, count: shape.elementCount)
      for group in 0..<groups {
        for channel in 0..<Swift.min(outputs, shape[1]) {
          values[((group * outputs + channel) * shape[1] + channel) * size + center] = 1
        }
      }
      return Tensor(values, shape: shape)
    }
  }
}
