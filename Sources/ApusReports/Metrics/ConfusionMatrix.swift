import ApusSystem

/// The number of examples for each pair of true and predicted class.
///
/// All measures are computed from the counts, and equal scikit-learn's measures for the same labels and predictions.
public struct ConfusionMatrix: Hashable, Sendable {
  /// The number of classes, including those that do not occur.
  public let classCount: Int
  /// `[classes, classes]`, row-major: rows are the true classes, columns the predicted ones.
  public let counts: [Int]
  /// The number of examples.
  public let total: Int

  /// The largest number of classes. More classes would require a matrix of gigabytes.
  static let classLimit = 10_000

  /// Counts pairs of true and predicted classes.
  /// - Throws: when there are no examples, `classes` is not in `1 ... 10_000`, or a class is not in `0 ..< classes`.
  /// - Precondition: there is a prediction for each label.
  public init(labels: [Int32], predicted: [Int32], classes: Int) throws(MeasureError) {
    guard labels.count == predicted.count else {
      fatalError("ConfusionMatrix: \(predicted.count) predictions for \(labels.count) labels")
    }
    try ConfusionMatrix.check(labels, classes: classes)
    try ConfusionMatrix.check(predicted, classes: classes)
    self.init(checked: labels, predicted, classes: classes)
  }

  init(checked labels: [Int32], _ predicted: [Int32], classes: Int) {
    var counts = [Int](repeating: 0, count: classes * classes)
    for (label, prediction) in zip(labels, predicted) { counts[Int(label) * classes + Int(prediction)] += 1 }
    self.counts = counts
    classCount = classes
    total = labels.count
  }

  /// Throws if there are no labels, `classes` is not in `1 ... classLimit`, or a label is not in `0 ..< classes`.
  static func check(_ labels: [Int32], classes: Int) throws(MeasureError) {
    guard !labels.isEmpty else { throw MeasureError(reason: "there are no examples") }
    guard 1...classLimit ~= classes else {
      throw MeasureError(reason: "\(classes) classes; measures of classes support 1 to \(classLimit)")
    }
    guard let position = labels.firstIndex(where: { !(0..<Int32(classes) ~= $0) }) else { return }
    throw MeasureError(
      reason:
        "example \(position) has class \(labels[position]), but there are only \(classes) classes, numbered from 0")
  }

  /// The number of examples of class `label` that were predicted as class `predicted`:
  /// `counts[label · classCount + predicted]`.
  /// - Precondition: both classes are in `0 ..< classCount`.
  public subscript(label: Int, predicted: Int) -> Int { counts[label * classCount + predicted] }

  /// The number of examples that are predicted correctly: the sum of the diagonal.
  public var correctCount: Int { (0..<classCount).reduce(0) { $0 + self[$1, $1] } }

  /// The fraction of examples that are predicted correctly: `correctCount / total`.
  public var accuracy: Double { Double(correctCount) / Double(total) }

  /// The number of examples of each class, `[classes]`: the sums of the rows.
  public var supports: [Int] {
    (0..<classCount).map { row in counts[row * classCount..<(row + 1) * classCount].reduce(0, +) }
  }

  /// How often each class was predicted, `[classes]`: the sums of the columns.
  public var predictedCounts: [Int] {
    var sums = [Int](repeating: 0, count: classCount)
    for (position, count) in counts.enumerated() { sums[position % classCount] += count }
    return sums
  }
}

// MARK: - Agreement

extension ConfusionMatrix {
  /// The mean recall of the classes that have examples.
  public var balancedAccuracy: Double {
    measures.filter { !$0.isRecallUndefined }.map(\.recall).mean
  }

  /// Cohen's kappa: the accuracy in excess of chance, relative to the largest possible excess.
  ///
  /// `κ = (a − e) / (1 − e)` with the accuracy `a`, `n` examples and `e = Σ supportₖ · predictedₖ / n²` over the
  /// classes `k`. `nil` when all labels and predictions are of one class: `0 / 0`. (Cohen, "A coefficient of agreement
  /// for nominal scales", 1960.)
  public var kappa: Double? {
    let agreements = chance
    let all = Double(total) * Double(total)
    return agreements < all ? 1 - (all - Double(correctCount) * Double(total)) / (all - agreements) : nil
  }

  /// The Matthews correlation coefficient, for any number of classes.
  ///
  /// `(c·n − Σ sₖpₖ) / √((n² − Σ pₖ²)(n² − Σ sₖ²))` with `c` correct predictions of `n` examples, supports `s` and
  /// predicted counts `p`; 0 where the denominator is 0. (Gorodkin, "Comparing two K-category assignments by a
  /// K-category correlation coefficient", 2004.)
  public var matthewsCorrelation: Double {
    let all = Double(total) * Double(total)
    let spreads = [supports, predictedCounts].map { counts in
      all - counts.reduce(0.0) { $0 + Double($1) * Double($1) }
    }
    guard spreads[0] > 0, spreads[1] > 0 else { return 0 }
    return (Double(correctCount) * Double(total) - chance) / (spreads[0].squareRoot() * spreads[1].squareRoot())
  }

  /// `Σ supportₖ · predictedₖ`
  private var chance: Double { zip(supports, predictedCounts).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
}

// MARK: - Confusions

extension ConfusionMatrix {
  /// The examples of one class that were predicted as another.
  public struct Confusion: Hashable, Sendable {
    /// The true class.
    public var label: Int
    /// The predicted class.
    public var predicted: Int
    public var count: Int
  }

  /// The pairs of classes that were confused, the most frequent first.
  public var confusions: [Confusion] {
    let pairs = (0..<counts.count).map {
      Confusion(label: $0 / classCount, predicted: $0 % classCount, count: counts[$0])
    }
    return pairs.filter { $0.count > 0 && $0.label != $0.predicted }
      .sortedArray { ($1.count, $0.label, $0.predicted) < ($0.count, $1.label, $1.predicted) }
  }
}
