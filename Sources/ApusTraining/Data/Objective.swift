import ApusNN
import ApusTensor

/// What a run minimizes and what it measures.
public struct Objective: Sendable {
  /// Something that is measured of each example, or of each part of it, and whose mean is reported.
  public struct Measure: Sendable {
    /// The key behind `train_`, `validation_` and `test_`: `accuracy`.
    public var name: String
    /// From outputs and targets to `[batch, …]`: numbers, or whether something is so.
    public var values: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor

    /// A measure from its parts.
    public init(_ name: String, _ values: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor) {
      (self.name, self.values) = (name, values)
    }
  }

  /// From outputs and targets to the loss of each example, `[batch]`.
  public var losses: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor
  /// From outputs and targets to whether each example, or each part of it, is right: `bool` of `[batch, …]`.
  public var hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)?
  /// What is measured besides losses and hits.
  public var measures: [Measure] = []
  /// What losses are multiplied by where they are reported: a model of standardized numbers learns from squares of
  /// these, and all that is said of it is in the target's own units.
  public var lossUnit = 1.0

  public init(
    losses: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor,
    hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)? = nil, measures: [Measure] = []
  ) {
    self.losses = losses
    self.hits = hits
    self.measures = measures
  }

  /// The key of the share of hits.
  static let accuracy = "accuracy"

  /// The hits, where there are some, and the other measures.
  var allMeasures: [Measure] { (hits.map { [Measure(Objective.accuracy, $0)] } ?? []) + measures }

  /// Logits and class indices: cross-entropy, and whether the largest logit is that of the class.
  public static let classification = Objective.classification()

  /// Logits `[batch, classes]` and class indices `[batch]`, or distributions `[batch, classes]` such as mixed examples
  /// have: cross-entropy. A hit is where the largest logit is that of the likeliest class.
  ///
  /// - Parameters:
  ///   - weights: what the loss of an example counts by its class. The loss of a batch is the mean over its examples, so
  ///     that weights whose mean over the examples is 1 leave its size as it is.
  ///   - smoothing: the share of a uniform distribution in the targets (Szegedy et al., 2016).
  ///   - classCount: with more than ``topClassCount`` classes whether the class is among the five largest logits is
  ///     measured, too.
  public static func classification(
    weights: [Double]? = nil, smoothing: Double = 0, classCount: Int = 0
  ) -> Objective {
    Objective(
      losses: { outputs, targets in
        let shares = weights.map { Tensor($0.map { Float($0) }, device: outputs.device) }
        return targets.rank > 1
          ? crossEntropy(outputs, probabilities: targets, reduction: .none, smoothing: smoothing, weights: shares)
          : crossEntropy(outputs, targets, reduction: .none, smoothing: smoothing, weights: shares)
      },
      hits: { outputs, targets in outputs.argmax(axis: 1) .== Objective.classes(targets) },
      measures: classCount > topClassCount ? [Measure("top5_accuracy") { Objective.isAmong(5, $0, $1) }] : [])
  }

  /// Of more classes than these the five likeliest are of interest.
  public static let topClassCount = 20

  /// The likeliest classes, int64 `[batch]`.
  private static func classes(_ targets: Tensor) -> Tensor {
    targets.rank > 1 ? targets.argmax(axis: 1) : targets.cast(to: .int64)
  }

  /// Whether fewer than `count` logits are larger than that of the class.
  private static func isAmong(_ count: Int, _ outputs: Tensor, _ targets: Tensor) -> Tensor {
    let own = outputs.takingAlong(classes(targets).reshaped(to: [-1, 1]), axis: 1)
    return (outputs .> own).cast(to: .float32).sum(axis: 1) .< Double(count)
  }

  /// Logits `[batch, time, classes]` and class indices `[batch, time]`: cross-entropy and hits at each place. The
  /// loss of an example is the mean over its places, in nats.
  public static let tokens = Objective(
    losses: { outputs, targets in
      let losses = crossEntropy(
        outputs.reshaped(to: [-1, outputs.shape[2]]), targets.reshaped(to: [-1]), reduction: .none)
      return losses.reshaped(to: targets.shape).mean(axis: 1)
    },
    hits: { $0.argmax(axis: 2) .== $1.cast(to: .int64) })

  /// Numbers: the mean squared error.
  public static let regression = Objective.regression(unit: 1)

  /// Numbers in units of `unit`: the mean squared error is minimized as it is, and reported, as the mean absolute error,
  /// of numbers `unit` times as large.
  public static func regression(unit: Double) -> Objective {
    var objective = Objective(
      losses: { outputs, targets in
        let errors = meanSquaredError(outputs, targets, reduction: .none)
        return errors.rank > 1 ? errors.mean(axes: Array(1..<errors.rank)) : errors
      },
      measures: [
        Measure("mean_absolute_error") { outputs, targets in
          (outputs - targets).abs() * .number(unit, dtype: outputs.dtype, device: outputs.device)
        }
      ])
    objective.lossUnit = unit * unit
    return objective
  }
}
