import Apus
import ApusTestSupport

extension ModuleCase {
  /// Attention of every kind, as in `Tests/Conformance/attention.py`.
  static let attention = dotProducts + groupedDotProducts + positions + multihead + multiheadKeys + transformers

  /// A few cases that together have most kinds and options of attention, for devices that have to build kernels for
  /// each case.
  static let shortAttention: Set = [
    "sdpa-mask-added", "sdpa-masked-rows", "rotary-offset", "learned",
    "multihead-both-keys", "multihead-sizes", "multihead-rotary", "encoder-layer-masks",
    "transformer",
  ]

  /// A module without parameters.
  private struct Nothing: Module {
    var members: [ModuleMember] { [] }
  }

  private static func function(_ name: String, _ call: @escaping @Sendable ([Tensor]) -> Tensor) -> ModuleCase {
    ModuleCase(name, { Nothing() }, call: { [call($1)] })
  }

  private static func dot(
    _ name: String, isCausal: Bool = false, offset: Int? = nil, scale: Double? = nil
  ) -> ModuleCase {
    function("sdpa" + name) { inputs in
      scaledDotProductAttention(
        inputs[0], inputs[1], inputs[2], mask: inputs.count > 3 ? inputs[3] : nil, isCausal: isCausal,
        queryOffset: offset.map { .number(Double($0), dtype: .int32) }, scale: scale)
    }
  }

  private static let dotProducts = [
    dot(""), dot("-scale", scale: 0.3), dot("-causal", isCausal: true), dot("-causal-square", isCausal: true),
    dot("-causal-offset", isCausal: true, offset: 2), dot("-mask"), dot("-mask-heads"), dot("-mask-added"),
    dot("-causal-mask", isCausal: true), dot("-plain"), dot("-broadcast"), dot("-long", isCausal: true),
    dot("-masked-rows"),
  ]

  private static let groupedDotProducts = [
    dot("-grouped"), dot("-grouped-causal", isCausal: true), dot("-grouped-mask"), dot("-grouped-mask-added"),
    dot("-one-group"),
  ]

  private static let positions = [
    function("rotary-halves") { RotaryPositions(6, capacity: 8)($0[0]) },
    function("rotary-interleaved") { RotaryPositions(6, capacity: 4, pairing: .interleaved)($0[0]) },
    function("rotary-offset") {
      RotaryPositions(6, capacity: 8, base: 100)($0[0], offset: .number(3, dtype: .int32))
    },
    ModuleCase(
      "sinusoidal", { SinusoidalPositions(5, capacity: 6) }, call: { [$0($1[0], offset: .number(2, dtype: .int32))] }),
    ModuleCase("sinusoidal-batch-first", SinusoidalPositions(6, capacity: 10, isBatchFirst: true)),
    ModuleCase(
      "learned", { LearnedPositions(3, capacity: 6) }, call: { [$0($1[0], offset: .number(1, dtype: .int32))] }),
    linearBiases("linear-biases", heads: 4), linearBiases("linear-biases-odd", heads: 6),
  ]

  private static func linearBiases(_ name: String, heads: Int) -> ModuleCase {
    function(name) { inputs in
      let mask = LinearBiases(heads: heads)(queries: 4, keys: 6, offset: .number(2, dtype: .int32))
      return scaledDotProductAttention(inputs[0], inputs[1], inputs[2], mask: mask)
    }
  }

  /// Self-attention. As in `attention.py`, masks whose first extent is 2, the batch size, are key masks. All others are
  /// attention masks.
  private static func selfAttention(
    _ name: String, isCausal: Bool = false, _ make: @escaping @Sendable () -> MultiheadAttention
  ) -> ModuleCase {
    ModuleCase("multihead" + name, make) { attention, inputs in
      let masks = inputs.dropFirst()
      return [
        attention(
          inputs[0], mask: masks.first { $0.shape[0] != 2 }, keyMask: masks.first { $0.shape[0] == 2 },
          isCausal: isCausal)
      ]
    }
  }

  private static let multihead = [
    selfAttention("") { MultiheadAttention(6, heads: 3) },
    selfAttention("-batch-first") { MultiheadAttention(6, heads: 3, isBatchFirst: true) },
    selfAttention("-no-bias") { MultiheadAttention(6, heads: 2, hasBias: false) },
    selfAttention("-mask") { MultiheadAttention(6, heads: 2) },
    selfAttention("-mask-added") { MultiheadAttention(6, heads: 2) },
    selfAttention("-key-mask") { MultiheadAttention(6, heads: 2) },
    selfAttention("-both-masks") { MultiheadAttention(6, heads: 2) },
    selfAttention("-causal", isCausal: true) { MultiheadAttention(6, heads: 2) },
    selfAttention("-grouped", isCausal: true) { MultiheadAttention(8, heads: 4, keyValueHeads: 2, isBatchFirst: true) },
    selfAttention("-rotary", isCausal: true) {
      MultiheadAttention(
        8, heads: 2, keyValueHeads: 1, isBatchFirst: true, rotary: RotaryPositions(4, capacity: 6))
    },
    ModuleCase("multihead-cross", { MultiheadAttention(6, heads: 2) }, call: { [$0($1[0], $1[1])] }),
    ModuleCase("multihead-three", { MultiheadAttention(6, heads: 2) }, call: { [$0($1[0], $1[1], $1[2])] }),
    ModuleCase(
      "multihead-sizes", { MultiheadAttention(6, heads: 2, keySize: 4, valueSize: 3) },
      call: { [$0($1[0], $1[1], $1[2])] }),
    ModuleCase("multihead-weights", { MultiheadAttention(6, heads: 2) }) { attention, inputs in
      let found = attention.withWeights(inputs[0], inputs[1])
      return [found.output, found.weights]
    },
    ModuleCase("multihead-weights-heads", { MultiheadAttention(6, heads: 2, isBatchFirst: true) }) {
      attention, inputs in
      let found = attention.withWeights(inputs[0], inputs[1], averagesHeads: false)
      return [found.output, found.weights]
    },
  ]

  private static let multiheadKeys = [
    selfAttention("-key-bias") { MultiheadAttention(6, heads: 2, addsKeyBias: true) },
    selfAttention("-zero-key") { MultiheadAttention(6, heads: 2, addsZeroKey: true) },
    selfAttention("-both-keys") { MultiheadAttention(6, heads: 2, addsKeyBias: true, addsZeroKey: true) },
    selfAttention("-both-keys-causal", isCausal: true) {
      MultiheadAttention(6, heads: 2, addsKeyBias: true, addsZeroKey: true)
    },
  ]
}
