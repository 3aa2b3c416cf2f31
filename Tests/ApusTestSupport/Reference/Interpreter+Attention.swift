import ApusDevice
import Foundation

extension Interpreter {
  /// Computes attention by its definition, one query at a time, in `Double`.
  func run(_ step: Attention) {
    let g = step.geometry
    let reader = AttentionReader(step, self)
    var result = Array(repeating: 0.0, count: g.resultCount(step.pass))
    for batch in 0..<g.batch {
      for head in 0..<g.heads {
        for query in 0..<g.queries {
          if step.pass == .forward {
            reader.addOutput(batch, head, query, &result)
          } else {
            reader.addGradients(batch, head, query, &result)
          }
        }
      }
    }
    for (place, number) in result.enumerated() {
      arrays[step.result][place] = step.dtype.lane.holding(.float(number))
    }
  }
}

/// Reads the operands of an attention step by index, and computes the results of one query at a time.
private struct AttentionReader {
  private let step: Attention
  private let g: Attention.Geometry
  private let arrays: [HostArray]
  private let offset: Int
  private let seed: Int64
  private let counter: Int64

  init(_ step: Attention, _ interpreter: Interpreter) {
    self.step = step
    g = step.geometry
    arrays = interpreter.arrays
    offset = step.offset.map { Int(clamping: interpreter.arrays[$0][0].integer) } ?? 0
    seed = step.dropout.map { interpreter.scalars[$0.seed].integer } ?? 0
    counter = step.dropout.map { interpreter.scalars[$0.counter].integer } ?? 0
  }

  private func element(_ operand: Operand, _ place: [Int]) -> Scalar {
    let strides = operand.layout.strides
    return arrays[operand.value][zip(place, strides).reduce(operand.layout.offset) { $0 + $1.0 * $1.1 }]
  }

  private func row(_ operand: Operand, _ batch: Int, _ head: Int, _ place: Int) -> [Double] {
    (0..<operand.layout.shape[3]).map { element(operand, [batch, head, place, $0]).double }
  }

  private func group(_ head: Int) -> Int { head / (g.heads / g.groups) }

  /// The scores of a query, −∞ for masked keys.
  private func products(_ batch: Int, _ head: Int, _ query: Int) -> [Double] {
    let q = row(step.query, batch, head, query)
    return (0..<g.keys).map { key in
      let isOpen = step.mask.map { element($0, [batch, head, query, key]).integer != 0 } ?? true
      guard isOpen, !step.isCausal || key - offset <= query else { return -.infinity }
      let added = step.added.map { element($0, [batch, head, query, key]).double } ?? 0
      return step.scale * dot(q, row(step.key, batch, group(head), key)) + added
    }
  }

  /// The dropout factors of a query's weights. `line` is the query's row-major index in `[batch, heads, queries]`.
  private func factors(_ line: Int) -> [Double] {
    guard let dropout = step.dropout else { return Array(repeating: 1, count: g.keys) }
    return (0..<g.keys).map { key in
      let place = line * g.keys + key
      return randomWord(place, seed: seed, counter: counter) >> 8 < dropout.bound ? dropout.factor : 0
    }
  }

  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  /// Adds the output of a query to `result`. The log-sum-exp of the query's scores is stored in the part of `result`
  /// that follows the outputs of all queries; if all keys are masked, it is the greatest finite number.
  func addOutput(_ batch: Int, _ head: Int, _ query: Int, _ result: inout [Double]) {
    let line = (batch * g.heads + head) * g.queries + query
    let products = products(batch, head, query)
    let peak = products.max().map { $0.isFinite ? $0 : 0 } ?? 0
    let weights = products.map { exp($0 - peak) }
    let sum = weights.reduce(0, +)
    let greatest = step.dtype == .float64 ? .greatestFiniteMagnitude : Double(Float.greatestFiniteMagnitude)
    result[g.output.elementCount + line] = sum == 0 ? greatest : peak + log(sum)
    guard sum != 0 else { return }
    for (key, (weight, factor)) in zip(weights, factors(line)).enumerated() where weight * factor != 0 {
      for (index, number) in row(step.value, batch, group(head), key).enumerated() {
        result[line * g.width + index] += weight / sum * factor * number
      }
    }
  }

  /// Adds what one query contributes to the gradients of queries, keys and values. `result` contains these gradients in
  /// this order.
  func addGradients(_ batch: Int, _ head: Int, _ query: Int, _ result: inout [Double]) {
    let line = (batch * g.heads + head) * g.queries + query
    let forward = arrays[step.forward!]
    let slope = row(step.gradient!, batch, head, query)
    let through = dot(slope, (0..<g.width).map { forward[line * g.width + $0].double })
    let logarithm = forward[g.output.elementCount + line].double
    let q = row(step.query, batch, head, query)
    let factors = factors(line)
    for (key, product) in products(batch, head, query).enumerated() where product > -.infinity {
      let weight = exp(product - logarithm)
      let (k, v) = (row(step.key, batch, group(head), key), row(step.value, batch, group(head), key))
      let inner = step.scale * weight * (factors[key] * dot(slope, v) - through)
      let place = (batch * g.groups + group(head)) * g.keys + key
      let (keyStart, valueStart) = (g.query.elementCount, g.query.elementCount + g.key.elementCount)
      for index in 0..<g.size {
        result[line * g.size + index] += inner * k[index]
        result[keyStart + place * g.size + index] += inner * q[index]
      }
      for index in 0..<g.width { result[valueStart + place * g.width + index] += weight * factors[key] * slope[index] }
    }
  }
}
