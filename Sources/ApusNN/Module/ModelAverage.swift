import ApusTensor

/// A moving average of the parameters of a model, often better than their last values (Polyak, Juditsky, 1992).
///
/// ```swift
/// let average = try ModelAverage(of: model, .exponential(decay: 0.999))
/// try optimizer.minimize { crossEntropy(model(images), labels) }
/// try average.update()
/// let result = try withValues(average.values) { try evaluate(model, on: testData, batchSize: 100) }
/// ```
/// Statistics, such as the running means of batch norms, are not averaged. Only one Swift task may use an average at a
/// time.
public final class ModelAverage {
  /// The formula of the average `a` of a parameter `w` after update `t`, counted from 1.
  public enum Kind: Hashable, Sendable {
    /// `a ← decay · a + (1 − decay) · w`, initialized with the parameters. With `correctsBias`, `a` is initialized with
    /// 0 and read as `a / (1 − decayᵗ)`, so that the initial values do not count (Kingma, Ba, 2015).
    case exponential(decay: Double, correctsBias: Bool = false)
    /// `a ← a + (w − a) / t`: the mean of the values at all updates (Izmailov et al., 2018).
    case mean
  }

  public let kind: Kind
  /// The number of updates so far.
  public private(set) var count = 0
  private let model: any Module
  private let state: ModelState
  private var averages: [Tensor]

  /// - Throws: when the initial averages cannot be computed.
  public init(of model: any Module, _ kind: Kind) throws(DeviceError) {
    self.kind = kind
    self.model = model
    state = model.state
    // The product copies the value. If the average shared the parameter's memory, the next update could not overwrite
    // this memory in place.
    let start: Double = if case .exponential(_, true) = kind { 0 } else { 1 }
    averages = state.entries.map { entry in
      let value = entry.value
      return entry.parameter == nil ? value : value * Tensor.number(start, dtype: value.dtype, device: value.device)
    }
    try eval(averages)
  }

  /// Adds the current values to the average.
  public func update() throws(DeviceError) {
    count += 1
    let share: Double =
      switch kind {
      case .exponential(let decay, _): 1 - decay
      case .mean: 1 / Double(count)
      }
    for (index, entry) in state.entries.enumerated() {
      guard entry.parameter != nil else { continue }
      let (average, value) = (averages[index], entry.value)
      averages[index] = average.lerp(to: value, .number(share, dtype: value.dtype, device: value.device))
    }
    try eval(averages)
  }

  /// The averages of the parameters, and the current statistics. Pass them to `withValues`, or assign them to the model
  /// with `store()`.
  public var values: ModelValues {
    var correction = 1.0
    if case .exponential(let decay, true) = kind { correction = 1 / decay.biasCorrection(max(count, 1)) }
    return model.values.mapped { index, value in
      guard state.entries[index].parameter != nil else { return value }
      guard correction != 1 else { return averages[index] }
      return averages[index] * Tensor.number(correction, dtype: value.dtype, device: value.device)
    }
  }
}
