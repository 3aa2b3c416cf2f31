import ApusTensor

/// The update rule restricted to the rows (slices along axis 0) of a parameter that have a gradient.
struct RowFormula {
  let apply: ParameterUpdate
  /// `bool` of shape `[]`: whether the update is applied; `nil` if the update is always applied.
  let isFinite: Tensor?

  /// Returns the new value and updates `state`, the rule's state tensors of the parameter.
  func callAsFunction(_ value: Tensor, _ gradient: Tensor, _ state: inout [Tensor]) -> Tensor {
    guard let list = gradient.lookedUpRows() else { return masked(value, gradient, &state) }
    let old = ([value] + state).map { list.rows(of: $0) }
    var rows = Array(old.dropFirst())
    let new = [apply(old[0], list.rows, &rows)] + rows
    let written = zip(zip([value] + state, old), new).map { whole, new in
      whole.0.writing(isFinite?.select(new, whole.1) ?? new, at: list)
    }
    state = Array(written.dropFirst())
    return written[0]
  }

  /// The update if `lookedUpRows` returns `nil`: the gradient has terms other than gradients of embedding lookups, is
  /// already evaluated, or looks up no row. The update is computed for the whole parameter, but kept only for the rows
  /// whose gradient has a nonzero element.
  private func masked(_ value: Tensor, _ gradient: Tensor, _ state: inout [Tensor]) -> Tensor {
    var isUsed = gradient .!= 0
    if value.rank > 1 { isUsed = isUsed.any(axes: Array(1..<value.rank), keepingAxes: true) }
    if let isFinite { isUsed = isUsed.logicalAnd(isFinite) }
    let old = state
    let new = apply(value, gradient, &state)
    state = zip(state, old).map { isUsed.select($0, $1) }
    return isUsed.select(new, value)
  }
}
