import ApusSystem

/// The predictions of a regression model, and their quality.
///
/// With several outputs every measure is the mean over the outputs, as in scikit-learn, unless stated otherwise.
public struct RegressionResults: Sendable {
  /// The number of outputs per example.
  public let outputCount: Int
  /// `[count, outputs]`, row-major.
  public let predicted: [Float]
  /// `[count, outputs]`, row-major.
  public let targets: [Float]

  /// The number of examples.
  public var count: Int { targets.count / outputCount }

  /// Measures predictions.
  /// - Throws: when there are no examples, or a number is not finite.
  /// - Precondition: `outputs` is positive. The numbers of predictions and of targets are equal, and a multiple of
  ///   `outputs`.
  public init(predicted: [Float], targets: [Float], outputs: Int = 1) throws(MeasureError) {
    guard outputs > 0, predicted.count == targets.count, targets.count % outputs == 0 else {
      fatalError(
        "RegressionResults: \(predicted.count) predictions for \(targets.count) targets, with \(outputs) outputs per example"
      )
    }
    guard !targets.isEmpty else { throw MeasureError(reason: "there are no examples") }
    for (values, name) in [(predicted, "prediction"), (targets, "target")] {
      guard let position = values.firstIndex(where: { !$0.isFinite }) else { continue }
      throw MeasureError(
        reason:
          "\(name) \(position % outputs) of example \(position / outputs) is \(values[position]), not a finite number")
    }
    self.predicted = predicted
    self.targets = targets
    outputCount = outputs
  }

  /// `[count, outputs]`: `target − prediction`.
  public var residuals: [Double] { zip(targets, predicted).map { Double($0) - Double($1) } }

  /// The mean of `|residual|` for each output.
  public var meanAbsoluteErrors: [Double] { perOutput { $0.map(abs).mean } }
  /// The mean of `|residual|`.
  public var meanAbsoluteError: Double { meanAbsoluteErrors.mean }

  /// The mean of `residual²` for each output.
  public var meanSquaredErrors: [Double] { perOutput(\.meanSquare) }
  /// The mean of `residual²`.
  public var meanSquaredError: Double { meanSquaredErrors.mean }

  /// `√(mean of residual²)`; with several outputs, the mean of this root over the outputs.
  public var rootMeanSquaredError: Double { meanSquaredErrors.map { $0.squareRoot() }.mean }

  /// The median of `|residual|` for each output; for an even number of examples the mean of the middle two.
  public var medianAbsoluteErrors: [Double] { perOutput { $0.map(abs).median } }
  /// The median of `|residual|`.
  public var medianAbsoluteError: Double { medianAbsoluteErrors.mean }

  /// The largest `|residual|` of all outputs.
  public var maximumError: Double { residuals.reduce(0) { max($0, abs($1)) } }

  /// The coefficient of determination for each output, `R² = 1 − Σ residual² / Σ (target − mean)²`.
  ///
  /// If all targets are equal, R² is 1 when all predictions are right and otherwise 0, as in scikit-learn. `nil` for a
  /// single example, which has no variance.
  public var r2PerOutput: [Double]? {
    guard count > 1 else { return nil }
    return zip(meanSquaredErrors, targetVariances).map(share)
  }
  /// R²; with several outputs the mean. `nil` for a single example.
  public var r2: Double? { r2PerOutput.map(\.mean) }
  /// The mean of R² over the outputs, weighted by the variances of their targets. `nil` for a single example.
  public var varianceWeightedR2: Double? {
    guard let r2PerOutput else { return nil }
    let variances = targetVariances
    // If the targets of every output are constant, all outputs have the same weight.
    guard variances.contains(where: { $0 > 0 }) else { return r2 }
    return weightedMean(r2PerOutput, variances)
  }

  /// `1 − Var(residual) / Var(target)` for each output: R² after the mean of the residuals is subtracted from them. If
  /// all targets are equal, the value is 1 when all residuals are equal and otherwise 0.
  public var explainedVariances: [Double] { zip(perOutput(variance), targetVariances).map(share) }
  /// The fraction of the targets' variance that the predictions explain.
  public var explainedVariance: Double { explainedVariances.mean }

  private var targetVariances: [Double] { columns(targets.map(Double.init)).map(variance) }

  private func share(_ error: Double, of variance: Double) -> Double {
    variance > 0 ? 1 - error / variance : error == 0 ? 1 : 0
  }

  private func perOutput(_ measure: ([Double]) -> Double) -> [Double] { columns(residuals).map(measure) }

  private func columns(_ values: [Double]) -> [[Double]] {
    (0..<outputCount).map { column in
      stride(from: column, to: values.count, by: outputCount).map { values[$0] }
    }
  }
}

/// `Σ w · x / Σ w` of values `x` with weights `w`.
func weightedMean(_ values: [Double], _ weights: [Double]) -> Double {
  zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
}

/// `Σ (x − mean)² / (n − 1)` of `n > 1` values.
func sampleVariance(_ values: [Double], mean: Double) -> Double {
  values.squaredDeviations(from: mean) / Double(values.count - 1)
}

/// `Σ (x − mean)² / n`
private func variance(_ values: [Double]) -> Double {
  values.variance(from: values.mean)
}
