import ApusTensor

/// Layer-sequential unit-variance initialization (Mishkin, Matas, "All you need is a good init", 2016): starting from
/// orthonormal weights, layer after layer in the order in which they run, `W ← W / √Var(output)` on a batch of data until
/// the output's variance, over all of its elements, is 1.
///
/// ```
/// let outcomes = try LSUV()(model, on: images)
/// ```
///
/// It takes in `Linear`, `Conv` and `ConvTranspose`, whose weights are trainable; a weight that several of them share is
/// scaled for its first use. Biases stay as they are: the paper's are zeros. Layers run in the mode around it.
public struct LSUV: Sendable {
  /// What became of a weight.
  public struct Outcome: Sendable {
    /// The weight that was divided.
    public let weight: Parameter
    /// The variance of the layer's output, as it is now.
    public let variance: Double
    /// How often the weight was divided.
    public let steps: Int
    /// Whether the variance is as near to 1 as asked for. It is not where a layer gives one and the same number for
    /// everything, nothing finite, or mostly its bias.
    public let isReached: Bool
  }

  /// How far from 1 a variance may be.
  public var tolerance: Double
  /// How often a weight is divided at most.
  public var maximumSteps: Int
  /// Whether weights start as orthonormal ones, and not as they are.
  public var startsOrthogonal: Bool

  /// - Precondition: `tolerance` is above 0, `maximumSteps` not negative.
  public init(tolerance: Double = 0.1, maximumSteps: Int = 10, startsOrthogonal: Bool = true) {
    guard tolerance > 0, maximumSteps >= 0 else {
      fatalError("LSUV: the tolerance \(tolerance) must be above 0, and \(maximumSteps) steps not below")
    }
    self.tolerance = tolerance
    self.maximumSteps = maximumSteps
    self.startsOrthogonal = startsOrthogonal
  }

  /// Scales the weights of a model.
  ///
  /// - Returns: what became of each weight, in the order in which they run.
  public func callAsFunction(_ model: some Layer, on batch: Tensor) throws(DeviceError) -> [Outcome] {
    try callAsFunction { model(batch) }
  }

  /// Scales the weights of the layers that run in `forward`.
  public func callAsFunction(_ forward: () -> Tensor) throws(DeviceError) -> [Outcome] {
    var weights: [Parameter] = []
    for record in OutputProbe.run(forward) where record.weight.isTrainable && !weights.contains(record.weight) {
      weights.append(record.weight)
    }
    if startsOrthogonal {
      for weight in weights { weight.value = Initializer.orthogonal()(weight.shape).cast(to: weight.dtype) }
    }
    var outcomes: [Outcome] = []
    for weight in weights { outcomes.append(try scale(weight, forward)) }
    return outcomes
  }

  private func scale(_ weight: Parameter, _ forward: () -> Tensor) throws(DeviceError) -> Outcome {
    var steps = 0
    while true {
      let record = OutputProbe.run(forward).first { $0.weight === weight }
      let variance = try record?.output.variance(correction: 0).scalar() ?? .nan
      let isReached = (variance - 1).magnitude <= tolerance
      guard !isReached, steps < maximumSteps, variance > 0, variance.isFinite else {
        return Outcome(weight: weight, variance: variance, steps: steps, isReached: isReached)
      }
      let factor = Tensor.number(1 / variance.squareRoot(), dtype: weight.dtype, device: weight.value.device)
      weight.value = try (weight.value * factor).evaluated()
      steps += 1
    }
  }
}
