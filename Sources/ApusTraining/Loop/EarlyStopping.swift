/// Stops a run when a measure has not improved for some epochs, or has reached a target (Prechelt, "Early stopping –
/// but when?", 1998).
///
/// ```swift
/// let stopping = EarlyStopping(.loss, patience: 5)
/// let trainer = Trainer(model, Adam(), on: train, validating: held, observers: [stopping], options)
/// print(try trainer.run().stopped ?? "all epochs were needed")
/// ```
/// The loss or accuracy is measured on the validation examples if the run has any, otherwise on the training examples.
/// The gradient norm is always measured in the training steps. The measure is checked at the end of each whole epoch. A
/// resumed run continues to count from the values of its checkpoint, and checks them before its first step.
public final class EarlyStopping: TrainingObserver {
  /// The measures that can stop a run.
  public enum Measure: String, CaseIterable, Hashable, Sendable {
    /// The mean loss; smaller values are better.
    case loss
    /// The accuracy; larger values are better.
    case accuracy
    /// The norm of all gradients of a step before clipping, averaged over the steps of an epoch. Steps whose norm is
    /// not finite do not count.
    case gradientNorm = "gradient-norm"
  }

  /// The measure that stops the run.
  public let measure: Measure
  /// The number of epochs without improvement after which the run stops; `nil` for no such limit.
  public let patience: Int?
  /// A value counts as an improvement if it is better than the best value by more than this.
  public let change: Double
  /// The value at which the run stops: a loss or norm of at most this, an accuracy of at least this; `nil` for none.
  public let target: Double?

  /// The best value so far. Improvements of `change` or less do not replace it.
  public private(set) var best: Double?
  /// The number of epochs since the best value.
  public private(set) var epochsWithoutImprovement = 0
  /// The newest value, if it was finite.
  private var last: Double?

  /// - Precondition: at least one of `patience` and `target` is given; for the gradient norm, only `target` is.
  ///   `patience` is positive, `change` is finite and not negative, and `target` is finite.
  public init(_ measure: Measure = .loss, patience: Int? = nil, change: Double = 0, target: Double? = nil) {
    if patience != nil, measure == .gradientNorm {
      fatalError("EarlyStopping: a patience is not allowed for the gradient norm; use a target")
    }
    guard patience != nil || target != nil else { fatalError("EarlyStopping: it needs a patience or a target") }
    if let patience, patience <= 0 { fatalError("EarlyStopping: the patience \(patience) is not positive") }
    guard change >= 0, change.isFinite else {
      fatalError("EarlyStopping: the change \(change) is negative or not finite")
    }
    if let target, !target.isFinite { fatalError("EarlyStopping: the target \(target) is not finite") }
    self.measure = measure
    self.patience = patience
    self.change = change
    self.target = target
  }

  /// The name under which checkpoints store `memory`. It contains the measure, so that a run that is resumed with
  /// another measure does not restore the counts of this one.
  public var name: String { "early stopping by \(measure.rawValue)" }

  public var needsGradientNorm: Bool { measure == .gradientNorm }

  /// `epochsWithoutImprovement`, then `best` and `last` if they are known.
  public var memory: [Double] {
    get {
      guard best != nil || epochsWithoutImprovement > 0 else { return [] }
      let values = [best, best == nil ? nil : last].compactMap(\.self)
      return [Double(epochsWithoutImprovement)] + values
    }
    set {
      guard newValue.count <= 3, newValue.allSatisfy(\.isFinite), let count = Int(exactly: newValue.first ?? 0),
        0...TrainingState.countLimit ~= count
      else { return }
      epochsWithoutImprovement = count
      best = newValue.count > 1 ? newValue[1] : nil
      last = newValue.count > 2 ? newValue[2] : nil
    }
  }

  public func didStart(_ progress: TrainingProgress) throws(TrainingError) -> TrainingRequest {
    try selection?.check(progress, for: "early stopping")
    return request(progress)
  }

  public func didFinishEpoch(_ progress: TrainingProgress) -> TrainingRequest {
    // If the limit of steps ends the run within an epoch, the epoch does not count here: a resumed run with more steps
    // finishes this epoch and measures it then.
    guard progress.isEpochEnd, let value = value(progress) else { return .continue }
    observe(value)
    return request(progress)
  }

  /// The corresponding measure of model selection; `nil` for the gradient norm.
  private var selection: SelectionMeasure? { SelectionMeasure(rawValue: measure.rawValue) }

  private func value(_ progress: TrainingProgress) -> Double? {
    if let selection { return selection.value(progress) }
    return progress.results.train?.measures[StepMeasures.gradientNorm]
  }

  private func observe(_ value: Double) {
    last = value.isFinite ? value : nil
    let isImproved = best.map { (selection ?? .loss).isBetter(value, than: $0, by: change) } ?? true
    if isImproved, value.isFinite {
      best = value
      epochsWithoutImprovement = 0
    } else {
      epochsWithoutImprovement += 1
    }
  }

  private func request(_ progress: TrainingProgress) -> TrainingRequest {
    let subject = "\(progress.selectionSplit == .validation ? "validation" : "training") \(measure.rawValue)"
    let what = measure == .gradientNorm ? "mean gradient norm" : subject
    if let target, let last, measure == .accuracy ? last >= target : last <= target {
      return .stop(reason: "the \(what) of \(EarlyStopping.text(last)) has reached the target \(target)")
    }
    guard let patience, epochsWithoutImprovement >= patience else { return .continue }
    let least = change > 0 ? " by more than \(change)" : ""
    let from = best.map { " from \(EarlyStopping.text($0))" } ?? ""
    return .stop(
      reason: "the \(what) has not improved\(least)\(from) for \(epochsWithoutImprovement.text(of: "epoch"))")
  }

  private static func text(_ value: Double) -> String {
    abs(value) >= 0.001 || value == 0 ? value.text(places: 4) : "\(Float(value))"
  }
}
