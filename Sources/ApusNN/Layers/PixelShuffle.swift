import ApusTensor

/// Rearranges channels into spatial positions, the last step of a sub-pixel convolution (Shi et al., 2016). With the
/// factor `r`, it maps `x: [batch, channels · r², height, width]` to `y: [batch, channels, height · r, width · r]`:
/// `y[n, c, h·r + i, w·r + j] = x[n, c·r² + i·r + j, h, w]`.
public struct PixelShuffle: Layer {
  /// `r`, by which height and width grow.
  public let factor: Int

  /// - Precondition: the factor `r` is at least 1.
  public init(_ factor: Int) {
    guard factor > 0 else { fatalError("PixelShuffle: the factor \(factor) must be at least 1") }
    self.factor = factor
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank == 4, x.shape[1] % factor == 0, x.shape[1] / factor % factor == 0 else {
      ShapeError("PixelShuffle", "\(x.shape) is not [batch, channels · \(factor)², height, width]").report()
      return x
    }
    let (batch, channels, height, width) = (x.shape[0], x.shape[1] / factor / factor, x.shape[2], x.shape[3])
    return x.reshaped(to: [batch, channels, factor, factor, height, width]).transposed([0, 1, 4, 2, 5, 3])
      .reshaped(to: [batch, channels, height * factor, width * factor])
  }
}

/// Rearranges spatial positions into channels, the inverse of `PixelShuffle`. With the factor `r`, it maps
/// `[batch, channels, height · r, width · r]` to `[batch, channels · r², height, width]`.
public struct PixelUnshuffle: Layer {
  /// `r`, by which height and width shrink.
  public let factor: Int

  /// - Precondition: the factor `r` is at least 1.
  public init(_ factor: Int) {
    guard factor > 0 else { fatalError("PixelUnshuffle: the factor \(factor) must be at least 1") }
    self.factor = factor
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank == 4, x.shape[2] % factor == 0, x.shape[3] % factor == 0 else {
      ShapeError("PixelUnshuffle", "\(x.shape) is not [batch, channels, height · \(factor), width · \(factor)]")
        .report()
      return x
    }
    let (batch, channels, height, width) = (x.shape[0], x.shape[1], x.shape[2] / factor, x.shape[3] / factor)
    return x.reshaped(to: [batch, channels, height, factor, width, factor]).transposed([0, 1, 3, 5, 2, 4])
      .reshaped(to: [batch, channels * factor * factor, height, width])
  }
}
