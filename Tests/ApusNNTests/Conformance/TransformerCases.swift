import Apus
import ApusTestSupport

extension ModuleCase {
  static let transformers = encoders + decoders

  private static func encoder(hasBias: Bool = true, isNormFirst: Bool = false) -> TransformerEncoderLayer {
    TransformerEncoderLayer(6, heads: 2, hidden: 5, dropout: 0, isNormFirst: isNormFirst, hasBias: hasBias)
  }

  private static func decoder(hasBias: Bool = true, isNormFirst: Bool = false) -> TransformerDecoderLayer {
    TransformerDecoderLayer(6, heads: 2, hidden: 5, dropout: 0, isNormFirst: isNormFirst, hasBias: hasBias)
  }

  private static let encoders = [
    ModuleCase("encoder-layer", encoder()),
    ModuleCase(
      "encoder-layer-options",
      TransformerEncoderLayer(
        6, heads: 2, hidden: 5, dropout: 0, epsilon: 0.1, isBatchFirst: true, isNormFirst: true,
        activation: { $0.gelu() })),
    ModuleCase("encoder-layer-no-bias", encoder(hasBias: false)),
    ModuleCase("encoder-layer-masks", { encoder() }) { layer, inputs in
      [layer(inputs[0], mask: inputs[1], keyMask: inputs[2], isCausal: false)]
    },
    ModuleCase("encoder-layer-causal", { encoder(isNormFirst: true) }, call: { [$0($1[0], isCausal: true)] }),
    ModuleCase("encoder", { TransformerEncoder(2, norm: LayerNorm(6)) { encoder(isNormFirst: true) } }) {
      encoder, inputs in
      [encoder(inputs[0], keyMask: inputs[1], isCausal: true)]
    },
  ]

  private static let decoders = [
    ModuleCase("decoder-layer", { decoder() }, call: { [$0($1[0], $1[1])] }),
    ModuleCase(
      "decoder-layer-options",
      {
        TransformerDecoderLayer(
          6, heads: 2, hidden: 5, dropout: 0, epsilon: 0.1, isBatchFirst: true, isNormFirst: true,
          activation: { $0.gelu() })
      }, call: { [$0($1[0], $1[1])] }),
    ModuleCase("decoder-layer-no-bias", { decoder(hasBias: false) }, call: { [$0($1[0], $1[1])] }),
    ModuleCase("decoder-layer-masks", { decoder() }) { layer, inputs in
      [
        layer(
          inputs[0], inputs[1], mask: inputs[2], keyMask: inputs[3], memoryMask: inputs[4], memoryKeyMask: inputs[5])
      ]
    },
    ModuleCase(
      "decoder-layer-causal", { decoder(isNormFirst: true) }, call: { [$0($1[0], $1[1], isCausal: true)] }),
    ModuleCase("decoder", { TransformerDecoder(2) { decoder() } }) { decoder, inputs in
      [decoder(inputs[0], inputs[1], isCausal: true, memoryKeyMask: inputs[2])]
    },
    ModuleCase(
      "transformer", { Transformer(6, heads: 2, encoderLayers: 1, decoderLayers: 1, hidden: 5, dropout: 0) }
    ) { model, inputs in
      [
        model(
          inputs[0], inputs[1], sourceKeyMask: inputs[2], targetKeyMask: inputs[3], memoryKeyMask: inputs[2],
          isTargetCausal: true)
      ]
    },
  ]
}
