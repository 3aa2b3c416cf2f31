import Apus
import ApusSystem

/// How the initial values of the weights are computed from the data.
public enum DataInitialization: String, CaseIterable, Sendable {
  /// Layer-sequential unit variance (see `LSUV`): weights start orthonormal, and each layer's weights are scaled until
  /// its outputs for the first batch have a variance of about 1.
  case lsuv
  /// Trains each dense or convolutional layer except the last as the encoder of an autoencoder, which reconstructs the
  /// layer's inputs.
  case autoencoder

  /// The number of training steps for each layer with `autoencoder`.
  private static let steps = 300

  /// Initializes a model from the training data.
  func initialize(_ model: any Layer, _ settings: RunSettings, on train: any ExampleSource) throws {
    let size = min(settings.batchSize.count ?? train.count, train.count)
    switch self {
    case .lsuv:
      let batch = try train.readableExamples((0..<size).map { Int32($0) }).inputs
      let outcomes = try withMode(.inference) { try LSUV().callAsFunction { model(batch) } }
      for (number, outcome) in outcomes.enumerated() {
        Diagnostics.write(
          "lsuv: weight \(number + 1) of \(outcomes.count): variance \(outcome.variance.text(places: 3))"
            + (outcome.isReached ? "" : ", which is not 1"))
      }
    case .autoencoder:
      guard let chain = model as? Sequential else {
        throw ModelError.misfit("--initialize autoencoder needs a chain of layers; \(settings.model.name) is not one")
      }
      let rule = try optimizerRule("adam", learningRate: 1e-3)
      let pretraining = LayerwisePretraining(
        steps: DataInitialization.steps, batchSize: size, rule: rule, seed: settings.seed)
      let outcomes = try pretraining(chain, on: train)
      guard !outcomes.isEmpty else {
        throw ModelError.misfit(
          "--initialize autoencoder needs dense or convolutional layers before the last layer; the model has none")
      }
      for outcome in outcomes {
        Diagnostics.write(
          "autoencoder: layer \(outcome.index): squared error \(outcome.firstLoss.text(places: 4)) to "
            + outcome.lastLoss.text(places: 4))
      }
    }
  }
}
