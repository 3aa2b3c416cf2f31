import ApusTensor

/// Encoder and decoder (Vaswani et al., 2017), with the keys of `torch.nn.Transformer`. All weight matrices are
/// initialized with Xavier uniform. A layer norm follows the last layer of the encoder and the last layer of the
/// decoder, both with pre-norm and with post-norm layers.
public struct Transformer: Module {
  /// The encoder, which reads the source.
  public let encoder: TransformerEncoder
  /// The decoder, which reads the target and the encoder's result.
  public let decoder: TransformerDecoder

  /// - Parameters: see `TransformerEncoderLayer`; `encoderLayers` and `decoderLayers` are the numbers of layers.
  public init(
    _ size: Int = 512, heads: Int = 8, encoderLayers: Int = 6, decoderLayers: Int = 6, hidden: Int = 2048,
    dropout: Double = 0.1, epsilon: Double = 1e-5, isBatchFirst: Bool = false, isNormFirst: Bool = false,
    hasBias: Bool = true, activation: @escaping @Sendable (Tensor) -> Tensor = { $0.relu() }
  ) {
    func norm() -> LayerNorm { LayerNorm(size, epsilon: epsilon, hasBias: hasBias) }
    encoder = TransformerEncoder(encoderLayers, norm: norm()) {
      TransformerEncoderLayer(
        size, heads: heads, hidden: hidden, dropout: dropout, epsilon: epsilon, isBatchFirst: isBatchFirst,
        isNormFirst: isNormFirst, hasBias: hasBias, activation: activation)
    }
    decoder = TransformerDecoder(decoderLayers, norm: norm()) {
      TransformerDecoderLayer(
        size, heads: heads, hidden: hidden, dropout: dropout, epsilon: epsilon, isBatchFirst: isBatchFirst,
        isNormFirst: isNormFirst, hasBias: hasBias, activation: activation)
    }
    for parameter in parameters where parameter.shape.rank > 1 {
      parameter.value = Initializer.xavierUniform()(parameter.shape)
    }
  }

  /// - Parameters:
  ///   - source: `[sourceLength, batch, size]`; with `isBatchFirst` the batch axis comes first in all shapes here.
  ///     `[sourceLength, size]` is a single example, and no tensor has a batch axis then.
  ///   - target: `[targetLength, batch, size]`.
  ///   - sourceMask: the mask between source elements, broadcast to `[batch, heads, sourceLength, sourceLength]`. All
  ///     Boolean masks are true where an element may be attended to, the opposite of PyTorch's; see
  ///     `MultiheadAttention`.
  ///   - targetMask: the mask between target elements, broadcast to `[batch, heads, targetLength, targetLength]`.
  ///   - memoryMask: the mask from target elements to source elements, broadcast to
  ///     `[batch, heads, targetLength, sourceLength]`.
  ///   - sourceKeyMask: `[batch, sourceLength]`, false for padding.
  ///   - targetKeyMask: `[batch, targetLength]`, false for padding.
  ///   - memoryKeyMask: `[batch, sourceLength]`, false for padding.
  ///   - isTargetCausal: whether a target element attends only to itself and preceding elements.
  /// - Returns: `[targetLength, batch, size]`.
  public func callAsFunction(
    _ source: Tensor, _ target: Tensor, sourceMask: Tensor? = nil, targetMask: Tensor? = nil,
    memoryMask: Tensor? = nil, sourceKeyMask: Tensor? = nil, targetKeyMask: Tensor? = nil,
    memoryKeyMask: Tensor? = nil, isTargetCausal: Bool = false
  ) -> Tensor {
    LayerTrace.leaf(self, source) {
      decoder(
        target, encoder(source, mask: sourceMask, keyMask: sourceKeyMask, isCausal: false), mask: targetMask,
        keyMask: targetKeyMask, isCausal: isTargetCausal, memoryMask: memoryMask, memoryKeyMask: memoryKeyMask)
    }
  }
}
