import ApusTensor

/// `x` where it is positive, else `w · x`, in the same shape, with a learned `w`: one number for all elements, or one
/// for each channel (He et al., 2015).
///
/// Weight decay pulls `w` towards 0, where the layer is a ReLU: exempt `w` from weight decay.
public struct PReLU: Layer {
  /// The slopes `w`, `[count]`.
  public let weight: Parameter

  /// - Parameters:
  ///   - count: 1, or the number of channels: the extent of axis 1 of `x` (`[batch, channels, …]`), or of axis 0 of a
  ///     vector.
  ///   - initial: the initial value of `w`.
  public init(_ count: Int = 1, initial: Double = 0.25) {
    weight = Parameter(Tensor(repeating: initial, shape: [count]))
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { activated(x) } }

  private func activated(_ x: Tensor) -> Tensor {
    let count = weight.shape[0]
    guard count > 1 else { return x.prelu(slope: weight.value) }
    let axis = x.rank > 1 ? 1 : 0
    guard x.rank > 0, x.shape[axis] == count else {
      ShapeError("PReLU", "\(x.shape) does not have \(count) channels").report()
      return x
    }
    var shape = Shape(repeating: 1, count: x.rank)
    shape[axis] = count
    return x.prelu(slope: weight.value.reshaped(to: shape))
  }
}
