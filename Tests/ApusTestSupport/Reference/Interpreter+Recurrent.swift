import ApusDevice
import Foundation

extension Interpreter {
  /// Computes a recurrent layer by its definition, one sequence and one time step after the other, in `Double`.
  func run(_ step: Recurrent) {
    var reader = RecurrentReader(step, arrays)
    for row in 0..<step.geometry.batch {
      if step.pass == .forward { reader.runForward(row) } else { reader.runBackward(row) }
    }
    for (place, number) in reader.result.enumerated() {
      arrays[step.result][place] = step.dtype.lane.holding(.float(number))
    }
  }
}

/// Reads the operands of a recurrent layer by index, and computes the results of one sequence at a time.
///
/// `row` is the index of a sequence in the batch, `place` is a time step, and `line` is `place * batch + row`. `kept`
/// are the values of a time step that the forward pass stores for the backward pass.
private struct RecurrentReader {
  private let step: Recurrent
  private let g: Recurrent.Geometry
  private let arrays: [HostArray]
  var result: [Double]

  init(_ step: Recurrent, _ arrays: [HostArray]) {
    self.step = step
    g = step.geometry
    self.arrays = arrays
    result = Array(repeating: 0, count: g.resultCount(step.pass, keeps: step.keeps))
  }

  private func numbers(_ value: Int, from start: Int, _ count: Int) -> [Double] {
    (start..<start + count).map { arrays[value][$0].double }
  }

  private func isHeld(_ place: Int, _ row: Int) -> Bool {
    step.mask.map { arrays[$0][place * g.batch + row].integer != 0 } ?? true
  }

  private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  private mutating func write(_ numbers: [Double], at start: Int) {
    for (index, number) in numbers.enumerated() { result[start + index] = number }
  }

  // MARK: - Forward

  mutating func runForward(_ row: Int) {
    var states = step.states.map { numbers($0, from: row * g.size, g.size) }
    for place in step.order {
      let line = place * g.batch + row
      var kept = Array(repeating: 0.0, count: g.kept * g.size)
      if isHeld(place, row) {
        cell(numbers(step.input!, from: line * g.gates * g.size, g.gates * g.size), &states, &kept)
      }
      if g.kind == .lstm { kept.replaceSubrange(4 * g.size..<5 * g.size, with: states[1]) }
      write(states[0], at: line * g.size)
      if step.keeps { write(kept, at: g.keptStart + line * g.kept * g.size) }
    }
    for (number, state) in states.enumerated() {
      write(state, at: g.lastStart + number * g.stateCount + row * g.size)
    }
  }

  private func cell(_ x: [Double], _ states: inout [[Double]], _ kept: inout [Double]) {
    let (h, n) = (states[0], g.size)
    var p = (0..<g.gates * n).map { column in
      (0..<n).reduce(0.0) { $0 + h[$1] * arrays[step.weight][$1 * g.gates * n + column].double }
    }
    if let bias = step.bias { p = p.indices.map { p[$0] + arrays[bias][$0].double } }
    for u in 0..<n {
      switch g.kind {
      case .tanh: states[0][u] = tanh(x[u] + p[u])
      case .relu: states[0][u] = max(x[u] + p[u], 0)
      case .lstm:
        let (i, f) = (sigmoid(x[u] + p[u]), sigmoid(x[n + u] + p[n + u]))
        let (gate, o) = (tanh(x[2 * n + u] + p[2 * n + u]), sigmoid(x[3 * n + u] + p[3 * n + u]))
        states[1][u] = f * states[1][u] + i * gate
        states[0][u] = o * tanh(states[1][u])
        for (number, value) in [i, f, gate, o].enumerated() { kept[number * n + u] = value }
      case .gru:
        let (r, z) = (sigmoid(x[u] + p[u]), sigmoid(x[n + u] + p[n + u]))
        let new = tanh(x[2 * n + u] + r * p[2 * n + u])
        states[0][u] = (1 - z) * new + z * h[u]
        for (number, value) in [r, z, new, p[2 * n + u]].enumerated() { kept[number * n + u] = value }
      }
    }
  }

  // MARK: - Backward

  mutating func runBackward(_ row: Int) {
    var carried = step.lastGradients.prefix(g.states).map { value in
      value.map { numbers($0, from: row * g.size, g.size) } ?? Array(repeating: 0, count: g.size)
    }
    let order = step.order
    for turn in order.indices.reversed() {
      let (place, line) = (order[turn], order[turn] * g.batch + row)
      if let gradient = step.gradient {
        let own = numbers(gradient, from: line * g.size, g.size)
        for u in 0..<g.size { carried[0][u] += own[u] }
      }
      guard isHeld(place, row) else { continue }
      let (inner, product) = gradients(line, turn > 0 ? order[turn - 1] * g.batch + row : nil, row, &carried)
      write(inner, at: line * g.gates * g.size)
      if g.kind == .gru { write(product, at: g.productGradientStart + line * g.gates * g.size) }
      for u in 0..<g.size {
        for (k, slope) in product.enumerated() { carried[0][u] += slope * arrays[step.weight][k * g.size + u].double }
      }
    }
    for (number, state) in carried.enumerated() {
      write(state, at: g.stateGradientStart + number * g.stateCount + row * g.size)
    }
  }

  /// The gradients of the input and of the product of state and weight. `carried` keeps the part of the state's
  /// gradient that bypasses the product.
  private func gradients(
    _ line: Int, _ previous: Int?, _ row: Int, _ carried: inout [[Double]]
  ) -> (input: [Double], product: [Double]) {
    let n = g.size
    let kept = numbers(step.forward!, from: g.keptStart + line * g.kept * n, g.kept * n)
    var inner = Array(repeating: 0.0, count: g.gates * n)
    var product = inner
    for u in 0..<n {
      let dh = carried[0][u]
      switch g.kind {
      case .tanh, .relu:
        let h = arrays[step.forward!][line * n + u].double
        inner[u] = g.kind == .tanh ? dh * (1 - h * h) : h > 0 ? dh : 0
        carried[0][u] = 0
      case .lstm:
        let (i, f, gate, o) = (kept[u], kept[n + u], kept[2 * n + u], kept[3 * n + u])
        let squashed = tanh(kept[4 * n + u])
        let old =
          previous.map { arrays[step.forward!][g.keptStart + ($0 * 5 + 4) * n + u].double }
          ?? arrays[step.states[1]][row * n + u].double
        let dc = carried[1][u] + dh * o * (1 - squashed * squashed)
        let slopes = [
          dc * gate * i * (1 - i), dc * old * f * (1 - f), dc * i * (1 - gate * gate), dh * squashed * o * (1 - o),
        ]
        for (number, slope) in slopes.enumerated() { inner[number * n + u] = slope }
        (carried[0][u], carried[1][u]) = (0, dc * f)
      case .gru:
        let (r, z, new) = (kept[u], kept[n + u], kept[2 * n + u])
        let old =
          previous.map { arrays[step.forward!][$0 * n + u].double } ?? arrays[step.states[0]][row * n + u].double
        let dn = dh * (1 - z) * (1 - new * new)
        let (dr, dz) = (dn * kept[3 * n + u] * r * (1 - r), dh * (old - new) * z * (1 - z))
        for (number, slope) in [dr, dz, dn].enumerated() { inner[number * n + u] = slope }
        for (number, slope) in [dr, dz, dn * r].enumerated() { product[number * n + u] = slope }
        carried[0][u] = dh * z
      }
    }
    return (inner, g.kind == .gru ? product : inner)
  }
}
