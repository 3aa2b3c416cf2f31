import Apus

/// The options for which examples a run learns from, and how they are weighted. Each is also a key of configurations,
/// like the options of `RunOptions`.
enum DataOptions {
  static let testShare = Option(
    "test-share", .share, help: "the fraction held out for the test, if the data have no test split (default: 0.2)")
  static let validation = Option(
    "validation", .share,
    help:
      "the fraction of the training examples held out for validation; test examples are then measured only at the end "
      + "(default: 0)")
  static let splitSeed = Option(
    "split-seed", .seed, help: "the seed of the held-out examples, which are stratified by class (default: 0)")
  static let trainCount = Option(
    "train-count", .count, help: "the number of training examples to use, stratified by class (default: all)")
  static let labelSmoothing = Option(
    "label-smoothing", .share, help: "the part of the target that is distributed evenly over all classes (default: 0)")
  static let classWeights = Option(
    "class-weights", .choice("KIND", of: ClassWeighting.allCases.map(\.rawValue)),
    help: "balanced: the loss of each class is weighted by its inverse frequency (default: none)")
  static let sampling = Option(
    "sampling", .choice("KIND", of: ClassSampling.allCases.map(\.rawValue)),
    help: "balanced: each class is sampled equally often, with repetition (default: shuffled)")

  /// All options, in the order in which they are listed and stored.
  static let declarations = [
    testShare.declaration, validation.declaration, splitSeed.declaration, trainCount.declaration,
    labelSmoothing.declaration, classWeights.declaration, sampling.declaration,
  ]
}

/// How examples are weighted by class.
enum ClassWeighting: String, CaseIterable, Sendable { case none, balanced }

/// How an epoch samples the examples.
enum ClassSampling: String, CaseIterable, Sendable { case shuffled, balanced }

/// The examples that a run learns from, and their weights.
struct DataSettings: Hashable, Sendable {
  var split: SplitOptions
  var trainCount: Int?
  var labelSmoothing: Double
  var classWeights: ClassWeighting
  var sampling: ClassSampling

  /// - Throws: when an option is given for a model of text, whose data have their own splits, or when nothing is left
  ///   to learn from.
  init(_ arguments: Arguments, for model: ModelDescription, command: String) throws(UsageError) {
    let (test, validation) = (arguments[DataOptions.testShare] ?? 0.2, arguments[DataOptions.validation] ?? 0)
    guard test + validation < 1 else {
      throw UsageError(command: command, message: "--test-share and --validation together leave nothing to learn from")
    }
    split = SplitOptions(test: test, validation: validation, seed: arguments[DataOptions.splitSeed] ?? 0)
    trainCount = arguments[DataOptions.trainCount]
    labelSmoothing = arguments[DataOptions.labelSmoothing] ?? 0
    classWeights = arguments[DataOptions.classWeights].flatMap(ClassWeighting.init) ?? .none
    sampling = arguments[DataOptions.sampling].flatMap(ClassSampling.init) ?? .shuffled
    guard case .images = model.kind else {
      let given = DataOptions.declarations.first { arguments.contains($0) }
      guard let given else { return }
      throw UsageError(command: command, message: "--\(given.name) is for images and tables, \(model.name) takes text")
    }
  }

  /// Whether a classifier minimizes another objective than it is measured by.
  var changesObjective: Bool { classWeights != .none || labelSmoothing != 0 }

  /// The objective that a classifier minimizes.
  /// - Parameter labels: the labels of the training examples.
  func objective(labels: [Int32], classCount: Int) -> Objective {
    let weights = classWeights == .balanced ? ClassBalance(labels: labels, classCount: classCount).weights : nil
    return .classification(weights: weights, smoothing: labelSmoothing, classCount: classCount)
  }
}

extension JSONObject {
  /// Adds the members for settings that differ from the defaults.
  mutating func set(_ data: DataSettings) {
    if data.split.test != 0.2 { self["test_share"] = .number(data.split.test) }
    if data.split.validation != 0 { self["validation"] = .number(data.split.validation) }
    if data.split.seed != 0 { self["split_seed"] = .integer(Int(data.split.seed)) }
    self["train_count"] = data.trainCount.map { .integer($0) }
    if data.labelSmoothing != 0 { self["label_smoothing"] = .number(data.labelSmoothing) }
    if data.classWeights != .none { self["class_weights"] = .string(data.classWeights.rawValue) }
    if data.sampling != .shuffled { self["sampling"] = .string(data.sampling.rawValue) }
  }
}
