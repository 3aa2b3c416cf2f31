import ApusData
import ApusFiles
import ApusNN

/// A model that can be named: `mlp`, `lenet5`, `char-lstm`, …
public struct ModelDescription: Sendable {
  /// What a model takes and gives.
  public enum Kind: Hashable, Sendable {
    /// Images to classes.
    case images(ImageNetwork)
    /// The beginning of a text to what comes next.
    case language(TextNetwork)
    /// Texts to classes.
    case texts(TextNetwork)
  }

  public let name: String
  public let summary: String
  public let kind: Kind
  /// What it trains with unless told otherwise.
  public let recipe: Recipe

  public init(name: String, summary: String, kind: Kind, recipe: Recipe) {
    self.name = name
    self.summary = summary
    self.kind = kind
    self.recipe = recipe
  }

  /// How a model is trained by default.
  public struct Recipe: Hashable, Sendable {
    /// The name of the data set.
    public var data: String
    /// The name of the optimizer.
    public var optimizer = "adam"
    public var learningRate: Double
    /// The name of the schedule of the learning rate.
    public var schedule: String
    /// The number of examples in a batch.
    public var batchSize: Int
    /// How often all examples are seen.
    public var epochs: Int
    /// The norm that gradients are scaled down to, if there is one.
    public var clipNorm: Double?

    public init(
      data: String = "fashion-mnist", learningRate: Double = 1e-3, schedule: String = ConstantSchedule.name,
      batchSize: Int = 128, epochs: Int = 5, clipNorm: Double? = nil
    ) {
      self.data = data
      self.learningRate = learningRate
      self.schedule = schedule
      self.batchSize = batchSize
      self.epochs = epochs
      self.clipNorm = clipNorm
    }
  }
}

extension ModelDescription {
  /// Every model, in the order in which they are listed.
  public static let all: [ModelDescription] =
    [.mlp, .lenet5] + vision + [
      .rnn, .lstm, .gru, .charLSTM, .wordLSTM, .charTransformer, .textLSTM, .textTransformer,
    ]

  /// The model of a name.
  public static func find(_ name: String) throws(ModelError) -> ModelDescription {
    if let model = all.first(where: { $0.name == name }) { return model }
    throw .unknown(name, known: all.map(\.name))
  }
}

/// What can be wrong with the choice of a model.
public enum ModelError: Error, Hashable, Sendable {
  case unknown(String, known: [String])
  /// Sizes that do not go together.
  case misfit(String)
  /// A model's result has NaN.
  case notFinite
  /// The device has less memory than training the model takes, whatever the size of the batch.
  case tooLarge(parameters: Int, valuesEach: Int, requested: Int, device: String, available: Int)
}

extension ModelError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknown(let name, let known):
      return "unknown model \(name.quoted())" + suggestion(for: name, in: known)
    case .misfit(let reason): return reason
    case .notFinite: return "the model gives NaN: training went wrong, or its weights are damaged"
    case .tooLarge(let parameters, let valuesEach, let requested, let device, let available):
      return "training the model needs \(requested.byteText) of the \(available.byteText) of device \(device): "
        + "\(parameters.grouped) parameters of \(valuesEach) numbers each, with the gradient and what the optimizer "
        + "keeps; smaller layers need less"
    }
  }
}
