/// The prediction quality of one class. A ratio of 0 to 0 counts as 0 and is marked as undefined.
public struct ClassMeasures: Hashable, Sendable {
  /// The number of examples of the class that were predicted correctly.
  public var truePositives: Int
  /// How often the class was predicted.
  public var predictedCount: Int
  /// The number of examples of the class.
  public var support: Int

  /// The fraction of the predictions of the class that are correct: `true positives / predicted`.
  public var precision: Double { ratio(truePositives, predictedCount) }
  /// The fraction of the class's examples that are found: `true positives / support`.
  public var recall: Double { ratio(truePositives, support) }
  /// The harmonic mean of precision and recall: `2 true positives / (predicted + support)`.
  public var f1: Double { ratio(2 * truePositives, predictedCount + support) }

  /// Whether the class was never predicted.
  public var isPrecisionUndefined: Bool { predictedCount == 0 }
  /// Whether the class has no examples.
  public var isRecallUndefined: Bool { support == 0 }
  /// Whether the class occurs neither among labels nor among predictions.
  public var isAbsent: Bool { predictedCount == 0 && support == 0 }
}

/// Precision, recall and F1, each averaged over the classes.
public struct AveragedMeasures: Hashable, Sendable {
  /// The average of the precisions.
  public var precision: Double
  /// The average of the recalls.
  public var recall: Double
  /// The average of the F1 scores.
  public var f1: Double
}

/// How the measures of the classes are averaged.
public enum Averaging: String, CaseIterable, Sendable {
  /// Every class counts the same.
  case macro
  /// The measures are computed from the counts of all classes added up. With one class per example, all three measures
  /// equal the accuracy.
  case micro
  /// Every class is weighted by its number of examples.
  case weighted
}

extension ConfusionMatrix {
  /// The measures of each class, by the index of the class.
  public var measures: [ClassMeasures] {
    let (supports, predicted) = (supports, predictedCounts)
    return (0..<classCount).map {
      ClassMeasures(truePositives: self[$0, $0], predictedCount: predicted[$0], support: supports[$0])
    }
  }

  /// The average over the classes that occur among labels or predictions, as in scikit-learn. A class that is absent
  /// from both would lower a macro average, although it says nothing about the model.
  public func average(_ averaging: Averaging) -> AveragedMeasures {
    let present = measures.filter { !$0.isAbsent }
    let weights: [Double] =
      switch averaging {
      case .macro: present.map { _ in 1 }
      case .weighted: present.map { Double($0.support) }
      case .micro: []
      }
    guard averaging != .micro else { return AveragedMeasures(precision: accuracy, recall: accuracy, f1: accuracy) }
    func mean(_ value: (ClassMeasures) -> Double) -> Double { weightedMean(present.map(value), weights) }
    return AveragedMeasures(precision: mean(\.precision), recall: mean(\.recall), f1: mean(\.f1))
  }
}

/// `part / whole`, where `0 / 0` is 0.
func ratio(_ part: Int, _ whole: Int) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }
