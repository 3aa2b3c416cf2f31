import ApusNN
import ApusTensor

/// Compares the parameters that a loss depends on with the parameters that an optimizer trains.
///
/// A parameter that is silently left untrained is hard to notice: the run only seems to learn badly.
enum ParameterCheck {
  /// - Parameters:
  ///   - loss: a loss that has not been evaluated yet.
  ///   - gradients: the gradients of the loss with respect to the optimizer's parameters.
  ///   - reads: the parameters that were read for the loss, with the layers that read them.
  /// - Throws: `untrained` if a trainable parameter of the optimizer has no gradient, `unknownParameter` if the loss
  ///   depends on a trainable parameter that the optimizer does not have.
  static func check(
    _ loss: Tensor, _ gradients: Gradients, _ reads: [(parameter: Parameter, layer: String?)], _ optimizer: Optimizer
  ) throws(TrainingError) {
    let untrained = zip(optimizer.keys, zip(optimizer.parameters, gradients.tensors))
      .filter { $0.1.0.isTrainable && $0.1.1 == nil }.map(\.0)
    guard untrained.isEmpty else { throw .untrained(keys: untrained) }
    let known = Set(optimizer.parameters)
    let strangers = reads.filter { $0.parameter.isTrainable && !known.contains($0.parameter) }
    let reached = partialGradients(of: loss, withRespectTo: strangers.map(\.parameter.value))
    guard let index = reached.firstIndex(where: { $0 != nil }) else { return }
    throw .unknownParameter(shape: Array(strangers[index].parameter.shape), layer: strangers[index].layer)
  }
}
