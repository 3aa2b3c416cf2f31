import Apus

/// The training, validation and test examples of a run, with their format.
public struct LearningTask {
  /// How the examples are read. Checkpoints store it.
  public var format: any DataFormat
  /// The training examples.
  public var train: any ExampleSource
  /// The examples that are measured at the end of the run, or after each epoch if there are no validation examples.
  public var test: any ExampleSource
  /// The held-out examples that are measured after each epoch; `nil` if there are none.
  public var validation: (any ExampleSource)?
  /// The training examples without augmentation, for evaluation; `nil` if training does not augment them.
  package var plainTrain: (() -> any ExampleSource)?
  /// The class index of each training example, for classifiers of images and tables; empty for other models.
  public var labels: [Int32] = []

  /// Creates the data of a run from its examples.
  public init(
    format: any DataFormat, train: any ExampleSource, test: any ExampleSource,
    validation: (any ExampleSource)? = nil, labels: [Int32] = []
  ) {
    (self.format, self.train, self.test) = (format, train, test)
    (self.validation, self.labels) = (validation, labels)
  }

  /// Reads the data. Examples that are not read in batches during training are copied to the current device.
  /// - Parameters:
  ///   - tokenizer: for texts, the tokenizer of the initial weights or of the resumed run; `nil` to train one.
  ///   - willLoad: receives the format of the data and the number of training examples as soon as they are known.
  package init(
    _ settings: RunSettings, tokenizer: (any Tokenizer)? = nil,
    willLoad: (_ format: any DataFormat, _ count: Int) throws -> Void = { _, _ in }
  ) throws {
    self = try DataKinds.kind(for: settings).load(settings, tokenizer: tokenizer, willLoad: willLoad)
  }
}

extension LearningTask {
  /// The images that could not be read, in all splits.
  package func skipped(_ settings: RunSettings) -> SkippedImageReport {
    SkippedImageReport(of: [train, test, validation].compactMap(\.self), settings.image)
  }

  /// A description of the data: `60,000 training and 10,000 test images of 1x28x28, 10 classes`.
  package var summary: String {
    let parts = [(train.count, "training"), (validation?.count ?? 0, "validation"), (test.count, "test")]
    let counts = parts.filter { $0.0 > 0 }.map { "\($0.0.grouped) \($0.1)" }
    let classes = format.classNames.isEmpty ? "" : ", \(format.classNames.count) classes"
    return "\(counts.list("and")) \(format.summary)\(classes)"
  }

  /// The objective that training minimizes.
  package func objective(_ settings: RunSettings) -> Objective {
    guard format.isClassifier else { return format.objective }
    return settings.dataSettings.objective(labels: labels, classCount: format.classNames.count)
  }
}

/// For each name of a class, its index in `known`, the classes of the model.
/// - Throws: `DataError.unsupported` if a name is not a class of the model.
func numbers(of names: [String], _ known: [String], _ source: String) throws(DataError) -> [Int32] {
  var numbers: [Int32] = []
  for name in names {
    guard let number = known.firstIndex(of: name) else {
      throw .unsupported(
        path: source, format: "data", reason: "it has a class \(name.quoted()), which the model does not know",
        remedy: "the model's classes are \(known.joined(separator: ", "))")
    }
    numbers.append(Int32(number))
  }
  return numbers
}
