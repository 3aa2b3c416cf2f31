import ApusTensor

/// `hₜ = f(xₜ + hₜ₋₁ · Wᵀ)`, where `f` is the hyperbolic tangent or ReLU (Elman, 1990), and `W` is `weight`. `xₜ` is
/// time step `t` of `projected` (the inputs times their weights, plus the biases).
///
/// - Parameters: see `Recurrence.callAsFunction`; `h` is the state before the first time step.
/// - Returns: all states and the last state.
func plainRecurrence(
  _ projected: Tensor, _ h: Tensor, _ weight: Tensor, _ mask: Tensor?, isReversed: Bool, isTanh: Bool
) -> [Tensor] {
  withGradient([projected, h, weight]) { gradients, inputs, outputs in
    let (weight, states) = (inputs[2], outputs[0])
    var elements = LoopElements()
    let state = elements.add(states)
    let all = elements.add(gradients[0])
    let held = elements.add(mask)
    let (carried, found) = loop(
      over: elements.sequences, carrying: [gradients[1] ?? inputs[1] * 0], isReversed: !isReversed
    ) { carried, elements in
      let y = state(elements)!
      let (through, past) = split(carried[0].adding(all(elements)), by: held(elements))
      let inner = isTanh ? through.tanhGradient(y) : through.reluGradient(y)
      return ([inner.matmul(weight).adding(past)], [inner])
    }
    let previous = previousStates(states, inputs[1], isReversed: isReversed)
    return [found[0], carried[0], weightGradient(found[0], previous)]
  } function: { inputs in
    let transposed = inputs[2].transposed()
    var elements = LoopElements()
    let x = elements.add(inputs[0])
    let held = elements.add(mask)
    let (carried, found) = loop(over: elements.sequences, carrying: [inputs[1]], isReversed: isReversed) {
      carried, elements in
      let next = plainStep(x(elements)! + carried[0].matmul(transposed), isTanh: isTanh)
      let state = held(elements).map { $0.select(next, carried[0]) } ?? next
      return ([state], [state])
    }
    return [found[0], carried[0]]
  }
}

/// One time step of a plain recurrent layer: `hₜ = f(sum)` for `sum = xₜ + hₜ₋₁ · Wᵀ`. Both are `[batch, size]`.
func plainStep(_ sum: Tensor, isTanh: Bool) -> Tensor { isTanh ? sum.tanh() : sum.relu() }
