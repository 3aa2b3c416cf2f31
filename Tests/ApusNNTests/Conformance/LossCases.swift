import Apus

/// A case of the fixture `losses`: a loss function with its settings.
struct LossCase: Sendable {
  let name: String
  let function: String
  /// Whether another case uses the same kernels. If so, devices that build kernels skip this case.
  var sharesKernels = false
  /// Computes the loss from the tensors of the case in the fixture.
  let value: @Sendable ([Tensor]) -> Tensor

  init(_ name: String, of function: String, _ value: @escaping @Sendable ([Tensor]) -> Tensor) {
    self.name = name
    self.function = function
    self.value = value
  }

  /// The cases of every loss. `Tests/Conformance/losses.py` computes their expected values, under the same names.
  static let all =
    crossEntropies + likelihoods + regressions + binary + margins + distances + alignments

  private static let crossEntropies = [
    LossCase("cross-entropy", of: "crossEntropy") { crossEntropy($0[0], $0[1]) },
    LossCase("cross-entropy-large", of: "crossEntropy") { crossEntropy($0[0], $0[1]) },
    LossCase("cross-entropy-sum", of: "crossEntropy") { crossEntropy($0[0], $0[1], reduction: .sum) },
    LossCase("cross-entropy-none", of: "crossEntropy") { crossEntropy($0[0], $0[1], reduction: .none) },
    LossCase("cross-entropy-pixels", of: "crossEntropy") { crossEntropy($0[0], $0[1]) },
    LossCase("cross-entropy-ignoring", of: "crossEntropy") { crossEntropy($0[0], $0[1], ignoring: -100) },
    LossCase("cross-entropy-smoothing", of: "crossEntropy") { crossEntropy($0[0], $0[1], smoothing: 0.1) },
    LossCase("cross-entropy-probabilities", of: "crossEntropy") { crossEntropy($0[0], targetProbabilities: $0[1]) },
    LossCase("cross-entropy-weights", of: "crossEntropy") { crossEntropy($0[0], $0[1], weights: $0[2].stopGradient()) },
    LossCase("cross-entropy-weights-none", of: "crossEntropy") {
      crossEntropy($0[0], $0[1], reduction: .none, weights: $0[2].stopGradient())
    },
    LossCase("cross-entropy-everything", of: "crossEntropy") {
      crossEntropy($0[0], $0[1], ignoring: -100, smoothing: 0.2, weights: $0[2].stopGradient())
    },
    LossCase("cross-entropy-everything-sum", of: "crossEntropy") {
      crossEntropy($0[0], $0[1], reduction: .sum, ignoring: -100, smoothing: 0.2, weights: $0[2].stopGradient())
    },
    LossCase("cross-entropy-pixels-weights", of: "crossEntropy") {
      crossEntropy($0[0], $0[1], weights: $0[2].stopGradient())
    },
    LossCase("cross-entropy-probabilities-everything", of: "crossEntropy") {
      crossEntropy($0[0], targetProbabilities: $0[1], smoothing: 0.2, weights: $0[2].stopGradient())
    },
    LossCase("cross-entropy-from-probabilities", of: "crossEntropy") { crossEntropy(fromProbabilities: $0[0], $0[1]) },
  ]

  private static let likelihoods = [
    LossCase("negative-log-likelihood", of: "negativeLogLikelihood") {
      negativeLogLikelihood($0[0], $0[1], ignoring: -100)
    },
    LossCase("negative-log-likelihood-weights", of: "negativeLogLikelihood") {
      negativeLogLikelihood($0[0], $0[1], ignoring: -100, weights: $0[2].stopGradient())
    },
    LossCase("kl-divergence", of: "klDivergence") { klDivergence($0[0], $0[1]) },
    LossCase("kl-divergence-batch-mean", of: "klDivergence") { klDivergence($0[0], $0[1], reduction: .batchMean) },
    LossCase("kl-divergence-logarithms", of: "klDivergence") {
      klDivergence($0[0], $0[1], targetsAreLogarithms: true, reduction: .sum)
    },
    LossCase("kl-divergence-zeros", of: "klDivergence") {
      klDivergence($0[0], $0[1].stopGradient(), reduction: .none)
    },
    LossCase("poisson", of: "poissonNegativeLogLikelihood") {
      poissonNegativeLogLikelihood($0[0], $0[1].stopGradient())
    },
    LossCase("poisson-rates", of: "poissonNegativeLogLikelihood") {
      poissonNegativeLogLikelihood(
        $0[0], $0[1].stopGradient(), outputsAreLogarithms: false, isFull: true, reduction: .none)
    },
    LossCase("gaussian", of: "gaussianNegativeLogLikelihood") {
      gaussianNegativeLogLikelihood($0[0], $0[1], variances: $0[2])
    },
    LossCase("gaussian-full", of: "gaussianNegativeLogLikelihood") {
      gaussianNegativeLogLikelihood($0[0], $0[1], variances: $0[2], isFull: true, epsilon: 0.4, reduction: .none)
    },
  ]

