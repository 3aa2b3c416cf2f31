import ApusTensor

/// A training step whose graph is built for the first batches only. If three steps with batches of the same shapes and
/// element types have the same graph, later steps with such batches run its plan, and the host builds no graph.
///
/// ```swift
/// let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
/// let step = CompiledStep(optimizer) { batch in crossEntropy(model(batch[0]), batch[1]) }
/// let loss = try withMode(.training) { try step([images, labels]) }
/// ```
/// The results have the same bits as those of `Optimizer.minimize`. Changes of the learning rate, the momentum, the
/// frozen parameters, the mode and the type of the batch take effect as with `minimize`, and random numbers are the
/// same.
///
/// The closure runs in the first steps only, so its side effects do not happen in each step. Later steps use the
/// current batch, and the current parameters and statistics of the model. All other numbers and tensors that the
/// closure reads keep the values that they had in the first steps; the numbers of a `Constraint` keep theirs until the
/// constraint of the group changes. Use `minimize` for a closure whose operations change from step to step, or that
/// reads values of tensors or prints.
///
/// A step builds its graph, as `minimize` does, in these cases:
///
/// - with loss scaling, and with update rules that look ahead (`GradientPointRule`) or whose `hasFixedFormula` is false;
/// - inside of `recordingGradients`, `withPrecision`, `checkingShapes`, `detectingAnomalies` and similar scopes;
/// - while the program holds a value of the model or of the optimizer that the plan would overwrite;
/// - if a value of the model or of the optimizer is pending (not computed yet);
/// - while a value waits for the next evaluation (`evaluateWithNext`), or the program holds a pending value from which
///   the batch is computed;
/// - if the batch is on several devices;
/// - if tensors of the model, or the model and the batch, share a value;
/// - if the closure draws random numbers that are not in the graph, or if steps draw the same numbers.
///
/// A step that builds its graph is compared with earlier steps. If twelve comparisons in a row do not make a plan
/// repeatable, only every 65th such step is compared. The plans of up to 64 kinds of steps (types of batches, modes,
/// frozen parameters) are kept.
public final class CompiledStep {
  private let step: RepeatedStep<Void>

  /// - Parameters:
  ///   - clipNorm: the maximum norm of all gradients together, as in `Optimizer.minimize`.
  ///   - loss: builds the loss, a tensor of one element, from a batch.
  public init(_ optimizer: Optimizer, clipNorm: Double? = nil, _ loss: @escaping (_ batch: [Tensor]) throws -> Tensor) {
    step = RepeatedStep(optimizer) { batch in
      ([try optimizer.minimize(clipNorm: clipNorm) { try loss(batch) }], ())
    }
  }

  /// Takes one step.
  /// - Parameter batch: the tensors that `loss` receives, of any shapes.
  /// - Returns: the loss before the step, in the shape that `loss` gives it.
  /// - Throws: as `Optimizer.minimize(clipNorm:_:)`.
  @discardableResult
  public func callAsFunction(_ batch: [Tensor]) throws -> Tensor { try step(batch).results[0] }
}
