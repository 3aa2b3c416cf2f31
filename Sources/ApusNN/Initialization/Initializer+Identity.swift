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
  /// - Parameters:
  ///   - groups: the number of groups of the convolution.
  ///   - rest: initializes the filters of the output channels that receive no input channel, because a group has more
  ///     outputs than inputs; `nil` for zeros.
  /// - Precondition: the shape is `[outputs, inputs / groups, kernel…]`, and `groups` divides `outputs`.
  public static func dirac(groups: Int = 1, rest: Initializer? = nil) -> Initializer {
    Initializer { shape, fans, key in
      guard (3...5).contains(shape.rank) else { fatalError("dirac: \(shape) is not [outputs, inputs, kernel…]") }
      guard groups > 0, shape[0] % groups == 0 else {
        fatalError("dirac: \(groups) groups do not divide the \(shape[0]) outputs of \(shape)")
      }
      let kernel = shape.dropFirst(2)
      let center = kernel.reduce(0) { $0 * $1 + $1 / 2 }
      let size = kernel.reduce(1, *)
      let outputs = shape[0] / groups
      var values = [Float](repeating: 0, count: shape.elementCount)
      // 1 for each output channel that receives no input channel.
      var isRest = [Float](repeating: 1, count: shape[0])
      for group in 0..<groups {
        for channel in 0..<Swift.min(outputs, shape[1]) {
          values[((group * outputs + channel) * shape[1] + channel) * size + center] = 1
          isRest[group * outputs + channel] = 0
        }
      }
      let identity = Tensor(values, shape: shape)
      guard let rest else { return identity }
      let mask = Tensor(isRest, shape: Shape([shape[0]] + Array(repeating: 1, count: shape.rank - 1)))
      return rest.make(shape, fans, &key) * mask + identity
    }
  }
}
