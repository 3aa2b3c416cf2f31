import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusTensor

/// Fusion does not change bits: a random graph evaluated as one plan equals the same graph evaluated operation by
/// operation. The reference device also checks that each plan is consistent (`Plan.problem`).
@Suite struct FusionFuzzTests {
  /// Devices that do not build kernels at run time.
  private static let fast = TestDevice.all.filter { $0.extent == .everything }

  @Test(arguments: fast, 0..<60) func fusedEqualsStepwise(device: TestDevice, seed: Int) throws {
    try withDevice(device.device) { () throws in
      for round in 0..<10 {
        var fused = RandomGraph(seed: UInt64(seed * 1000 + round), evaluatesEach: false)
        var stepwise = RandomGraph(seed: UInt64(seed * 1000 + round), evaluatesEach: true)
        try fused.grow()
        try stepwise.grow()
        try eval(fused.kept)
        try #require(fused.kept.count == stepwise.kept.count)
        for (index, (left, right)) in zip(fused.kept, stepwise.kept).enumerated() {
          let same = try left.withBytes { Array($0) } == right.withBytes { Array($0) }
          #expect(same, "value \(index) of \(fused.log)")
        }
      }
    }
  }

  /// The same test with plans that may overwrite their inputs: values without other references are donated.
  @Test(arguments: fast, 0..<20) func donationKeepsValues(device: TestDevice, seed: Int) throws {
    try withDevice(device.device) { () throws in
      var graph = RandomGraph(seed: UInt64(seed), evaluatesEach: false)
      var twin = RandomGraph(seed: UInt64(seed), evaluatesEach: true)
      for _ in 0..<4 {
        try graph.grow()
        try twin.grow()
        graph.forget()
        twin.forget()
        try eval(graph.values)
        for (left, right) in zip(graph.values, twin.values) {
          let same = try left.withBytes { Array($0) } == right.withBytes { Array($0) }
          #expect(same, "\(graph.log)")
        }
      }
    }
  }
}

/// A graph of random operations on small tensors. The shapes of the first tensors are chosen so that many pairs of
/// tensors broadcast.
private struct RandomGraph {
  /// The tensors that new operations may use.
  var values: [Tensor] = []
  /// The results that `fusedEqualsStepwise` evaluates and compares.
  var kept: [Tensor] = []
  var log: [String] = []
  let evaluatesEach: Bool
  private var state: UInt64

  init(seed: UInt64, evaluatesEach: Bool) {
    state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    self.evaluatesEach = evaluatesEach
    for shape: Shape in [[4, 6], [4, 6], [6], [4, 1], [2, 2, 6]] {
      let numbers = (0..<shape.elementCount).map { _ in Float(next(2000)) / 500 - 2 }
      values.append(Tensor(numbers, shape: shape))
    }
  }

  private mutating func next(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(bound))
  }

  private mutating func pick() -> Tensor { values[next(values.count)] }

  mutating func grow() throws {
    for _ in 0..<25 {
      let result = operation()
      if evaluatesEach { try eval(result) }
      values.append(result)
      if next(5) == 0 { kept.append(result) }
    }
    kept.append(values[values.count - 1])
  }

  /// Releases all but the last 8 values.
  mutating func forget() {
    values.removeFirst(values.count - 8)
    kept = []
    log.append("forget")
  }

  private mutating func operation() -> Tensor {
    let x = pick()
    let kind = next(14)
    log.append("\(kind)\(x.shape)")
    switch kind {
    case 0: return partner(of: x).map { x + $0 } ?? -x
    case 1: return partner(of: x).map { x * $0 } ?? x.abs()
    case 2: return partner(of: x).map { $0.maximum(x) } ?? x.sign()
    case 3: return x * Double(next(5)) - 1.5
    case 4: return (x .> 0).select(x, Tensor.number(0.25, dtype: x.dtype))
    case 5: return x.abs().sqrt()
    case 6: return x.rank > 1 ? x.transposed() : x.expandingAxis(at: 0)
    case 7: return x.rank > 1 ? x.flattened() : x.reshaped(to: [x.elementCount, 1])
    case 8: return x.rank > 0 ? x.sum(axes: [next(x.rank)], keepingAxes: next(2) == 0) : x * x
    case 9: return x.rank > 0 ? x.max(axes: [next(x.rank)]) : x - 1
    case 10: return x.rank == 2 ? x.matmul(x.transposed()) : x + 1
    case 11:
      guard x.rank > 0, x.shape[0] > 1 else { return x / 2 }
      return x.sliced(
        start: [x.shape[0] - 1] + Array(repeating: 0, count: x.rank - 1),
        step: [-1] + Array(repeating: 1, count: x.rank - 1), extent: Array(x.shape))
    case 12: return x.cast(to: next(2) == 0 ? .float16 : .int32).cast(to: .float32)
    default:
      guard x.rank > 0, x.elementCount < 200 else { return x.rounded() }
      return Tensor.concatenated([x, x * 2], axis: next(x.rank))
    }
  }

  private mutating func partner(of x: Tensor) -> Tensor? {
    for _ in 0..<8 {
      let other = pick()
      if let shape = x.shape.broadcast(with: other.shape), shape.elementCount < 400 { return other }
    }
    return nil
  }
}
