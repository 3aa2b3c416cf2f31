import ApusNN
import ApusReports
import ApusTensor

/// A model's outputs for some examples and the targets of these examples, in host memory and in the order of the
/// examples.
public struct Predictions: Sendable {
  /// The targets of the examples.
  public enum Targets: Hashable, Sendable {
    /// A class for each example.
    case classes([Int32])
    /// Numbers, row-major, one for each output of each example.
    case numbers([Float])
  }

  /// The index of each example in the source. Examples that could not be read are left out.
  public var examples: [Int]
  /// The number of examples.
  public var count: Int { losses.count }
  /// The model's outputs (for classifiers logits): `[count, width]`, row-major.
  public var outputs: [Float]
  /// The number of outputs per example.
  public var width: Int
  /// The loss of each example, multiplied by `Objective.lossUnit`.
  public var losses: [Float]
  /// The targets of the examples.
  public var targets: Targets

  /// The mean of the losses.
  public var loss: Double { losses.reduce(0) { $0 + Double($1) } / Double(max(count, 1)) }

  /// The outputs as probabilities: their softmax, `[count, width]`.
  public var probabilities: [Float] { softmax(outputs, rows: width) }

  /// The metrics of a classifier, such as its accuracy.
  /// - Parameter threshold: for two classes, the smallest probability of class 1 at which class 1 is predicted. `nil`
  ///   predicts the more likely class.
  /// - Throws: `unmeasurable` when the targets are not classes of the model, or outputs are not finite.
  public func classification(threshold: Double? = nil) throws(TrainingError) -> ClassificationResults {
    guard case .classes(let labels) = targets else {
      throw .unmeasurable(reason: "the targets are numbers, not classes")
    }
    return try reportingTraining {
      try ClassificationResults(logits: outputs, classes: width, labels: labels, threshold: threshold)
    }
  }

  /// The metrics of a regression, such as R².
  /// - Throws: `unmeasurable` when the targets are classes, or a value is not finite.
  public func regression() throws(TrainingError) -> RegressionResults {
    guard case .numbers(let numbers) = targets else {
      throw .unmeasurable(reason: "the targets are classes, not numbers")
    }
    return try reportingTraining { try RegressionResults(predicted: outputs, targets: numbers, outputs: width) }
  }
}

/// Runs a model in inference mode over all examples, as `evaluate` does, and returns its outputs for each example.
///
/// All outputs are stored on the host: 4 bytes for each output of each example.
/// - Parameters:
///   - model: returns `[batch, …]`, one or more outputs for each example.
///   - source: the examples to predict.
///   - objective: computes the loss of each example from the outputs and targets.
///   - batchSize: the number of examples in a batch; limited to the number of examples.
/// - Throws: errors of the device and of the source, and `unmeasurable` when there are no examples or none could be
///   read, or when the targets of an example are neither one class nor one number per output.
public func predict(
  _ model: any Layer, on source: any ExampleSource, objective: Objective = .classification, batchSize: Int
) throws(TrainingError) -> Predictions {
  guard source.count > 0 else { throw .unmeasurable(reason: "there are no examples") }
  let size = InferenceBatches.size(batchSize, source)
  var parts: (outputs: [Float], losses: [Float], classes: [Int32], numbers: [Float]) = ([], [], [], [])
  var examples: [Int] = []
  var width = 0
  var misfit: String?
  try InferenceBatches(model: model, source: source, batchSize: batchSize).run { outputs, targets in
    if outputs.shape[0] != size || targets.elementCount != (targets.dtype.isInteger ? size : outputs.elementCount) {
      misfit = "the model returns \(outputs.shape), which does not fit the targets \(targets.shape)"
    }
    // Losses of mismatched shapes cannot be built.
    guard misfit == nil else { return [] }
    let known = targets.cast(to: targets.dtype.isInteger ? .int32 : .float32)
    return [outputs.cast(to: .float32), objective.losses(outputs, targets).cast(to: .float32), known]
  } take: { readings, positions, start in
    guard misfit == nil else { return }
    width = readings[0].shape.elementCount / size
    examples += positions.map { start + $0 }
    parts.outputs += try readings[0].array(of: Float.self).rows(positions, width: width)
    let losses = try readings[1].array(of: Float.self).rows(positions, width: 1)
    parts.losses += objective.lossUnit == 1 ? losses : losses.map { Float(Double($0) * objective.lossUnit) }
    if readings[2].dtype == .int32 {
      parts.classes += try readings[2].array(of: Int32.self).rows(positions, width: 1)
    } else {
      parts.numbers += try readings[2].array(of: Float.self).rows(positions, width: width)
    }
  }
  if let misfit { throw .unmeasurable(reason: misfit) }
  guard !examples.isEmpty else { throw .noneReadable(of: source.count) }
  return Predictions(
    examples: examples, outputs: parts.outputs, width: width, losses: parts.losses,
    targets: parts.classes.isEmpty ? .numbers(parts.numbers) : .classes(parts.classes))
}
