import ApusSystem
import Glibc

/// The predictions of a classifier on labeled examples, and their quality.
///
/// The model's outputs are probabilities or logits. Among classes with equal outputs, the class with the lower index
/// ranks higher, as in `argmax`; this also applies to `topAccuracy`.
public struct ClassificationResults: Sendable {
  /// The number of classes.
  public let classCount: Int
  /// The true class of each example.
  public let labels: [Int32]
  /// `[count, classes]`, row-major.
  public let probabilities: [Float]
  /// The predicted class of each example: the class with the largest output or, if a threshold was given for two
  /// classes, class 1 where its probability is at least the threshold.
  public let predicted: [Int32]
  /// The number of classes that rank higher than the true one, for each example.
  public let ranks: [Int32]
  /// The counts of true against predicted classes.
  public let confusion: ConfusionMatrix

  /// The number of examples.
  public var count: Int { labels.count }

  /// The results of predicted probabilities.
  /// - Parameters:
  ///   - probabilities: `[labels.count, classes]`, row-major; they should add up to 1 for each example.
  ///   - classes: the row length of `probabilities`; classes are numbered from 0.
  ///   - labels: the true class of each example.
  ///   - threshold: with two classes, class 1 is predicted if its probability is at least this number. With `nil`, the
  ///     most likely class is predicted, for any number of classes.
  /// - Throws: when there are no examples, `classes` is not in `1 ... 10_000`, a label is not in `0 ..< classes`, a
  ///   value is not a probability, or there is a threshold but not two classes.
  public init(
    probabilities: [Float], classes: Int, labels: [Int32], threshold: Double? = nil
  ) throws(MeasureError) {
    try self.init(ranking: probabilities, probabilities, classes, labels, threshold)
    guard let position = probabilities.firstIndex(where: { !(0...1 ~= $0) }) else { return }
    throw MeasureError(
      reason:
        "the probability of class \(position % classes) for example \(position / classes) is \(probabilities[position])"
    )
  }

  /// The results of logits. The probabilities are `softmax(logits)`. Ranks, and predictions without a threshold, are
  /// computed from the logits, because logits may differ where the float32 probabilities are equal.
  /// - Parameters:
  ///   - logits: `[labels.count, classes]`, row-major.
  ///   - classes: the row length of `logits`; classes are numbered from 0.
  ///   - labels: the true class of each example.
  ///   - threshold: as for probabilities.
  /// - Throws: as for probabilities; a logit must be finite.
  public init(logits: [Float], classes: Int, labels: [Int32], threshold: Double? = nil) throws(MeasureError) {
    try self.init(ranking: logits, softmax(logits, rows: classes), classes, labels, threshold)
  }

  private init(
    ranking: [Float], _ probabilities: [Float], _ classes: Int, _ labels: [Int32], _ threshold: Double?
  ) throws(MeasureError) {
    try ConfusionMatrix.check(labels, classes: classes)
    guard ranking.count == labels.count * classes else {
      fatalError("ClassificationResults: \(ranking.count) values for \(labels.count) examples of \(classes) classes")
    }
    guard threshold == nil || classes == 2 else {
      throw MeasureError(reason: "a threshold needs two classes, but there are \(classes)")
    }
    if let position = ranking.firstIndex(where: { !$0.isFinite }) {
      throw MeasureError(
        reason:
          "output \(position % classes) for example \(position / classes) is \(ranking[position]), not a finite number")
    }
    classCount = classes
    self.labels = labels
    self.probabilities = probabilities
    (predicted, ranks) = ClassificationResults.labelsAndRanks(ranking, probabilities, classes, labels, threshold)
    confusion = ConfusionMatrix(checked: labels, predicted, classes: classes)
  }

  private static func labelsAndRanks(
    _ outputs: [Float], _ probabilities: [Float], _ classes: Int, _ labels: [Int32], _ threshold: Double?
  ) -> (predicted: [Int32], ranks: [Int32]) {
    var predicted: [Int32] = []
    var ranks: [Int32] = []
    for (example, label) in labels.enumerated() {
      let start = example * classes
      let own = outputs[start + Int(label)]
      var (best, rank) = (0, 0)
      for position in 0..<classes {
        let value = outputs[start + position]
        if value > outputs[start + best] { best = position }
        if value > own || value == own && position < label { rank += 1 }
      }
      ranks.append(Int32(rank))
      // The comparison is in float32, like the probabilities, so that a printed probability can be used as a threshold.
      predicted.append(threshold.map { probabilities[start + 1] >= Float($0) ? 1 : 0 } ?? Int32(best))
    }
    return (predicted, ranks)
  }

  /// `softmax(logits)` of each example, `[count, classes]`: the same bits as the property `probabilities` of results
  /// that are created from these logits.
  public static func probabilities(logits: [Float], classes: Int) -> [Float] { softmax(logits, rows: classes) }

  /// The fraction of examples whose predicted class is the true one.
  public var accuracy: Double { confusion.accuracy }

  /// The fraction of examples whose true class is among the `k` classes with the largest outputs.
  public func topAccuracy(_ k: Int) -> Double { Double(ranks.count { $0 < k }) / Double(count) }

  /// The mean of `−log p` of the true classes, with `p` clipped to `2⁻⁵² … 1 − 2⁻⁵²`, as scikit-learn clips float64
  /// values.
  public var logLoss: Double {
    labels.enumerated().reduce(0.0) { $0 + clippedLoss($1.offset, Int($1.element)) } / Double(count)
  }

  func clippedLoss(_ example: Int, _ label: Int) -> Double {
    let share = Double(probabilities[example * classCount + label])
    return -log(min(max(share, Double.ulpOfOne), 1 - Double.ulpOfOne))
  }

  /// The mean of `Σₖ (pₖ − yₖ)²`, from 0 to 2; for two classes the mean of `(p₁ − y₁)²`, from 0 to 1. `pₖ` is the
  /// probability of class `k`, and `yₖ` is 1 for the true class, else 0.
  ///
  /// (Brier, "Verification of forecasts expressed in terms of probability", 1950; for two classes as in scikit-learn.)
  public var brierScore: Double {
    let terms = classCount == 2 ? 1..<2 : 0..<classCount
    var sum = 0.0
    for (example, label) in labels.enumerated() {
      for number in terms {
        let error = Double(probabilities[example * classCount + number]) - (Int(label) == number ? 1 : 0)
        sum += error * error
      }
    }
    return sum / Double(count)
  }

  /// The probability of one class for each example.
  public func probabilities(ofClass number: Int) -> [Float] {
    stride(from: number, to: probabilities.count, by: classCount).map { probabilities[$0] }
  }
}

/// `exp(xᵢ − max) / Σ exp(xⱼ − max)` of each row of `width` logits, with sums in float64.
package func softmax(_ logits: [Float], rows width: Int) -> [Float] {
  guard width > 0 else { return [] }
  var result = logits
  for start in stride(from: 0, to: logits.count - width + 1, by: width) {
    let numerators = softmaxNumerators(logits[start..<start + width])
    let sum = numerators.reduce(0, +)
    for (position, numerator) in numerators.enumerated() { result[start + position] = Float(numerator / sum) }
  }
  return result
}
