import ApusDevice

extension Op {
  /// Inputs: the initial carried values, the sequences, and the outside values (tensors that the body captures).
  static let loop: Op = Op(
    name: "loop", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .rule(loopGradients), lower: .loop)
}

/// Runs `body` for each element of sequences, and carries values from one iteration to the next. The graph contains the
/// body once, for any length of the sequences.
///
/// ```swift
/// // x: [T, batch, size]. states: [T, batch, size], an exponential moving average of x along T.
/// let (last, states) = loop(over: [x], carrying: [h0]) { carried, elements in
///   let h = carried[0] * 0.9 + elements[0] * 0.1
///   return ([h], [h])
/// }
/// ```
/// Gradients flow to everything that the body depends on, including the tensors that it captures. The gradient is a
/// loop in the opposite direction that recomputes the body; it can be differentiated again.
///
/// In mixed precision, carried values keep their initial types.
///
/// `body` is called once, to capture its graph. It cannot read values, and random numbers that it samples are the same
/// in each iteration. Sample the numbers for all iterations outside and pass them as a sequence.
///
/// - Parameters:
///   - sequences: `[count, …]` each; the body receives their elements `[…]` along axis 0.
///   - initial: the values carried into the first iteration, of any shapes.
///   - count: the number of iterations; required if there are no sequences.
///   - isReversed: whether the body receives the last elements first. The output for element `i` of the sequences is
///     stored at index `i`.
///   - body: computes the next carried values and the outputs from the carried values and an element of each sequence.
///     The carried values keep their shapes and types.
/// - Returns: the carried values after the last iteration, and each output of all iterations, stacked to `[count, …]`.
/// - Precondition: all sequences have `count` elements, and the body returns as many carried values as it receives.
public func loop(
  over sequences: [Tensor], carrying initial: [Tensor], count: Int? = nil, isReversed: Bool = false,
  _ body: (_ carried: [Tensor], _ elements: [Tensor]) -> (carried: [Tensor], outputs: [Tensor])
) -> (carried: [Tensor], outputs: [Tensor]) {
  let turns = count ?? sequences.first?.shape.first ?? 0
  if let problem = problem(sequences, initial, count) {
    ShapeError("loop", problem).report()
    return (initial, [])
  }
  let device = initial.first?.device ?? sequences.first?.device ?? .current
  let carried = initial.map { TensorType($0.shape, $0.dtype) }
  let elements = sequences.map { TensorType($0.shape.removing(0), $0.dtype) }
  let captured = LoopBody.capture(
    carried: carried, elements: elements, count: turns, isReversed: isReversed, device: device
  ) { values, elements in
    var found = body(values, elements)
    // In mixed precision the body's operations choose their types; carried values keep theirs.
    if PrecisionScope.productType != nil { found.carried = keepingTypes(carried, found.carried) }
    guard let problem = mismatch(carried, found.carried) else { return found }
    ShapeError("loop", problem).report()
    return nil
  }
  guard let (body, invariants) = captured else { return (initial, []) }
  let attributes = LoopAttributes(body)
  if turns == 0 {
    let outputs = attributes.results.types.dropFirst(carried.count).prefix(body.outputCount)
    return (initial, outputs.map { .zeros($0.shape, dtype: $0.dtype, device: device) })
  }
  let node = Node(
    op: .loop, inputs: OpInputs(list: (initial + sequences).map(\.node) + invariants), attributes: .loop(attributes),
    type: TensorType(Shape(), .float32), device: .passUnretained(device))
  let results = (0..<carried.count + body.outputCount).map { attributes.results.tensor($0, of: node) }
  return (Array(results.prefix(carried.count)), Array(results.dropFirst(carried.count)))
}

