import Apus
import ApusSystem
import Synchronization

/// The format of the data that a model takes. Checkpoints store the format, so that other data can be prepared in the
/// same way. For each kind of data, such as images or tables, there is a type that conforms to this protocol.
///
/// A program can add a kind with `DataKinds.register(MyFormat.self)`. If `serves(_:)` returns `true` for the settings
/// of a run, the run is then trained, resumed, measured and used like other runs.
public protocol DataFormat: Sendable {
  /// The key of the format in a checkpoint's configuration.
  static var key: String { get }

  /// Whether a run with these settings trains on data of this kind.
  static func serves(_ settings: RunSettings) -> Bool

  /// Whether a model with these settings predicts numbers and so has no accuracy. Early stopping by accuracy, or a best
  /// checkpoint by accuracy, is then an error. This function is called before the folder of the run is created, so that
  /// the error leaves no folder. With the default, `false`, the trainer still finds the error, but only after the data
  /// were read.
  static func predictsNumbers(_ settings: RunSettings) throws -> Bool

  /// Reads the data of a new or resumed run.
  /// - Parameters:
  ///   - settings: the settings of the run, with the model, the data source and the fractions of the splits.
  ///   - tokenizer: for texts, the tokenizer of the initial weights or of the resumed run; `nil` to train one.
  ///   - willLoad: receives the format of the data and the number of training examples as soon as they are known, and
  ///     throws if the device has too little memory for training. This format may lack the statistics of the data,
  ///     because the memory does not depend on them.
  static func load(
    _ settings: RunSettings, tokenizer: (any Tokenizer)?,
    willLoad: (_ format: any DataFormat, _ count: Int) throws -> Void
  ) throws -> LearningTask

  /// Restores a format from the JSON of a checkpoint.
  /// - Returns: `nil` if a member is missing or inconsistent, because checkpoints are not trusted.
  init?(_ json: JSON?)

  /// The JSON from which `init(_:)` restores the format.
  var json: JSON { get }

  /// The meaning of a model's outputs.
  var outputs: ModelOutputs { get }

  /// The name of examples, in the plural: `images`.
  var examplesName: String { get }

  /// A description of the examples, which includes the size of images and tables: `images of 1x28x28`.
  var summary: String { get }

  /// The size and the element type of one input of the model.
  func input(_ settings: RunSettings) -> ModelSummary.Input

  /// The model that the settings describe, with new weights. It takes the inputs of examples in this format.
  func model(_ settings: RunSettings) throws -> any Layer

  /// Throws if the current device has too little memory to train the model. Called before any parameter of the model is
  /// computed.
  func checkMemory(_ settings: RunSettings, rule: any UpdateRule) throws

  /// Inputs and targets for planning a step with `count` examples. They have the shapes `[count, …]` and the types of
  /// real examples. `upload` makes the tensors.
  func plannedExamples(
    _ count: Int, _ settings: RunSettings, upload: PlannedExamples.Upload
  ) -> (inputs: Tensor, targets: Tensor)

  /// The requested examples of a data source, prepared in this format.
  func examples(_ request: DataRequest, _ settings: RunSettings) throws -> MeasuredData

  /// Calls `body` with the prediction for each example, in the order of the files and of the examples in each file.
  /// - Parameters:
  ///   - files: the paths of images, tables or texts, whose examples are predicted in this order.
  ///   - settings: the settings with which the model was trained.
  ///   - threshold: for two classes: predict the second class if its probability is at least this number.
  ///   - model: loads the model; called after the files were read.
  ///   - body: receives each prediction.
  func predict(
    _ files: [String], _ settings: RunSettings, threshold: Double?, model: () throws -> any Layer,
    _ body: (FilePrediction) throws -> Void
  ) throws
}

/// The meaning of a model's outputs.
public enum ModelOutputs: Hashable, Sendable {
  /// A logit for each class. The names are in the order of the logits.
  case classes([String])
  /// A number `(x − mean) / deviation`, where `x` is the predicted target in its own units.
  case number(target: String, mean: Double, deviation: Double)
  /// A logit for each token of the vocabulary, as a candidate for the next token. `perCharacter` is the number of
  /// tokens per character in the measured text, from which bits per character follow; `nil` if it is not known.
  case tokens(perCharacter: Double?)
}

extension DataFormat {
  public static func predictsNumbers(_ settings: RunSettings) throws -> Bool { false }

  /// Builds the model to count its parameters. Their values are not computed.
  public func checkMemory(_ settings: RunSettings, rule: any UpdateRule) throws {
    try ModelDescription.checkMemory(
      parameters: model(settings).parameters.reduce(0) { $0 + $1.shape.elementCount }, rule: rule)
  }

  /// The names of the classes, by index; empty if the model predicts no classes. A model may have more outputs than
  /// names.
  public var classNames: [String] { if case .classes(let names) = outputs { names } else { [] } }

  /// The name of a class, or its index if it has none.
  package func className(_ number: Int) -> String {
    let names = classNames
    return number < names.count ? names[number] : String(number)
  }

  /// Whether the model predicts classes.
  package var isClassifier: Bool { if case .classes = outputs { true } else { false } }

  /// Whether the model predicts the next token of a text.
  package var isLanguage: Bool { if case .tokens = outputs { true } else { false } }

  /// A description of a model that predicts no classes: `a language model`.
  package var modelName: String { isLanguage ? "a language model" : "a regression model" }

  /// The objective of evaluations, without class weights and label smoothing. Losses are means over examples or tokens,
  /// in nats; for numbers they are mean squared errors, in the square of the target's own units.
  package var objective: Objective {
    switch outputs {
    case .classes(let names): .classification(classCount: names.count)
    case .number(_, _, let deviation): .regression(unit: deviation)
    case .tokens: .tokens
    }
  }

  /// The configuration that a checkpoint stores: the settings of the run, and this format.
  func configuration(_ settings: RunSettings) -> JSONObject {
    ["settings": .object(settings.json), Self.key: json]
  }

  /// Whether another format prepares data in the same way.
  func isEqual(to other: any DataFormat) -> Bool { Self.key == type(of: other).key && json == other.json }
}

/// The kinds of data that runs train on.
public enum DataKinds {
  private static let registered = Mutex<[any DataFormat.Type]>([])

  /// All kinds: those that a program registered, the newest first, then the kinds of Apus.
  public static var all: [any DataFormat.Type] {
    registered.withLock { $0.reversed() } + [TableFormat.self, ImageFormat.self, TextFormat.self]
  }

  /// Adds a kind. If it serves the settings of a run, it takes precedence over the kinds of Apus and over those that
  /// were added before.
  /// - Precondition: No other kind has the same key.
  public static func register(_ kind: any DataFormat.Type) {
    guard !all.contains(where: { $0.key == kind.key }) else { fatalError("DataKinds: \(kind.key) is registered twice") }
    registered.withLock { $0.append(kind) }
  }

  /// The first kind that serves the settings; registered kinds come before those of Apus.
  /// - Throws: `ModelError.misfit` if no kind serves the settings.
  static func kind(for settings: RunSettings) throws(ModelError) -> any DataFormat.Type {
    if let kind = all.first(where: { $0.serves(settings) }) { return kind }
    throw .misfit("\(settings.model.name) does not take the data of \(settings.data)")
  }

  /// The format that a checkpoint stores; `nil` if no kind can restore it.
  static func format(in configuration: JSONObject) -> (any DataFormat)? {
    for kind in all {
      if let format = kind.init(configuration[kind.key]) { return format }
    }
    return nil
  }
}
