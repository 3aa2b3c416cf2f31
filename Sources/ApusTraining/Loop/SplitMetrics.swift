import ApusSystem

/// A split of the examples of a run.
public enum DataSplit: String, CaseIterable, Hashable, Sendable {
  /// The examples that the run learns from.
  case train
  /// Held-out examples for decisions during the run.
  case validation
  /// Held-out examples whose results are reported and influence nothing.
  case test
}

/// The loss and the other measures of a model on one split of the data.
public struct SplitMetrics: Hashable, Sendable {
  /// The mean of the examples' losses, multiplied by the objective's `lossUnit`, without penalties (`Penalty`).
  public var loss: Double
  /// The fraction of examples, or of their elements, that are correct; `nil` if the objective defines no `hits`.
  public var accuracy: Double?
  /// The means of the other measures, by name.
  public var measures: [String: Double]

  public init(loss: Double, accuracy: Double? = nil, measures: [String: Double] = [:]) {
    self.loss = loss
    self.accuracy = accuracy
    self.measures = measures
  }

  /// Separates the accuracy from the other measures.
  init(loss: Double, all measures: [String: Double]) {
    var others = measures
    let accuracy = others.removeValue(forKey: Objective.accuracy)
    self.init(loss: loss, accuracy: accuracy, measures: others)
  }

  /// All measures except the loss: the accuracy first, then the others, sorted by name.
  var named: [(name: String, value: Double)] {
    (accuracy.map { [(Objective.accuracy, $0)] } ?? [])
      + measures.sortedArray { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// All measures except the loss, by name.
  var all: [String: Double] { Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.value) }) }
}

/// The newest results of a run on each split of its data. An incomplete epoch at the end of a run counts as finished.
public struct RunResults: Hashable, Sendable {
  /// The results of the training examples in the last finished epoch. Each example is measured in the step that learns
  /// from it.
  public var train: SplitMetrics?
  /// The results of the validation examples after the last finished epoch, if there are any.
  public var validation: SplitMetrics?
  /// The results of the test examples after the last finished epoch or, with validation examples, at the end of the
  /// run; `nil` if they were not measured.
  public var test: SplitMetrics?

  public init(train: SplitMetrics? = nil, validation: SplitMetrics? = nil, test: SplitMetrics? = nil) {
    self.train = train
    self.validation = validation
    self.test = test
  }

  /// The results of one split.
  public subscript(split: DataSplit) -> SplitMetrics? {
    get {
      switch split {
      case .train: train
      case .validation: validation
      case .test: test
      }
    }
    set {
      switch split {
      case .train: train = newValue
      case .validation: validation = newValue
      case .test: test = newValue
      }
    }
  }

  /// The splits that have results, training first.
  public var measured: [(split: DataSplit, metrics: SplitMetrics)] {
    DataSplit.allCases.compactMap { split in self[split].map { (split, $0) } }
  }
}

// MARK: - Text

extension SplitMetrics {
  /// `top5_accuracy` becomes `top5 accuracy`.
  static func words(_ name: String) -> String { name.replacing("_", with: " ") }

  /// The measures with the split's name in front: `test accuracy`.
  func named(of split: DataSplit) -> [(name: String, value: Double)] {
    named.map { ("\(split.rawValue) \(SplitMetrics.words($0.name))", $0.value) }
  }

  /// The fields of a status line: `test loss 0.4017` and `test accuracy 0.8561`. The first measure after the loss
  /// (the accuracy, if there is one) has the lowest rank: if the line is too long, its field is left out last.
  func fields(of split: DataSplit) -> [StatusLine.Field] {
    let isTrain = split == .train
    var fields = [StatusLine.Field("\(split.rawValue) loss \(loss.text(places: 4))", rank: isTrain ? 4 : 5)]
    for (position, measure) in named(of: split).enumerated() {
      let rank = position > 0 ? 7 : isTrain ? 2 : 1
      fields.append(StatusLine.Field("\(measure.name) \(measure.value.text(places: 4))", rank: rank))
    }
    return fields
  }
}
