import ApusData
import ApusNN
import ApusTensor

/// Layer-wise pre-training by autoencoders (Bengio, Lamblin, Popovici, Larochelle, 2007; with corrupted inputs Vincent
/// et al., 2008).
///
/// The dense and convolutional layers are trained one after the other, from the first to the last but one, while
/// earlier layers stay fixed. A layer learns to reconstruct its input `h` from its output: it minimizes the squared
/// error of `ĥ = Wᵀ y + c` with `y = f(W h + b)`. `W` and `b` are the parameters of the layer. If an element-wise layer
/// follows, it is `f`; otherwise `f` is the identity.
///
/// ```swift
/// let outcomes = try LayerwisePretraining(steps: 500)(model, on: images)
/// ```
/// Afterwards the whole model is trained as usual. `c` is discarded, and targets are not used: examples need no labels.
public struct LayerwisePretraining: Sendable {
  /// The result of one layer.
  public struct Outcome: Hashable, Sendable {
    /// The index of the layer in the model.
    public var index: Int
    /// The mean squared error of the first batch.
    public var firstLoss: Double
    /// The mean squared error of the last batch.
    public var lastLoss: Double
  }

  /// The number of steps for each layer.
  public var steps: Int
  /// The number of examples in a batch.
  public var batchSize: Int
  /// The update rule of the optimizer.
  public var rule: any UpdateRule
  /// The fraction of a layer's input elements that are set to 0 while the layer is trained.
  public var corruption: Double
  /// Equal seeds give equal random numbers.
  public var seed: UInt64

  /// - Precondition: `steps` and `batchSize` are positive, `corruption` is in `0 ..< 1`.
  public init(
    steps: Int, batchSize: Int = 128, rule: any UpdateRule = Adam(learningRate: 1e-3), corruption: Double = 0,
    seed: UInt64 = 0
  ) {
    guard steps > 0, batchSize > 0, corruption >= 0, corruption < 1 else {
      fatalError(
        "LayerwisePretraining: steps \(steps), batch size \(batchSize) or corruption \(corruption) is out of range")
    }
    self.steps = steps
    self.batchSize = batchSize
    self.rule = rule
    self.corruption = corruption
    self.seed = seed
  }

  /// Trains the layers of a model.
  /// - Returns: an outcome for each dense or convolutional layer except the last, which predicts the targets.
  /// - Throws: `TrainingError.diverged` when the squared error of a layer's last batch is not finite; later layers are
  ///   then unchanged.
  public func callAsFunction(
    _ model: Sequential, on source: any ExampleSource
  ) throws(TrainingError) -> [Outcome] {
    let layerIndices = model.layers.indices.filter { model.layers[$0] is any AffineLayer }
    var outcomes: [Outcome] = []
    for index in layerIndices.dropLast() { outcomes.append(try train(index, of: model.layers, source)) }
    return outcomes
  }

  private func train(
    _ index: Int, of layers: [any Layer], _ source: any ExampleSource
  ) throws(TrainingError) -> Outcome {
    try reportingTraining {
      let below = Sequential(Array(layers[..<index]))
      let first = (0..<Int32(min(batchSize, source.count))).map { $0 }
      let input = try withMode(.inference) { try below(source.readableExamples(first).inputs) }
      let coder = Autoencoder(layers[index], activation: activation(behind: index, layers, input), like: input)
      let optimizer = Optimizer(rule, for: coder)
      let order = MinibatchOrder(count: source.count, batchSize: batchSize, seed: RunSeeds(seed).order)
      var (epoch, batches) = (0, order.epoch(0))
      let random = RandomSource(RunSeeds(seed).training)
      var losses: [Double] = []
      for step in 0..<steps {
        let position = step.quotientAndRemainder(dividingBy: order.batchesPerEpoch)
        if position.quotient != epoch { (epoch, batches) = (position.quotient, order.epoch(position.quotient)) }
        let numbers = Array(batches[position.remainder])
        let loss = try withRandomSource(random) {
          try optimizer.minimize {
            let h = try withMode(.inference) { try below(source.readableExamples(numbers).inputs) }.stopGradient()
            return meanSquaredError(coder.reconstruction(of: corrupted(h)), h)
          }
        }
        if step == 0 || step == steps - 1 { losses.append(try loss.scalar()) }
      }
      let outcome = Outcome(index: index, firstLoss: losses[0], lastLoss: losses[losses.count - 1])
      guard outcome.lastLoss.isFinite else { throw TrainingError.diverged(step: steps, loss: outcome.lastLoss) }
      return outcome
    }
  }

  /// The input with a fraction of its elements set to 0.
  private func corrupted(_ h: Tensor) -> Tensor {
    guard corruption > 0 else { return h }
    return withMode(.training) { Dropout(corruption)(h) } * (1 - corruption)
  }

  /// The next layer, if it is element-wise: it has no parameters, preserves the shape and is not a dropout.
  private func activation(behind index: Int, _ layers: [any Layer], _ input: Tensor) -> (any Layer)? {
    guard index + 1 < layers.count else { return nil }
    let next = layers[index + 1]
    guard next.members.isEmpty, !(next is any DroppingLayer) else { return nil }
    let output = layers[index](input)
    return withMode(.inference) { next(output) }.shape == output.shape ? next : nil
  }
}

/// `y = f(W h + b)`, `ĥ = Wᵀ y + c`.
private struct Autoencoder: Module {
  let layer: any Layer
  let activation: (any Layer)?
  /// `c`, of shape `[1, …]` like one input.
  let bias: Parameter

  init(_ layer: any Layer, activation: (any Layer)?, like input: Tensor) {
    self.layer = layer
    self.activation = activation
    bias = Parameter(.zeros(Shape([1] + input.shape.dropFirst()), dtype: input.dtype, device: input.device))
  }

  var members: [ModuleMember] { [.module("layer", layer), .parameter("bias", bias)] }

  func reconstruction(of h: Tensor) -> Tensor {
    let sum = layer(h)
    // The activation runs in inference mode, in which it uses no random numbers.
    let y = activation.map { layer in withMode(.inference) { layer(sum) } } ?? sum
    // A dense or convolutional layer is affine: the gradient of ⟨W h + b, y⟩ with respect to h is Wᵀ y.
    let probe = Tensor.zeros(h.shape, dtype: h.dtype, device: h.device)
    return gradients(of: (layer(probe) * y).sum(), withRespectTo: [probe])[0] + bias.value
  }
}
