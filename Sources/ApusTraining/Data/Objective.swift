import ApusNN
import ApusTensor

/// The loss that a run minimizes and the measures that it reports.
public struct Objective: Sendable {
  /// A quantity that is measured for each example, or for each element of it, and whose mean is reported.
  public struct Measure: Sendable {
    /// The name, such as `accuracy`. In the metrics, the measure is called `train_accuracy`, `validation_accuracy` or
    /// `test_accuracy`.
    public var name: String
    /// Maps outputs and targets to numbers or booleans, `[batch, …]`.
    public var values: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor

    /// A measure with a name and a function from outputs and targets to numbers or booleans, `[batch, …]`.
    public init(_ name: String, _ values: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor) {
      (self.name, self.values) = (name, values)
    }
  }

  /// Maps outputs and targets to the loss of each example, `[batch]`.
  public var losses: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor
  /// Maps outputs and targets to whether each example, or each element of it, is correct: `bool` of `[batch, …]`. `nil`
  /// if no accuracy is measured.
  public var hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)?
  /// The measures other than losses and hits.
  public var measures: [Measure] = []
  /// The factor by which reported losses are multiplied. A model of standardized targets minimizes squared errors in
  /// standardized units; the factor converts these errors to the square of the original targets' unit.
  public var lossUnit = 1.0

  /// An objective with a loss, and optionally hits and measures.
  ///
  /// - Parameters:
  ///   - losses: maps outputs and targets to the loss of each example, `[batch]`.
  ///   - hits: maps outputs and targets to whether each example, or each element of it, is correct: `bool` of
  ///     `[batch, …]`.
  ///   - measures: the measures other than losses and hits.
  public init(
    losses: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor,
    hits: (@Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor)? = nil, measures: [Measure] = []
  ) {
    self.losses = losses
    self.hits = hits
    self.measures = measures
  }

  /// The name of the measure that `hits` gives.
  static let accuracy = "accuracy"

  /// The hits, if the objective defines them, and the other measures.
  var allMeasures: [Measure] { (hits.map { [Measure(Objective.accuracy, $0)] } ?? []) + measures }

  /// Cross-entropy of logits `[batch, classes]` against class indices `[batch]`; a hit means that the logit of the
  /// class is the largest.
  public static let classification = Objective.classification()

  /// Cross-entropy of logits `[batch, classes]` against class indices `[batch]`, or against distributions
  /// `[batch, classes]` such as the distributions of mixed examples. A hit means that the most likely class has the
  /// largest logit.
  ///
  /// - Parameters:
  ///   - weights: the weight of an example's loss, by class. The loss of a batch is the mean over its examples, so
  ///     weights whose mean over the examples is 1 preserve the magnitude of the loss.
  ///   - smoothing: the weight of a uniform distribution in the targets (label smoothing: Szegedy et al., 2016).
  ///   - classCount: the number of classes. If it exceeds ``topClassCount``, top-5 accuracy is also measured.
  public static func classification(
    weights: [Double]? = nil, smoothing: Double = 0, classCount: Int = 0
  ) -> Objective {
    Objective(
      losses: { outputs, targets in
        let shares = weights.map { Tensor($0.map { Float($0) }, device: outputs.device) }
        return targets.rank > 1
          ? crossEntropy(outputs, targetProbabilities: targets, reduction: .none, smoothing: smoothing, weights: shares)
          : crossEntropy(outputs, targets, reduction: .none, smoothing: smoothing, weights: shares)
      },
      hits: { outputs, targets in outputs.argmax(axis: 1) .== Objective.classes(targets) },
      measures: classCount > topClassCount ? [Measure("top5_accuracy") { Objective.isAmong(5, $0, $1) }] : [])
  }

  /// Top-5 accuracy is measured when there are more classes than this.
  public static let topClassCount = 20

  /// The class of each example or, if the targets are distributions, the most likely class: int64 `[batch]`.
  private static func classes(_ targets: Tensor) -> Tensor {
    targets.rank > 1 ? targets.argmax(axis: 1) : targets.cast(to: .int64)
  }

  /// For each example, whether fewer than `count` logits are larger than the logit of its class.
  private static func isAmong(_ count: Int, _ outputs: Tensor, _ targets: Tensor) -> Tensor {
    let own = outputs.takingAlong(classes(targets).reshaped(to: [-1, 1]), axis: 1)
    return (outputs .> own).cast(to: .float32).sum(axis: 1) .< Double(count)
  }

  /// Cross-entropy and hits of logits `[batch, time, classes]` against class indices `[batch, time]` at each position.
  /// The loss of an example is the mean over its positions, in nats.
  public static let tokens = Objective(
    losses: { outputs, targets in
      let losses = crossEntropy(
        outputs.reshaped(to: [-1, outputs.shape[2]]), targets.reshaped(to: [-1]), reduction: .none)
      return losses.reshaped(to: targets.shape).mean(axis: 1)
    },
    hits: { $0.argmax(axis: 2) .== $1.cast(to: .int64) })

  /// Regression with the mean squared error: outputs and targets are `[batch, …]`, of equal shape.
  public static let regression = Objective.regression(unit: 1)

  /// Regression of scaled values, in which 1 stands for `unit` of the original values: outputs and targets are
  /// `[batch, …]`, of equal shape. Training minimizes the mean squared error of the scaled values. The reported loss is
  /// multiplied by `unit²` and the reported mean absolute error by `unit`; this converts them to the original units.
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
