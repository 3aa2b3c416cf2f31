import ApusNN
import ApusTensor

/// Converts images to sequences of their rows: `[batch, channels, height, width]` to
/// `[batch, height, channels · width]`.
public struct ImageRows: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank == 4 else {
      ShapeError("ImageRows", "the input \(x.shape) is not [batch, channels, height, width]").report()
      return x
    }
    let (batch, height) = (x.shape[0], x.shape[2])
    return x.transposed([0, 2, 1, 3]).reshaped(to: [batch, height, x.shape[1] * x.shape[3]])
  }
}
