import ApusDevice

/// The settings of a recurrent layer that are not tensors.
package struct RecurrentOptions: Hashable, Sendable {
  package typealias Kind = Recurrent.Kind

  package var kind: Kind
  /// Whether time steps run from the end of the sequence.
  package var isReversed: Bool

  package init(_ kind: Kind, isReversed: Bool) {
    self.kind = kind
    self.isReversed = isReversed
  }
}

extension Op {
  /// Inputs: the input, the states, the transposed weight, then the optional bias and mask. Attributes: see
  /// `RecurrentParts`.
  ///
  /// A custom gradient around the operation defines its derivatives, see `FusedOperation`.
  static let recurrent = recurrent("recurrent", .forward)

  /// Inputs: the states, the weight, the result of `recurrent`, then, if present, the mask, the gradient of the states
  /// at all time steps and the gradients of the last states.
  static let recurrentGradient = recurrent("recurrentGradient", .backward)

  private static func recurrent(_ name: String, _ pass: Recurrent.Pass) -> Op {
    Op(
      name: name,
      shape: { inputs, attributes throws(ShapeError) in
        let parts = RecurrentParts(attributes.integers)
        let state = inputs[pass == .forward ? 1 : 0]
        return TensorType([parts.geometry(state.shape).resultCount(pass, keeps: parts.keeps)], state.dtype)
      },
      gradient: .definedByCaller,
      lower: .step(
        StepLowering(build: { node, operands in
          let parts = RecurrentParts(node.attributes.integers)
          let first = pass == .forward ? 1 : 0
          let geometry = parts.geometry(operands.inputs[first].layout.shape)
          var values = operands.inputs[first...].map(\.value)[...]
          let states = (0..<geometry.states).map { _ in values.removeFirst() }
          let weight = values.removeFirst()
          func next(_ isThere: Bool) -> Int? { isThere ? values.removeFirst() : nil }
          guard pass == .backward else {
            return .recurrent(
              Recurrent(
                forward: geometry, isReversed: parts.isReversed, keeps: parts.keeps, dtype: node.dtype,
                input: operands.inputs[0].value, states: states, weight: weight, bias: next(parts.hasBias),
                mask: next(parts.hasMask), result: operands.result))
          }
          let forward = values.removeFirst()
          return .recurrent(
            Recurrent(
              backward: geometry, isReversed: parts.isReversed, dtype: node.dtype, states: states, weight: weight,
              mask: next(parts.hasMask), forward: forward, gradient: next(parts.hasGradient),
              lastGradients: parts.hasLastGradients.prefix(geometry.states).map(next), result: operands.result))
        })))
  }

  /// The geometry of an operation `recurrent`.
  static func recurrentGeometry(_ attributes: Attributes, state: Shape) -> Recurrent.Geometry {
    RecurrentParts(attributes.integers).geometry(state)
  }
}

/// The attributes of `recurrent` and `recurrentGradient`, which the graph stores as integers.
private struct RecurrentParts {
  var kind: Recurrent.Kind
  var times: Int
  var isReversed: Bool
  var keeps: Bool
  var hasBias = false
  var hasMask: Bool
  var hasGradient = false
  var hasLastGradients = [false, false]

  init(_ options: RecurrentOptions, times: Int, keeps: Bool, hasMask: Bool) {
    kind = options.kind
    isReversed = options.isReversed
    self.times = times
    self.keeps = keeps
    self.hasMask = hasMask
  }

  init(_ integers: [Int]) {
    guard let kind = Recurrent.Kind(rawValue: integers[0]) else { fatalError("recurrent: no kind \(integers[0])") }
    self.kind = kind
    times = integers[1]
    isReversed = integers[2] == 1
    keeps = integers[3] == 1
    hasBias = integers[4] == 1
    hasMask = integers[5] == 1
    hasGradient = integers[6] == 1
    hasLastGradients = integers[7...].map { $0 == 1 }
  }

  var attributes: Attributes {
    let flags = [isReversed, keeps, hasBias, hasMask, hasGradient] + hasLastGradients
    return .integers([kind.rawValue, times] + flags.map { $0 ? 1 : 0 })
  }

