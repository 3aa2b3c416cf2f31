import ApusTensor

/// Encoder and decoder (Vaswani et al., 2017), with the keys of `torch.nn.Transformer`: weights start uniform by
/// Glorot and Bengio, and both ends are normalized, also where norms stand behind.
public struct Transformer: Module {
  /// The encoder, which reads the source.
  public let encoder: TransformerEncoder
  /// The decoder, which goes on with the target.
  public let decoder: TransformerDecoder

  /// - Parameters: see `TransformerEncoderLayer`.
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
  ///   - source: `[sourceLength, batch, size]`, `[sourceLength, size]` of one example.
  ///   - target: `[targetLength, batch, size]`, `[targetLength, size]` of one example.
  ///   - sourceMask: of the source's elements among each other. All masks are true where an element may be attended to,
  ///     the opposite of PyTorch's; see `MultiheadAttention`.
  ///   - targetMask: of the target's elements among each other.
  ///   - memoryMask: of the source's elements for the target's.
  ///   - sourceKeyMask: `[batch, sourceLength]`, false where there is padding.
  ///   - targetKeyMask: `[batch, targetLength]`, false where there is padding.
  ///   - memoryKeyMask: `[batch, sourceLength]`, false where there is padding.
  ///   - isTargetCausal: whether an element of the target attends to itself and those ahead of it alone.
  /// - Returns: `[targetLength, batch, size]`.
  public func callAsFunction(
    _ source: Tensor, _ target: Tensor, sourceMask: Tensor? = nil, targetMask: Tensor? = nil,
    memoryMask: Tensor? = nil, sourceKeyMask: Tensor? = nil, targetKeyMask: Tensor? = nil,
    memoryKeyMask: Tensor? = nil, isTargetCausal: Bool = false
  ) -> Tensor {
    decoder(
      target, encoder(source, mask: sourceMask, keyMask: sourceKeyMask, isCausal: false), mask: targetMask,
      keyMask: targetKeyMask, isCausal: isTargetCausal, memoryMask: memoryMask, memoryKeyMask: memoryKeyMask)
  }
}
