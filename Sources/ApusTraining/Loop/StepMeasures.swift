import ApusNN
import ApusTensor

/// The measurements of a training batch, from the outputs that its step computes anyway: the reported loss, if it
/// differs from the minimized loss, and the objective's measures.
struct StepMeasures {
  private let objective: Objective
  private let hasOwnLoss: Bool
  /// The names of the measures other than the loss.
  let names: [String]

  init(_ trainer: Trainer) {
    objective = trainer.testObjective
    hasOwnLoss = trainer.reportsOwnLoss
    names = objective.allMeasures.map(\.name)
  }

  /// The measured means, and the number of elements that each is a mean of.
  struct Values {
    /// The means, concatenated, float32.
    let means: Tensor
    /// For each measure, the number of elements per example.
    let partsPerExample: [Int]
  }

  /// Builds the means over a batch; `nil` if nothing is measured.
  func values(_ outputs: Tensor, _ targets: Tensor) -> Values? {
    let outputs = outputs.stopGradient()
    var measured = objective.allMeasures.map { $0.values(outputs, targets) }
    let parts = measured.map { $0.elementCount / max(targets.shape[0], 1) }
    if hasOwnLoss { measured.insert(objective.losses(outputs, targets), at: 0) }
    let means = measured.map { $0.cast(to: .float32).mean().reshaped(to: [1]) }
    guard let first = means.first else { return nil }
    return Values(means: means.count == 1 ? first : .concatenated(means), partsPerExample: parts)
  }

  /// Values that are being read back to the host.
  struct Pending {
    let reading: Reading
    let partsPerExample: [Int]
  }

  /// Adds the values that were read to the means of the epoch.
  /// - Parameter loss: the minimized loss.
  /// - Returns: the reported loss.
  func add(
    _ pending: Pending?, loss: Double, count: Int, to state: inout TrainingState
  ) throws(DeviceError) -> Double {
    guard let pending else { return loss * objective.lossUnit }
    var values = try pending.reading.array(of: Float.self).map { Double($0) }[...]
    let reported = hasOwnLoss ? values.removeFirst() : loss
    for ((name, value), parts) in zip(zip(names, values), pending.partsPerExample) {
      state.epochMeasures[name, default: RunningMean()].add(value, count: count * parts)
    }
    return reported * objective.lossUnit
  }
}
