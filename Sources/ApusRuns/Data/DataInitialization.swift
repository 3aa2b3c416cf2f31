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
  /// Makes the outputs of the first convolution uncorrelated (see `Whitening`), with the patches of the first 5,000
  /// training images, or of fewer if the images are large.
  case whitening

  /// The number of training steps for each layer that `autoencoder` pretrains.
  private static let steps = 300
  /// The largest number of images for `whitening`.
  private static let imageLimit = 5_000
  /// The number of pixel values after which no further images are read for `whitening`.
  private static let valueLimit = 1 << 26

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
    case .whitening:
      let images = try DataInitialization.images(of: train)
      guard let weight = try withMode(.inference, { try Whitening()(model, on: images) }) else {
        throw ModelError.misfit(
          "--initialize whitening needs a first convolution without groups, with a kernel that fits the images; "
            + "\(settings.model.name) has none")
      }
      Diagnostics.write(
        "whitening: \(weight.shape[0]) filters of \(weight.shape[2])x\(weight.shape[3]) from the patches of "
          + "\(images.shape[0].grouped) images")
    }
  }

  /// The inputs of the first training images, without augmentation.
  private static func images(of train: any ExampleSource) throws -> Tensor {
    let count = min(imageLimit, train.count)
    var (parts, valueCount) = ([Tensor](), 0)
    for start in stride(from: 0, to: count, by: 250) where valueCount < valueLimit {
      let part = try train.readableExamples((start..<min(start + 250, count)).map { Int32($0) }).inputs
      parts.append(part)
      valueCount += part.elementCount
    }
    return try eval(Tensor.concatenated(parts))
  }
}
