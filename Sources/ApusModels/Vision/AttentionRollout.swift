import ApusNN
import ApusTensor

extension VisionTransformer {
  /// The contribution of each patch to the class token through all layers (attention rollout; Abnar, Zuidema:
  /// "Quantifying attention flow in Transformers", 2020), as maps of the size of the images:
  /// ```text
  /// R = A_L · … · A₁,   Aᵢ = ½ mean over heads(weightsᵢ) + ½ I
  /// ```
  /// `weightsᵢ` are the attention weights of layer `i` of `L`, and the identity `I` accounts for the residual
  /// connections. The class token's row of `R`, without the class token's own element, gives one pixel per patch. These
  /// pixels are interpolated linearly to the size of the images.
  ///
  /// - Parameter x: `[batch, channels, height, width]`.
  /// - Returns: `[batch, 1, height, width]`; the weights of all patches and of the class token itself sum to 1 before
  ///   interpolation.
  public func attentionRollout(_ x: Tensor) -> Tensor {
    let (rows, columns) = (imageSize[0] / patchSize, imageSize[1] / patchSize)
    let (batch, tokens) = (x.shape.first ?? 1, rows * columns + 1)
    let identity = Tensor.eye(tokens, dtype: x.dtype, device: x.device)
    var rollout = identity.broadcast(to: [batch, tokens, tokens])
    for map in AttentionMap.all(of: self, on: x) {
      rollout = ((map.weights.mean(axis: 1) + identity) * 0.5).matmul(rollout)
    }
    let patches = rollout.slice(axis: 1, from: 0, count: 1).slice(axis: 2, from: 1, count: tokens - 1)
    return patches.reshaped(to: [batch, 1, rows, columns]).resized(to: imageSize)
  }
}
