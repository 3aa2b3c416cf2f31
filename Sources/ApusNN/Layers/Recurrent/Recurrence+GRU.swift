import ApusTensor

/// Gated recurrent unit (Cho et al., 2014), in the form of cuDNN and PyTorch: the reset gate applies after the
/// recurrent product.
/// ```text
/// p = hₜ₋₁ · Wᵀ + b
/// r = σ(xᵣ + pᵣ),  z = σ(x_z + p_z),  n = tanh(xₙ + r · pₙ)
/// hₜ = (1 − z) · n + z · hₜ₋₁
/// ```
/// `hₜ₋₁ · Wᵀ` is a matrix product; elsewhere `·` multiplies elements. `x` is a time step of `projected`. `x` and `p`
/// consist of three parts each: for the reset gate `r`, the update gate `z` and the candidate `n`.
///
/// - Parameters: see `Recurrence.callAsFunction`; `h` is the state before the first time step.
/// - Returns: all states and the last state, followed by `p` at all time steps, which the gradient needs.
func gruRecurrence(
  _ projected: Tensor, _ h: Tensor, _ weight: Tensor, _ bias: Tensor, _ mask: Tensor?, isReversed: Bool
) -> [Tensor] {
  withGradient([projected, h, weight, bias]) { gradients, inputs, outputs in
    gruGradients(gradients, inputs, outputs, mask, isReversed: isReversed)
  } function: { inputs in
    let transposed = inputs[2].transposed()
    var elements = LoopElements()
    let x = elements.add(inputs[0])
    let held = elements.add(mask)
    let (carried, found) = loop(over: elements.sequences, carrying: [inputs[1]], isReversed: isReversed) {
      carried, elements in
      let p = carried[0].matmul(transposed) + inputs[3]
      let next = gruStep(x(elements)!, p, state: carried[0])
      let state = held(elements).map { $0.select(next, carried[0]) } ?? next
      return ([state], [state, p])
    }
    return [found[0], carried[0], found[1]]
  }
}

/// One time step of a GRU with `size` units. Returns the new state, `[batch, size]`. `x` is the product of the inputs
/// and their weights, `p` the product of the state and its weights. Both include a bias and have the shape
/// `[batch, 3 · size]`.
func gruStep(_ x: Tensor, _ p: Tensor, state: Tensor) -> Tensor {
  let (_, z, n) = gruGates(x, p)
  return (1 - z) * n + z * state
}

private func gruGates(_ x: Tensor, _ p: Tensor) -> (r: Tensor, z: Tensor, n: Tensor) {
  let (x, p) = (x.split(3, axis: 1), p.split(3, axis: 1))
  let r = (x[0] + p[0]).sigmoid()
  return (r, (x[1] + p[1]).sigmoid(), (x[2] + r * p[2]).tanh())
}

private func gruGradients(
  _ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor], _ mask: Tensor?, isReversed: Bool
) -> [Tensor?] {
  let weight = inputs[2]
  let previous = previousStates(outputs[0], inputs[1], isReversed: isReversed)
  var elements = LoopElements()
  let x = elements.add(inputs[0])
  let p = elements.add(outputs[2])
  let before = elements.add(previous)
  let all = elements.add(gradients[0])
  let ofP = elements.add(gradients[2])
  let held = elements.add(mask)
  let (carried, found) = loop(
    over: elements.sequences, carrying: [gradients[1] ?? inputs[1] * 0], isReversed: !isReversed
  ) { carried, elements in
    let (r, z, n) = gruGates(x(elements)!, p(elements)!)
    let (dh, past) = split(carried[0].adding(all(elements)), by: held(elements))
    let dn = (dh * (1 - z)).tanhGradient(n)
    let dz = (dh * (before(elements)! - n)).sigmoidGradient(z)
    let dr = (dn * p(elements)!.split(3, axis: 1)[2]).sigmoidGradient(r)
    let ofX = Tensor.concatenated([dr, dz, dn], axis: 1)
    let ofSums = Tensor.concatenated([dr, dz, dn * r], axis: 1).adding(ofP(elements))
    return ([(ofSums.matmul(weight) + dh * z).adding(past)], [ofX, ofSums])
  }
  return [found[0], carried[0], weightGradient(found[1], previous), found[1].sum(axes: [0, 1])]
}