/// The gradients of a loop, computed by a second loop, which runs through the iterations in the opposite order. The
/// second loop carries the gradients of carried values and accumulates the gradients of captured tensors.
private func loopGradients(_ c: GradientInput) -> [Tensor?] {
  let forward = c.attributes.loop.body
  let (carriedCount, outputCount) = (forward.carriedCount, forward.outputCount)
  let firstInvariant = carriedCount + forward.sequenceCount
  let inputs = (0..<c.inputCount).map(c.input)
  // Carried integers have no gradients.
  let smooth = (0..<carriedCount).filter { inputs[$0].dtype.isFloatingPoint }
  let needed = (carriedCount..<c.inputCount).filter { inputs[$0].dtype.isFloatingPoint && c.isNeeded($0) }
  let neededElements = needed.filter { $0 < firstInvariant }
  let neededInvariants = needed.filter { $0 >= firstInvariant }
  let outputs = (carriedCount..<carriedCount + outputCount).filter { c.gradients[$0] != nil }
  let histories = smooth.filter { c.gradients[carriedCount + outputCount + $0] != nil }

  func zeros(_ index: Int) -> Tensor {
    .zeros(inputs[index].shape, dtype: inputs[index].dtype, device: inputs[index].device)
  }
  let initial = smooth.map { c.gradients[$0] ?? zeros($0) } + neededInvariants.map(zeros)
  let history = (0..<carriedCount).map { c.output(carriedCount + outputCount + $0) }
  var sequences = history + inputs[carriedCount..<firstInvariant]
  sequences += outputs.map { c.gradients[$0]! }
  sequences += histories.map { c.gradients[carriedCount + outputCount + $0]! }
  let result = loop(over: sequences, carrying: initial, count: forward.count, isReversed: !forward.isReversed) {
    carried, elements in
    let values = Array(elements.prefix(firstInvariant)) + inputs[firstInvariant...].map { $0.aliased() }
    let found = forward(values)
    var loss: Tensor?
    func add(_ value: Tensor, _ gradient: Tensor) {
      let term = (value * gradient).sum()
      loss = loss.map { $0 + term.cast(to: $0.dtype) } ?? term
    }
    for (position, index) in smooth.enumerated() { add(found[index], carried[position]) }
    for (position, index) in outputs.enumerated() { add(found[index], elements[firstInvariant + position]) }
    let targets = (smooth + needed).map { values[$0] }
    guard let loss else { return (carried, neededElements.map { values[$0] * 0 }) }
    let gradients = zip(partialGradients(of: loss, withRespectTo: targets), targets).map { gradient, target in
      gradient ?? .zeros(target.shape, dtype: target.dtype, device: target.device)
    }
    var next = Array(gradients.prefix(smooth.count))
    for (position, index) in histories.enumerated() {
      let number = smooth.firstIndex(of: index)!
      next[number] = next[number] + elements[firstInvariant + outputs.count + position]
    }
    let sums = zip(carried.dropFirst(smooth.count), gradients.suffix(neededInvariants.count)).map { $0 + $1 }
    return (next + sums, Array(gradients.dropFirst(smooth.count).prefix(neededElements.count)))
  }
  var gradients: [Tensor?] = Array(repeating: nil, count: c.inputCount)
  for (index, gradient) in zip(smooth + neededInvariants, result.carried) { gradients[index] = gradient }
  for (index, gradient) in zip(neededElements, result.outputs) { gradients[index] = gradient }
  return gradients
}

/// Describes an error in the arguments of a loop, if there is one.
private func problem(_ sequences: [Tensor], _ initial: [Tensor], _ count: Int?) -> String? {
  guard let turns = count ?? sequences.first?.shape.first else {
    return sequences.isEmpty ? "a loop without sequences needs a count" : "a sequence has no axis"
  }
  guard turns >= 0 else { return "the count \(turns) is negative" }
  for sequence in sequences where sequence.shape.first != turns {
    return "a sequence \(sequence.shape) does not have \(turns) elements"
  }
  let devices = Set((sequences + initial).map(\.device.name))
  return devices.count > 1 ? "the tensors are on \(devices.sorted().joined(separator: " and "))" : nil
}

private func keepingTypes(_ types: [TensorType], _ tensors: [Tensor]) -> [Tensor] {
  tensors.enumerated().map { index, tensor in
    guard index < types.count, types[index].dtype.isFloatingPoint, tensor.dtype.isFloatingPoint else { return tensor }
    return tensor.cast(to: types[index].dtype)
  }
}

private func mismatch(_ before: [TensorType], _ after: [Tensor]) -> String? {
  guard before.count == after.count else {
    return "the body returns \(after.count) values to carry, but receives \(before.count)"
  }
  for (index, (type, tensor)) in zip(before, after).enumerated()
  where type.shape != tensor.shape || type.dtype != tensor.dtype {
    return "the body returns \(tensor.dtype) \(tensor.shape) as carried value \(index), "
      + "but receives \(type.dtype) \(type.shape)"
  }
  return nil
}
