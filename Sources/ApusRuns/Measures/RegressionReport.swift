import Apus

/// The measures of a model that predicts numbers, in the target's own units, as text and as JSON.
package struct RegressionReport {
  /// The results in units of the model's outputs, in which a target `x` is `(x − mean) / deviation`.
  package let results: RegressionResults
  package let target: String
  private let mean: Double
  private let deviation: Double

  /// - Returns: `nil` for a model that does not predict numbers.
  package init?(_ predictions: Predictions, _ format: any DataFormat) throws(TrainingError) {
    guard case .number(let target, let mean, let deviation) = format.outputs else { return nil }
    results = try predictions.regression()
    (self.target, self.mean, self.deviation) = (target, mean, deviation)
  }

  /// The mean of `(prediction − target)²`, in the square of the target's units.
  package var loss: Double { results.meanSquaredError * deviation * deviation }

  /// `(prediction, target)` of each example.
  package var points: [(predicted: Double, target: Double)] {
    zip(results.predicted, results.targets).map {
      (Double($0) * deviation + mean, Double($1) * deviation + mean)
    }
  }

  private var errors: [(key: String, name: String, value: Double)] {
    [
      ("mean_absolute_error", "mean absolute error", results.meanAbsoluteError),
      ("root_mean_squared_error", "root mean squared error", results.rootMeanSquaredError),
      ("median_absolute_error", "median absolute error", results.medianAbsoluteError),
      ("maximum_error", "maximum error", results.maximumError),
    ].map { ($0.0, $0.1, $0.2 * deviation) }
  }

  /// One row for each measure.
  package var rows: [(String, String)] {
    [("target", "\(target), in its own units")] + errors.map { ($0.name, RegressionReport.text($0.value)) }
      + (results.r2.map { [("R²", $0.text(places: 4))] } ?? [])
  }

  /// The measures as members of the JSON summary.
  package var json: JSONObject {
    var object: JSONObject = ["target": .string(target)]
    for error in errors { object[error.key] = .number(error.value) }
    object["r2"] = results.r2.map { .number($0) }
    return object
  }

  /// Four decimal places for 0 and for magnitudes from 0.01 to below 10⁹; otherwise the number as Swift prints it.
  package static func text(_ value: Double) -> String {
    (1e-2..<1e9).contains(value.magnitude) || value == 0 ? value.text(places: 4) : String(value)
  }
}
