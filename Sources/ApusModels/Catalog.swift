import ApusData
import ApusNN
import ApusSystem

/// A model with a name: `mlp`, `lenet5`, `char-lstm`, …
public struct ModelDescription: Sendable {
  /// The input and output of a model.
  public enum Kind: Hashable, Sendable {
    /// From images to classes.
    case images(ImageNetwork)
    /// From the start of a text to the next token.
    case language(TextNetwork)
    /// From texts to classes.
    case texts(TextNetwork)
  }

  /// The name of the model in commands, for example `lenet5`.
  public let name: String
  /// A description of the model for lists, in one line.
  public let summary: String
  /// What the model takes and predicts, with its network.
  public let kind: Kind
  /// The default training settings.
  public let recipe: Recipe

  public init(name: String, summary: String, kind: Kind, recipe: Recipe) {
    self.name = name
    self.summary = summary
    self.kind = kind
    self.recipe = recipe
  }

  /// The default training settings of a model.
  public struct Recipe: Hashable, Sendable {
    /// The name of the data set.
    public var data: String
    /// The name of the optimizer.
    public var optimizer: String
    public var learningRate: Double
    /// The name of the schedule of the learning rate.
    public var schedule: String
    /// The number of examples in a batch.
    public var batchSize: Int
    /// The number of passes over the data, which may be a fraction.
    public var epochs: Double
    /// The global norm to which gradients are clipped; `nil` if they are not clipped.
    public var clipNorm: Double?
    /// Other options of `apus train` by their keys: `--label-smoothing` is `label_smoothing`.
    public var options: JSONObject

    public init(
      data: String = "fashion-mnist", optimizer: String = "adam", learningRate: Double = 1e-3,
      schedule: String = ConstantSchedule.name, batchSize: Int = 128, epochs: Double = 5, clipNorm: Double? = nil,
      options: JSONObject = [:]
    ) {
      self.data = data
      self.optimizer = optimizer
      self.learningRate = learningRate
      self.schedule = schedule
      self.batchSize = batchSize
      self.epochs = epochs
      self.clipNorm = clipNorm
      self.options = options
    }
  }
}

extension ModelDescription {
  /// All models, in the order in which `apus models` lists them.
  public static let all: [ModelDescription] =
    [.mlp, .lenet5] + vision + [
      .rnn, .lstm, .gru, .charLSTM, .wordLSTM, .charTransformer, .textLSTM, .textTransformer,
    ]

  /// Finds a model by its name. For an unknown name, throws `ModelError.unknown` with all known names.
  public static func find(_ name: String) throws(ModelError) -> ModelDescription {
    if let model = all.first(where: { $0.name == name }) { return model }
    throw .unknown(name, known: all.map(\.name))
  }
}

/// Errors in the choice or use of a model.
public enum ModelError: Error, Hashable, Sendable {
  case unknown(String, known: [String])
  /// Sizes or layers that do not fit the data or each other; the string is the message.
  case misfit(String)
  /// The model's output contains NaN.
  case notFinite
  /// Training needs more memory for the parameters alone than the device has, so a smaller batch does not help. Each
  /// parameter needs `valuesEach` numbers: its value, its gradient and its optimizer state. `requested` and `available`
  /// are bytes.
  case tooLarge(parameters: Int, valuesEach: Int, requested: Int, device: String, available: Int)
}

extension ModelError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknown(let name, let known):
      // The catalog is long, so it is listed only if none of its names is similar to the unknown one.
      let end =
        nearestMatch(to: name, in: known) == nil
        ? "; choose from " + known.joined(separator: ", ") : suggestion(for: name, in: known)
      return "unknown model \(name.quoted())" + end
    case .misfit(let reason): return reason
    case .notFinite: return "the output of the model contains NaN: training diverged, or the weights are damaged"
    case .tooLarge(let parameters, let valuesEach, let requested, let device, let available):
      return "training the model needs \(requested.byteText), but device \(device) has \(available.byteText): "
        + "\(parameters.grouped) parameters with \(valuesEach) numbers each (value, gradient and optimizer state); "
        + "use smaller layers"
    }
  }
}
