import Apus

/// The number of examples in a training step.
public enum BatchSize: Hashable, Sendable {
  /// All examples.
  case full
  /// A number of examples.
  case count(Int)

  /// The number of examples; `nil` for all of them.
  public var count: Int? { if case .count(let count) = self { count } else { nil } }

  package var json: JSON { count.map { .integer($0) } ?? "full" }
}

/// How losses are weighted by class: `balanced` weights each class inversely to its number of examples.
public enum ClassWeighting: String, CaseIterable, Sendable { case none, balanced }

/// How an epoch samples the examples: `shuffled` draws each example once, `balanced` draws nearly the same number of
/// examples from each class.
public enum ClassSampling: String, CaseIterable, Sendable { case shuffled, balanced }

/// How the examples of a run are split, sampled and weighted.
public struct DataSettings: Hashable, Sendable {
  /// The fractions of examples that are held out for validation and test.
  public var split = SplitOptions(test: 0.2)
  /// The number of training examples; `nil` for all of them.
  public var trainCount: Int?
  /// Whether the last batch of an epoch is left out if it is smaller than the others.
  public var dropsLast = false
  /// The fraction of each target that is distributed evenly over all classes.
  public var labelSmoothing = 0.0
  /// How the losses of classes are weighted.
  public var classWeights = ClassWeighting.none
  /// How an epoch samples the examples.
  public var sampling = ClassSampling.shuffled

  static let `default` = DataSettings()

  /// Whether the minimized objective of a classifier differs from the measured one.
  var changesObjective: Bool { classWeights != .none || labelSmoothing != 0 }

  /// The objective that a classifier minimizes.
  /// - Parameter labels: the labels of the training examples.
  func objective(labels: [Int32], classCount: Int) -> Objective {
    let weights = classWeights == .balanced ? ClassBalance(labels: labels, classCount: classCount).weights : nil
    return .classification(weights: weights, smoothing: labelSmoothing, classCount: classCount)
  }
}

/// How images are read and transformed, and which stem (first layers) the model has.
public struct ImageSettings: Hashable, Sendable {
  /// The stem; `nil` for the stem that suits the size of the images.
  public var stem: ImageStem?
  /// The height and width to which images are resized. `nil` keeps the size of the images or, if the images differ in
  /// size, stands for the network's input size.
  public var size: Int?
  /// The number of channels; `nil` for the images' own.
  public var channels: Int?
  /// The transform of every image; `nil` for the transform that the size requires.
  public var transform: ImagePipeline?
  /// Additional transforms of images in training.
  public var augmentation = ImagePipeline()
  /// The views of a test image whose outputs are averaged, in the last test of a run, in evaluations and predictions.
  public var testTimeAugmentation = TestTimeAugmentation.none
  /// The number of threads that read images; `nil` for 2.
  public var workers: Int?
  /// Whether training replaces images that cannot be read, and evaluation leaves them out; otherwise they are errors.
  public var skipsBad = false

  /// The help on the transforms of `--transform` and `--augment`, two lines for each transform.
  package static let transforms: String = {
    let lines =
      ImagePipeline.transformTypes.map { ($0.usage, $0.summary) } + BatchMixing.usage.map { ($0.usage, $0.summary) }
    return lines.map { "  \($0)\n      \($1)" }.joined(separator: "\n")
  }()
}

/// The target of a table, and how its columns become features.
public struct TableSettings: Hashable, Sendable {
  /// The target column, and whether it has classes or numbers.
  public var task = TableTask()
  /// How the file is read.
  public var reading = TableOptions()
  /// How columns become features.
  public var encoding = TableEncoding()

  var hasNoHeader: Bool {
    get { !reading.hasHeader }
    set { reading.hasHeader = !newValue }
  }
}
