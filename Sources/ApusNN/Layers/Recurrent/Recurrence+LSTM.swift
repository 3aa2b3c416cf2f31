import ApusTensor

/// Long short-term memory (Hochreiter, Schmidhuber, 1997; forget gates: Gers et al., 2000):
/// ```text
/// (i, f, g, o) = (σ, σ, tanh, σ)(xₜ + hₜ₋₁ · Wᵀ)
/// cₜ = f · cₜ₋₁ + i · g
/// hₜ = o · tanh cₜ
/// ```
/// `xₜ` is time step `t` of `projected`, the products of the inputs and their weights plus the biases. `hₜ₋₁ · Wᵀ` is a
/// matrix product; elsewhere `·` multiplies elements. Each function applies to a quarter of the sum.
///
/// - Parameters: see `Recurrence.callAsFunction`; `h` and `c` are the states before the first time step.
/// - Returns: `h` at all time steps, the last `h` and the last `c`. Then `c` and the gates at all time steps, which the
///   gradient needs.
func lstmRecurrence(
  _ projected: Tensor, _ h: Tensor, _ c: Tensor, _ weight: Tensor, _ mask: Tensor?, isReversed: Bool
) -> [Tensor] {
  withGradient([projected, h, c, weight]) { gradients, inputs, outputs in
    lstmGradients(gradients, inputs, outputs, mask, isReversed: isReversed)
  } function: { inputs in
    let transposed = inputs[3].transposed()
    var elements = LoopElements()
    let x = elements.add(inputs[0])
    let held = elements.add(mask)
    let (carried, found) = loop(
      over: elements.sequences, carrying: [inputs[1], inputs[2]], isReversed: isReversed
    ) { carried, elements in
      let (h, c, gates) = lstmStep(x(elements)! + carried[0].matmul(transposed), cell: carried[1])
      let states = held(elements).map { [$0.select(h, carried[0]), $0.select(c, carried[1])] } ?? [h, c]
      return (states, states + [.concatenated(gates, axis: 1)])
    }
    return [found[0], carried[0], carried[1], found[1], found[2]]
  }
}

/// One time step of an LSTM.
/// - Parameters:
///   - sum: `[batch, 4 · size]`, the sums to which the functions of the gates apply.
///   - cell: `[batch, size]`, the previous `c`.
/// - Returns: the new `h` and `c`, and the gates `i`, `f`, `g` and `o`.
func lstmStep(_ sum: Tensor, cell: Tensor) -> (h: Tensor, c: Tensor, gates: [Tensor]) {
  let sums = sum.split(4, axis: 1)
  let gates = [sums[0].sigmoid(), sums[1].sigmoid(), sums[2].tanh(), sums[3].sigmoid()]
  let c = nextCell(gates, cell)
  return (gates[3] * c.tanh(), c, gates)
}

/// `cₜ = f · cₜ₋₁ + i · g`. The gates are `i`, `f`, `g` and `o`; `cell` is `cₜ₋₁`.
private func nextCell(_ gates: [Tensor], _ cell: Tensor) -> Tensor { gates[1] * cell + gates[0] * gates[2] }

private func lstmGradients(
  _ gradients: [Tensor?], _ inputs: [Tensor], _ outputs: [Tensor], _ mask: Tensor?, isReversed: Bool
) -> [Tensor?] {
  let weight = inputs[3]
  var elements = LoopElements()
  let gates = elements.add(outputs[4])
  let previousCell = elements.add(previousStates(outputs[3], inputs[2], isReversed: isReversed))
  let all = elements.add(gradients[0])
  let cells = elements.add(gradients[3])
  let ofGates = elements.add(gradients[4])
  let held = elements.add(mask)
  let (carried, found) = loop(
    over: elements.sequences, carrying: [gradients[1] ?? inputs[1] * 0, gradients[2] ?? inputs[2] * 0],
    isReversed: !isReversed
  ) { carried, elements in
    let parts = gates(elements)!.split(4, axis: 1)
    let (i, f, g, o) = (parts[0], parts[1], parts[2], parts[3])
    let before = previousCell(elements)!
    let squashed = nextCell(parts, before).tanh()
    let (dh, heldH) = split(carried[0].adding(all(elements)), by: held(elements))
    let (dc, heldC) = split(carried[1].adding(cells(elements)), by: held(elements))
    let cell = dc + (dh * o).tanhGradient(squashed)
    var inner = [cell * g, cell * before, cell * i, dh * squashed]
    if let others = ofGates(elements)?.split(4, axis: 1) { inner = zip(inner, others).map { $0 + $1 } }
    let sums = Tensor.concatenated(
      [
        inner[0].sigmoidGradient(i), inner[1].sigmoidGradient(f), inner[2].tanhGradient(g), inner[3].sigmoidGradient(o),
      ], axis: 1)
    return ([sums.matmul(weight).adding(heldH), (cell * f).adding(heldC)], [sums])
  }
  let previous = previousStates(outputs[0], inputs[1], isReversed: isReversed)
  return [found[0], carried[0], carried[1], weightGradient(found[0], previous)]
}