  private static let regressions = [
    LossCase("mean-squared-error", of: "meanSquaredError") { meanSquaredError($0[0], $0[1]) },
    LossCase("mean-squared-error-batch-mean", of: "meanSquaredError") {
      meanSquaredError($0[0], $0[1], reduction: .batchMean)
    },
    LossCase("mean-absolute-error", of: "meanAbsoluteError") { meanAbsoluteError($0[0], $0[1]) },
    LossCase("mean-absolute-error-none", of: "meanAbsoluteError") {
      meanAbsoluteError($0[0], $0[1], reduction: .none)
    },
    LossCase("huber", of: "huber") { huber($0[0], $0[1]) },
    LossCase("huber-delta", of: "huber") { huber($0[0], $0[1], delta: 2.5, reduction: .sum) },
    LossCase("smooth-l1", of: "smoothL1") { smoothL1($0[0], $0[1]) },
    LossCase("smooth-l1-beta", of: "smoothL1") { smoothL1($0[0], $0[1], beta: 2.5, reduction: .none) },
  ]

  private static let binary = [
    LossCase("binary-cross-entropy", of: "binaryCrossEntropy") { binaryCrossEntropy($0[0], $0[1]) },
    LossCase("binary-cross-entropy-large", of: "binaryCrossEntropy") { binaryCrossEntropy($0[0], $0[1]) },
    LossCase("binary-cross-entropy-weights", of: "binaryCrossEntropy") {
      binaryCrossEntropy(
        $0[0], $0[1], reduction: .sum, weights: $0[2].stopGradient(), positiveWeights: $0[3].stopGradient())
    },
    LossCase("binary-cross-entropy-from-probabilities", of: "binaryCrossEntropy") {
      binaryCrossEntropy(fromProbabilities: $0[0], $0[1])
    },
    LossCase("binary-cross-entropy-from-probabilities-weights", of: "binaryCrossEntropy") {
      binaryCrossEntropy(fromProbabilities: $0[0], $0[1], reduction: .none, weights: $0[2].stopGradient())
    },
    LossCase("binary-cross-entropy-certain", of: "binaryCrossEntropy") {
      binaryCrossEntropy(fromProbabilities: $0[0], $0[1].stopGradient(), reduction: .none)
    },
  ]

  private static let margins = [
    LossCase("hinge", of: "hinge") { hinge($0[0], $0[1]) },
    LossCase("squared-hinge", of: "squaredHinge") { squaredHinge($0[0], $0[1], reduction: .sum) },
    LossCase("soft-margin", of: "softMargin") { softMargin($0[0], $0[1].stopGradient()) },
    LossCase("hinge-embedding", of: "hingeEmbedding") { hingeEmbedding($0[0], $0[1], margin: 1.5) },
    LossCase("margin-ranking", of: "marginRanking") { marginRanking($0[0], $0[1], $0[2], margin: 0.5) },
    LossCase("multi-margin", of: "multiMargin") { multiMargin($0[0], $0[1]) },
    LossCase("multi-margin-squared", of: "multiMargin") {
      multiMargin($0[0], $0[1], power: 2, margin: 1.5, weights: $0[2].stopGradient(), reduction: .none)
    },
  ]

  private static let distances = [
    LossCase("cosine-similarity", of: "cosineSimilarity") { cosineSimilarity($0[0], $0[1]) },
    LossCase("cosine-distance", of: "cosineDistance") { cosineDistance($0[0], $0[1]) },
    LossCase("cosine-embedding", of: "cosineEmbedding") {
      cosineEmbedding($0[0], $0[1], $0[2], margin: 0.1, reduction: .none)
    },
    LossCase("pairwise-distance", of: "pairwiseDistance") { pairwiseDistance($0[0], $0[1]) },
    LossCase("triplet-margin", of: "tripletMargin") { tripletMargin($0[0], $0[1], $0[2]) },
    LossCase("triplet-margin-swap", of: "tripletMargin") {
      tripletMargin($0[0], $0[1], $0[2], margin: 3, p: 3, swaps: true, reduction: .none)
    },
  ]

  private static let alignments = [
    ctc("ctc"),
    ctc("ctc-none", reduction: .none),
    ctc("ctc-concatenated-blank-last", blank: 4),
    ctc("ctc-empty-target", targets: [3, 0, 3]),
    ctc("ctc-zero-infinity", inputs: [3, 5, 0], zeroInfinity: true),
  ]

  private static func ctc(
    _ name: String, inputs: [Int] = [7, 5, 6], targets: [Int] = [3, 1, 2], blank: Int = 0,
    reduction: LossReduction = .mean, zeroInfinity: Bool = false
  ) -> LossCase {
    var result = LossCase(name, of: "ctcLoss") {
      ctcLoss(
        $0[0].logSoftmax(), $0[1], inputLengths: inputs, targetLengths: targets, blank: blank, reduction: reduction,
        zeroInfinity: zeroInfinity)
    }
    result.sharesKernels = name != "ctc" && !zeroInfinity
    return result
  }
}
