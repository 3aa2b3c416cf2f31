import ApusData

/// A model that can be named: `mlp`, `lenet5`, …
public struct ModelDescription: Sendable {
  public let name: String
  public let summary: String
  /// What it is made of.
  public let layers: LayerList
  /// The size of one input, `[channels, height, width]`.
  public let inputSize: [Int]
  /// What it trains with unless told otherwise.
  public let recipe: Recipe

  public init(name: String, summary: String, layers: LayerList, inputSize: [Int], recipe: Recipe) {
    self.name = name
    self.summary = summary
    self.layers = layers
    self.inputSize = inputSize
    self.recipe = recipe
  }

  /// How a model is trained by default.
  public struct Recipe: Hashable, Sendable {
    public var data = "fashion-mnist"
    public var optimizer = "adam"
    public var learningRate = 1e-3
    public var batchSize = 128
    public var epochs = 5

    public init(learningRate: Double = 1e-3) { self.learningRate = learningRate }
  }
}

extension ModelDescription {
  /// Every model, in the order in which they are listed.
  public static let all: [ModelDescription] = [.mlp, .lenet5, .rnn, .lstm, .gru]

  /// The model of a name.
  public static func find(_ name: String) throws(ModelError) -> ModelDescription {
    if let model = all.first(where: { $0.name == name }) { return model }
    throw .unknown(name, known: all.map(\.name))
  }
}

/// What can be wrong with the choice of a model.
public enum ModelError: Error, Hashable, Sendable {
  case unknown(String, known: [String])
  /// The device has less memory than training the model takes, whatever the size of the batch.
  case tooLarge(parameters: Int, valuesEach: Int, requested: Int, device: String, available: Int)
}

extension ModelError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknown(let name, let known):
      return "unknown model \"\(name)\"" + suggestion(for: name, in: known)
    case .tooLarge(let parameters, let valuesEach, let requested, let device, let available):
      return "training the model needs \(requested.byteText) of the \(available.byteText) of device \(device): "
        + "\(parameters.grouped) parameters of \(valuesEach) numbers each, with the gradient and what the optimizer "
        + "keeps; smaller layers need less"
    }
  }
}
