import ApusTensor

/// When a run replaces the values of its model by their moving average, and how slowly the average follows: a form of
/// the lookahead optimizer (Zhang, Lucas, Hinton, Ba, "Lookahead optimizer: k steps forward, 1 step back", 2019) whose
/// decay grows over the run, as in airbench (Jordan, 2024).
///
/// After step `t` of `T`, if `t` is a multiple of `interval`, the average `a` and the values `w` become
/// ```text
/// d ← decay^interval · (t / T)^power
/// a ← d · a + (1 − d) · w
/// w ← a
/// ```
/// so that early steps move fast and late steps are averaged. After the last step, if it is not a multiple of
/// `interval`, `w ← a` alone.
public struct Lookahead: Hashable, Sendable {
  /// The number of steps between two updates of the average.
  public var interval: Int
  /// The base of the decay: the share of the average that is kept per step at the end of the run.
  public var decay: Double
  /// The exponent of `t / T`, the finished fraction of the run; 0 for a constant decay.
  public var power: Int

  /// - Precondition: `interval` is above 0, `decay` is in 0 … 1, and `power` is not negative.
  public init(every interval: Int = 5, decay: Double = 0.95, power: Int = 3) {
    guard interval > 0, (0...1).contains(decay), power >= 0 else {
      fatalError("Lookahead: every \(interval) steps with a decay of \(decay) and the power \(power)")
    }
    self.interval = interval
    self.decay = decay
    self.power = power
  }

  /// The decay `d` of the update after step `step`, counted from 1, in a run of `total` steps; `nil` if the average is
  /// not updated after this step.
  public func updateDecay(step: Int, of total: Int) -> Double? {
    guard step % interval == 0 else { return nil }
    return decay.raised(to: interval) * (Double(step) / Double(max(total, 1))).raised(to: power)
  }
}

/// The moving average of the values of a model, with which `Lookahead` replaces these values. It covers the parameters
/// and the floating-point statistics, such as the running means of batch norms. Only one Swift task may use it at a
/// time.
///
/// A run stores `state` in its checkpoints, because between two updates the average differs from the values of the
/// model.
public final class LookaheadAverage {
  private let entries: [ModelState.Entry]
  private var averages: [Tensor]

  /// An average that starts at the current values.
  /// - Throws: when a value cannot be computed.
  public init(of model: any Module) throws(DeviceError) {
    entries = model.state.entries.filter { $0.dtype.isFloatingPoint }
    averages = entries.map { LookaheadAverage.copy($0.value) }
    try eval(averages)
  }

  /// Updates the average, `a ← decay · a + (1 − decay) · w`, and assigns it to the model: `w ← a`. With a decay of 1,
  /// the average does not change and is only assigned.
  public func update(decay: Double) throws(DeviceError) {
    var values: [Tensor] = []
    for (index, entry) in entries.enumerated() {
      let value = entry.value
      let share = Tensor.number(1 - decay, dtype: value.dtype, device: value.device)
      averages[index] = averages[index].lerp(to: value, share)
      values.append(LookaheadAverage.copy(averages[index]))
    }
    try eval(averages + values)
    for (entry, value) in zip(entries, values) { entry.assign(value) }
  }

  /// The product copies the value. If the average and a parameter shared memory, the optimizer's next update could not
  /// overwrite the parameter in place.
  private static func copy(_ value: Tensor) -> Tensor {
    value * Tensor.number(1, dtype: value.dtype, device: value.device)
  }
}

extension LookaheadAverage {
  /// The averages under keys such as `lookahead.0.weight`, each in the shape and type of its value.
  public var state: [(key: String, value: Tensor)] {
    zip(entries, averages).map { (key: LookaheadAverage.stateKey($0), value: $1) }
  }

  /// Restores saved averages.
  /// - Parameter value: returns the tensor under a key, with the shape and type that it has in `state`.
  public func restore<E: Error>(value: (_ key: String) throws(E) -> Tensor) throws(E) {
    var restored: [Tensor] = []
    for entry in entries { restored.append(try value(LookaheadAverage.stateKey(entry))) }
    averages = restored
  }

  private static func stateKey(_ entry: ModelState.Entry) -> String { "lookahead.\(entry.key)" }
}
