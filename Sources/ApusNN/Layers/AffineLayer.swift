import ApusTensor

/// A layer that computes `W x + b`, where `W` is a dense matrix, a convolution or a transposed convolution.
package protocol AffineLayer: Layer {
  var weight: Parameter { get }
}

extension Linear: AffineLayer {}
extension Convolution: AffineLayer {}
extension TransposedConvolution: AffineLayer {}

extension Tensor {
  /// `x · Wᵀ + b` for `x: [batch…, inputs]`, `W: [outputs, inputs]`, `b: [outputs]`, to `[batch…, outputs]`.
  ///
  /// In mixed precision the weight and the bias are cast to the 16-bit type of products, unless `x` is `float64`.
  public func linear(weight: Tensor, bias: Tensor? = nil) -> Tensor {
    guard dtype != .float64 else { return matmul(weight.transposed()).plus(bias) }
    return matmul(weight.narrowed.transposed()).plus(bias?.narrowed)
  }

  private func plus(_ bias: Tensor?) -> Tensor { bias.map { self + $0 } ?? self }
}