  /// - Parameter state: `[batch, size]`.
  func geometry(_ state: Shape) -> Recurrent.Geometry {
    Recurrent.Geometry(kind: kind, times: times, batch: state[0], size: state[1])
  }
}

/// The results of a recurrent layer.
package struct RecurrentResults: Sendable {
  /// The hidden states at all time steps, `[times, batch, size]`.
  package var all: Tensor
  /// The states after the last time step, `[batch, size]` each.
  package var last: [Tensor]
  /// The whole result of the step: the states and, if `keeps` is set, the values that the gradient needs.
  package var whole: Tensor
}

extension Tensor {
  /// A recurrent layer over a sequence, computed in one step of the plan; see `Recurrent` for the computation.
  ///
  /// This function alone has no derivatives: the caller defines them. All tensors but the mask have one type, `float32`
  /// or `float64`; there is at least one time step and one sequence.
  ///
  /// - Parameters:
  ///   - input: `[times, batch, gates · size]`.
  ///   - states: the states before the first time step, `[batch, size]` each.
  ///   - weight: `[gates · size, size]`, as recurrent layers store it.
  ///   - bias: `[3 · size]`, for a GRU.
  ///   - mask: `bool`, `[times, batch]`.
  ///   - keeps: whether to keep the values that `recurrentGradients` needs.
  package static func recurrent(
    _ input: Tensor, states: [Tensor], weight: Tensor, bias: Tensor?, mask: Tensor?, keeps: Bool,
    _ options: RecurrentOptions
  ) -> RecurrentResults {
    var parts = RecurrentParts(options, times: input.shape[0], keeps: keeps, hasMask: mask != nil)
    parts.hasBias = bias != nil
    let inputs = [input] + states + [weight.transposed()] + [bias, mask].compactMap(\.self)
    let whole = Tensor(.recurrent, OpInputs(list: inputs.map(\.node)), parts.attributes)
    let geometry = parts.geometry(states[0].shape)
    let last = states.indices.map {
      whole.part(from: geometry.lastStart + $0 * geometry.stateCount, [geometry.batch, geometry.size])
    }
    return RecurrentResults(
      all: whole.part(from: 0, [geometry.times, geometry.batch, geometry.size]), last: last, whole: whole)
  }

  /// The gradients of a recurrent layer, computed in one step of the plan.
  /// - Parameters:
  ///   - whole: the `whole` result of `recurrent`, computed with `keeps`.
  ///   - all: the gradient of the states at all time steps.
  ///   - last: the gradients of the last states.
  /// - Returns: the gradients of the input, of the initial states, and of the products of hidden states and weight, one
  ///   for each time step. For all kinds but a GRU, the gradient of the products equals that of the input.
  package static func recurrentGradients(
    all: Tensor?, last: [Tensor?], states: [Tensor], weight: Tensor, mask: Tensor?, whole: Tensor, times: Int,
    _ options: RecurrentOptions
  ) -> (input: Tensor, states: [Tensor], product: Tensor) {
    var parts = RecurrentParts(options, times: times, keeps: true, hasMask: mask != nil)
    parts.hasGradient = all != nil
    for (index, gradient) in last.enumerated() { parts.hasLastGradients[index] = gradient != nil }
    let inputs = states + [weight, whole] + ([mask, all] + last).compactMap(\.self)
    let found = Tensor(.recurrentGradient, OpInputs(list: inputs.map(\.node)), parts.attributes)
    let g = parts.geometry(states[0].shape)
    let gates: Shape = [times, g.batch, g.gates * g.size]
    let input = found.part(from: 0, gates)
    let ofStates = states.indices.map {
      found.part(from: g.stateGradientStart + $0 * g.stateCount, [g.batch, g.size])
    }
    return (input, ofStates, g.kind == .gru ? found.part(from: g.productGradientStart, gates) : input)
  }

  /// Consecutive elements of a rank-1 tensor, in the given shape.
  private func part(from start: Int, _ shape: Shape) -> Tensor {
    slice(axis: 0, from: start, count: shape.elementCount).reshaped(to: shape)
  }
}
