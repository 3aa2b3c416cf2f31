import ApusNN

/// Freezes parameters of a model at the start of a run, or after some epochs: the optimizer no longer changes them.
///
/// A resumed run freezes the same parameters. Freezing does not change the mode of layers, see `Module.freeze(where:)`.
public final class ParameterFreezing: TrainingObserver {
  /// Which parameters are frozen, and when.
  public struct Rule: Hashable, Sendable {
    /// The key of a parameter, such as `0.weight`, or of a module with all its parameters, such as `layer1.0`.
    public var key: String
    /// The number of epochs in which the parameters are trained; 0 if they keep their initial values.
    public var epochs: Int

    public init(_ key: String, after epochs: Int = 0) { (self.key, self.epochs) = (key, epochs) }

    /// Whether the rule applies to a parameter.
    /// - Parameter name: the parameter's key in `Module.state`.
    public func applies(to name: String) -> Bool { name == key || name.hasPrefix(key + ".") }
  }

  /// The rules. Each rule freezes its parameters once.
  public let rules: [Rule]
  private let model: any Module
  /// The indices of the rules whose parameters are frozen.
  private var applied: Set<Int> = []

  /// An observer of a run that trains `model`.
  public init(_ rules: [Rule], of model: any Module) { (self.rules, self.model) = (rules, model) }

  public func willStep(_ progress: TrainingProgress) {
    guard applied.count < rules.count else { return }
    let finishedEpochs = progress.step / progress.stepsPerEpoch
    for (index, rule) in rules.enumerated() where rule.epochs <= finishedEpochs && applied.insert(index).inserted {
      model.freeze(where: rule.applies(to:))
    }
  }
}
