import ApusNN
import ApusTensor

/// What a model gave for some examples, with what it should have given, on the host and in the examples' order.
public struct Predictions: Sendable {
  /// What the examples should give.
  public enum Targets: Hashable, Sendable {
    /// A class for each example.
    case classes([Int32])
    /// Numbers, row-major, as many for each example as there are outputs.
    case numbers([Float])
  }

  /// The numbers of the examples in their source: all, without those that could not be read, where these are left out.
  public var examples: [Int]
  /// The number of examples.
  public var count: Int { losses.count }
  /// The model's outputs, of classifiers logits: `[count, width]`, row-major.
  public var outputs: [Float]
  /// The number of outputs for an example.
  public var width: Int
  /// The loss of each example, in the objective's unit.
  public var losses: [Float]
  /// What the outputs should have been.
  public var targets: Targets

  /// The mean of the losses.
  public var loss: Double { losses.reduce(0) { $0 + Double($1) } / Double(max(count, 1)) }

  /// The outputs as probabilities: their softmax, `[count, width]`.
  public var probabilities: [Float] { softmax(outputs, rows: width) }

  /// The measures of a classifier.
  /// - Parameter threshold: of two classes: the probability of class 1 from which on it is predicted; `nil` for the
  ///   larger one.
  /// - Throws: `unmeasurable` when the targets are no classes of the model, or outputs are not finite.
  public func classification(threshold: Double? = nil) throws(TrainingError) -> ClassificationResults {
    guard case .classes(let labels) = targets else {
      throw .unmeasurable(reason: "the targets are numbers, not classes")
    }
    return try ClassificationResults(logits: outputs, classes: width, labels: labels, threshold: threshold)
  }

  /// The measures of a regression.
  /// - Throws: `unmeasurable` when the targets are classes, or something is not finite.
  public func regression() throws(TrainingError) -> RegressionResults {
    guard case .numbers(let numbers) = targets else {
      throw .unmeasurable(reason: "the targets are classes, not numbers")
    }
    return try RegressionResults(predicted: outputs, targets: numbers, outputs: width)
  }
}

/// Runs a model in inference over all examples, as `evaluate` does, and keeps what it gives for each.
///
/// All outputs are kept on the host: 4 bytes for each number of each example.
/// - Parameters:
///   - objective: what the losses are of.
///   - batchSize: cut down to the number of examples.
/// - Throws: also `unmeasurable`, when there are no examples or none could be read, or targets are neither a class nor as many numbers as there
///   are outputs for each.
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
      misfit = "the model gives \(outputs.shape) for targets of \(targets.shape)"
    }
    // Losses of what does not fit cannot be built.
    guard misfit == nil else { return [] }
    let known = targets.cast(to: targets.dtype.isInteger ? .int32 : .float32)
    return [outputs.cast(to: .float32), objective.losses(outputs, targets).cast(to: .float32), known]
  } take: { readings, places, start in
    guard misfit == nil else { return }
    width = readings[0].shape.elementCount / size
    examples += places.map { start + $0 }
    parts.outputs += try readings[0].array(of: Float.self).rows(places, width: width)
    let losses = try readings[1].array(of: Float.self).rows(places, width: 1)
    parts.losses += objective.lossUnit == 1 ? losses : losses.map { Float(Double($0) * objective.lossUnit) }
    if readings[2].dtype == .int32 {
      parts.classes += try readings[2].array(of: Int32.self).rows(places, width: 1)
    } else {
      parts.numbers += try readings[2].array(of: Float.self).rows(places, width: width)
    }
  }
  if let misfit { throw .unmeasurable(reason: misfit) }
  guard !examples.isEmpty else { throw .noneReadable(of: source.count) }
  return Predictions(
    examples: examples, outputs: parts.outputs, width: width, losses: parts.losses,
    targets: parts.classes.isEmpty ? .numbers(parts.numbers) : .classes(parts.classes))
}
