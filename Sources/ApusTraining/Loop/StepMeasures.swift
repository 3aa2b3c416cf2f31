import ApusNN
import ApusTensor

/// The measurements of a training batch: the objective's measures, the reported loss if it differs from the minimized
/// loss, and the norm of the gradients if an observer needs it. They are computed from the outputs and gradients of the
/// training step, without another forward pass.
struct StepMeasures {
  private let objective: Objective
  private let hasOwnLoss: Bool
  /// The names of the objective's measures.
  let names: [String]

  /// The key of the gradient norm in `TrainingState.epochMeasures`.
  static let gradientNorm = "gradient_norm"

  /// - Parameter hasOwnLoss: whether the reported loss differs from the minimized loss.
  init(_ objective: Objective, hasOwnLoss: Bool) {
    self.objective = objective
    self.hasOwnLoss = hasOwnLoss
    names = objective.allMeasures.map(\.name)
  }

  /// What the measured means of a batch contain.
  struct Form {
    /// For each measure, the number of measured values per example.
    let elementsPerExample: [Int]
    /// Whether the means include the norm of the gradients.
    var hasNorm = false
  }

  /// The measured means of a batch.
  struct Values {
    /// The reported loss if it is measured, the mean of each measure, and the norm of the gradients if `form.hasNorm`,
    /// concatenated in this order, float32.
    let means: Tensor
    let form: Form

    /// `values` with the norm of the gradients appended to their means.
    static func adding(_ norm: Tensor, to values: Values?) -> Values {
      let norm = norm.cast(to: .float32).reshaped(to: [1])
      let means = values.map { Tensor.concatenated([$0.means, norm]) } ?? norm
      return Values(
        means: means, form: Form(elementsPerExample: values?.form.elementsPerExample ?? [], hasNorm: true))
    }
  }

  /// Builds the means over a batch; `nil` if nothing is measured.
  func values(_ outputs: Tensor, _ targets: Tensor) -> Values? {
    let outputs = outputs.stopGradient()
    var measured = objective.allMeasures.map { $0.values(outputs, targets) }
    let parts = measured.map { $0.elementCount / max(targets.shape[0], 1) }
    if hasOwnLoss { measured.insert(objective.losses(outputs, targets), at: 0) }
    let means = measured.map { $0.cast(to: .float32).mean().reshaped(to: [1]) }
    guard let first = means.first else { return nil }
    return Values(
      means: means.count == 1 ? first : .concatenated(means), form: Form(elementsPerExample: parts))
  }

  /// Measured means that are being read back to the host.
  struct Pending {
    let reading: Reading
    let form: Form

    init(_ reading: Reading, _ form: Form) { (self.reading, self.form) = (reading, form) }
  }

  /// Waits for the pending means of a batch and adds them to the means of the epoch.
  /// - Parameter loss: the minimized loss.
  /// - Returns: the reported loss, and the norm of the gradients if it was measured.
  func add(
    _ pending: Pending?, loss: Double, count: Int, to state: inout TrainingState
  ) throws(DeviceError) -> (loss: Double, gradientNorm: Double?) {
    guard let pending else { return (loss * objective.lossUnit, nil) }
    var values = try pending.reading.array(of: Float.self).map { Double($0) }[...]
    let norm = pending.form.hasNorm ? values.removeLast() : nil
    // Gradients of a scaled loss may overflow. The loss scaler skips the update of such a step, so the norm of its
    // gradients does not count.
    if let norm, norm.isFinite {
      state.epochMeasures[StepMeasures.gradientNorm, default: RunningMean()].add(norm, count: count)
    }
    let reported = hasOwnLoss ? values.removeFirst() : loss
    for ((name, value), parts) in zip(zip(names, values), pending.form.elementsPerExample) {
      state.epochMeasures[name, default: RunningMean()].add(value, count: count * parts)
    }
    return (reported * objective.lossUnit, norm)
  }
}
