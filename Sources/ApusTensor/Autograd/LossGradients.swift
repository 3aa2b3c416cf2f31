/// As `partialGradients`, but reports an error that names `operation` in two cases: an evaluation has released the
/// graph between the loss and one of `values`, or the loss depends on none of `values`.
///
/// If a loss with the same operations was differentiated before, the gradients are a deferred graph: see
/// `GradientForms`.
/// - Parameters:
///   - mayBeUnrelated: whether a loss that depends on none of `values` is accepted, because the caller reports it.
///   - mayDefer: whether the gradients may be a deferred graph.
package func lossGradients(
  of loss: Tensor, withRespectTo values: [Tensor], for operation: String, mayBeUnrelated: Bool, mayDefer: Bool
) -> [Tensor?] {
  var form: PlanKey?
  if mayDefer {
    switch deferringGradients(of: loss, values) {
    case .deferred(let gradients): return gradients
    case .built(let key): form = key
    }
  }
  var pass = BackwardPass(loss.node, values.map(\.node))
  pass.check(loss: loss, of: values, operation, mayBeUnrelated: mayBeUnrelated)
  let gradients = pass.run(loss.gradientSeed)
  if let form { loss.device.withEvaluator { $0.gradientForms.note(gradients.map { $0 != nil }, for: form) } }
  return gradients
}
