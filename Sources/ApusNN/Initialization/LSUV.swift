import ApusTensor

/// Layer-sequential unit-variance initialization (Mishkin, Matas, "All you need is a good init", 2016). It starts from
/// orthonormal weights and processes the layers in the order in which they run, on one batch of data. For each layer it
/// repeats `W ← W / √Var(output)` until the variance over all elements of the output differs from 1 by at most
/// `tolerance`.
///
/// ```swift
/// let outcomes = try LSUV()(model, on: images)
/// ```
///
/// `LSUV` applies to `Linear`, `Conv` and `ConvTranspose` layers with trainable weights. A weight shared by several
/// layers is scaled for its first use. Biases are not changed; in the paper they are zeros. Layers run in the current
/// mode.
public struct LSUV: Sendable {
  /// The result for one weight.
  public struct Outcome: Sendable {
    /// The weight that was scaled.
    public let weight: Parameter
    /// The variance of the layer's output after scaling.
    public let variance: Double
    /// The number of times the weight was divided.
    public let steps: Int
    /// Whether the variance differs from 1 by at most the tolerance. `false` if the layer's output is constant or not
    /// finite, or if `maximumSteps` divisions are not enough, for example because the output is mostly the bias.
    public let isReached: Bool
  }

  /// The largest allowed difference between a variance and 1.
  public var tolerance: Double
  /// The maximum number of divisions of a weight.
  public var maximumSteps: Int
  /// Whether weights are first replaced by orthonormal ones.
  public var startsOrthogonal: Bool

  /// - Precondition: `tolerance` is above 0, `maximumSteps` not negative.
  public init(tolerance: Double = 0.1, maximumSteps: Int = 10, startsOrthogonal: Bool = true) {
    guard tolerance > 0, maximumSteps >= 0 else {
      fatalError("LSUV: tolerance \(tolerance) must be above 0, and maximumSteps \(maximumSteps) must be 0 or more")
    }
    self.tolerance = tolerance
    self.maximumSteps = maximumSteps
    self.startsOrthogonal = startsOrthogonal
  }

  /// Scales the weights of a model.
  ///
  /// - Parameter batch: an input of the model, `[batch, …]`.
  /// - Returns: the result for each weight, in the order in which the layers run.
  /// - Throws: `DeviceError` when an output cannot be computed.
  public func callAsFunction(_ model: some Layer, on batch: Tensor) throws(DeviceError) -> [Outcome] {
    try callAsFunction { model(batch) }
  }

  /// Scales the weights of the layers that run in `forward`, whose result may have any shape.
  ///
  /// - Returns: the result for each weight, in the order in which the layers run.
  /// - Throws: `DeviceError` when an output cannot be computed.
  public func callAsFunction(_ forward: () -> Tensor) throws(DeviceError) -> [Outcome] {
    var weights: [Parameter] = []
    for run in LayerRecorder.recording(body: forward).runs {
      guard let layer = run.module as? any AffineLayer, layer.weight.isTrainable else { continue }
      if !weights.contains(layer.weight) { weights.append(layer.weight) }
    }
    if startsOrthogonal {
      for weight in weights { weight.value = Initializer.orthogonal()(weight.shape).cast(to: weight.dtype) }
    }
    var outcomes: [Outcome] = []
    for weight in weights { outcomes.append(try scale(weight, forward)) }
    return outcomes
  }

  /// The output of the first layer that runs with a weight.
  private func output(of weight: Parameter, _ forward: () -> Tensor) -> Tensor? {
    LayerRecorder.recording(body: forward).runs.first { ($0.module as? any AffineLayer)?.weight === weight }?.output
  }

  private func scale(_ weight: Parameter, _ forward: () -> Tensor) throws(DeviceError) -> Outcome {
    var steps = 0
    while true {
      let variance = try output(of: weight, forward)?.variance(correction: 0).scalar() ?? .nan
      let isReached = (variance - 1).magnitude <= tolerance
      guard !isReached, steps < maximumSteps, variance > 0, variance.isFinite else {
        return Outcome(weight: weight, variance: variance, steps: steps, isReached: isReached)
      }
      let factor = Tensor.number(1 / variance.squareRoot(), dtype: weight.dtype, device: weight.value.device)
      weight.value = try eval(weight.value * factor)
      steps += 1
    }
  }
}
