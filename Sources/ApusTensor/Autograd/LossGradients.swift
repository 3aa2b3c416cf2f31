/// As `partialGradients`, but reports an error that names `operation` in two cases: an evaluation has released the
/// gradient path from the loss to one of `values`, or the loss depends on none of `values`.
///
/// - Parameter mayBeUnrelated: Whether a loss that depends on none of `values` is accepted, because the caller reports
///   it.
package func lossGradients(
  of loss: Tensor, withRespectTo values: [Tensor], for operation: String, mayBeUnrelated: Bool
) -> [Tensor?] {
  var pass = BackwardPass(loss.node, values.map(\.node))
  pass.check(loss: loss, of: values, operation, mayBeUnrelated: mayBeUnrelated)
  return pass.run(loss.gradientSeed)
}
