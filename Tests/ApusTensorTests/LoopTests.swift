import Apus
import ApusTestSupport
import Testing

/// A loop gives the same results as its body unrolled in Swift, and errors name what is wrong. One test covers custom
/// gradients for several results.
@Suite struct LoopTests {
  /// A recurrence with every feature of a loop body: weights from outside, several carried values (one of them an
  /// integer), outputs that are also carried, and outputs that are not.
  struct Recurrence {
    var x, h, s, weight, bias: Tensor

    init(length: Int, device: ComputeDevice) {
      var key = RandomKey(seed: 3)
      (x, h, s, weight, bias) = withDevice(device) {
        (
          .normal([length, 2, 3], key: &key), .normal([2, 4], key: &key), .normal([2, 4], key: &key),
          .normal([7, 4], deviation: 0.4, key: &key), .normal([4], key: &key)
        )
      }
    }

    var inputs: [Tensor] { [x, h, s, weight, bias] }

    func body(_ carried: [Tensor], _ x: Tensor) -> (carried: [Tensor], outputs: [Tensor]) {
      let (h, s, count) = (carried[0], carried[1], carried[2])
      let next = (Tensor.concatenated([x, h], axis: 1).matmul(weight) + bias).tanh()
      let sum = s * 0.5 + next * count.cast(to: .float32).exp() * 0.01
      return ([next, sum, count + 1], [next, (sum * h).sum(axis: 1)])
    }

    func looped(isReversed: Bool) -> [Tensor] {
      let counter = Tensor.zeros([], dtype: .int32, device: x.device)
      let (carried, outputs) = loop(over: [x], carrying: [h, s, counter], isReversed: isReversed) {
        body($0, $1[0])
      }
      return carried + outputs
    }

    func writtenOut(isReversed: Bool) -> [Tensor] {
      var carried = [h, s, Tensor.zeros([], dtype: .int32, device: x.device)]
      let length = x.shape[0]
      var outputs: [[Tensor]] = Array(repeating: [], count: length)
      for place in isReversed ? Array((0..<length).reversed()) : Array(0..<length) {
        (carried, outputs[place]) = body(carried, x[place])
      }
      return carried + (0..<2).map { number in .stacked(outputs.map { $0[number] }) }
    }
  }

  private func expectEqual(
    _ found: [Tensor], _ expected: [Tensor], tolerance: Double, _ what: String,
    location: SourceLocation = #_sourceLocation
  ) throws {
    try eval(found + expected)
    for (index, (one, other)) in zip(found, expected).enumerated() {
      #expect(one.shape == other.shape && one.dtype == other.dtype, "\(what) \(index)", sourceLocation: location)
      let (a, b) = (try one.array(of: Double.self), try other.array(of: Double.self))
      let largest = b.reduce(1e-6) { max($0, abs($1)) }
      let error = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
      #expect(error <= tolerance, "\(what) \(index): \(error)", sourceLocation: location)
    }
  }

  @Test(arguments: TestDevice.all, [false, true])
  func equalsTheUnrolledBody(_ test: TestDevice, isReversed: Bool) throws {
    let recurrence = Recurrence(length: 5, device: test.device)
    try withDevice(test.device) { () throws in
      let (found, expected) = (
        recurrence.looped(isReversed: isReversed), recurrence.writtenOut(isReversed: isReversed)
      )
      try expectEqual(found, expected, tolerance: 1e-6, "result")
      func derivatives(_ results: [Tensor]) -> [Tensor] {
        let loss = patternLoss(results)
        let first = gradients(of: loss, withRespectTo: recurrence.inputs)
        return first + gradients(of: patternLoss(first), withRespectTo: recurrence.inputs)
      }
      try expectEqual(
        derivatives(recurrence.looped(isReversed: isReversed)),
        derivatives(recurrence.writtenOut(isReversed: isReversed)), tolerance: 2e-5, "derivative")
    }
  }

  /// A loop without input sequences. Its body returns one of the carried values at another position.
  @Test(arguments: TestDevice.all) func fibonacci(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let zero = Tensor([0] as [Int32])
      let (last, all) = loop(over: [], carrying: [zero, zero + 1], count: 10) { carried, _ in
        ([carried[1], carried[0] + carried[1]], [carried[0]])
      }
      #expect(try last.map { try $0.array(of: Double.self) } == [[55], [89]])
      #expect(try all[0].array(of: Double.self) == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34])
      #expect(all[0].shape == [10, 1])
    }
  }

  @Test(arguments: TestDevice.all) func loopsInLoops(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor((0..<24).map { Float($0) / 10 }, shape: [4, 3, 2])
      let w = Tensor([0.5, -0.25] as [Float])
      func nested() -> [Tensor] {
        let (last, all) = loop(over: [x], carrying: [Tensor.ones([2])]) { outer, elements in
          let (state, states) = loop(over: [elements[0]], carrying: [outer[0]], isReversed: true) { inner, element in
            let next = (inner[0] * w + element[0]).sin()
            return ([next], [next])
          }
          return ([state[0]], [states[0].sum(axis: 0), outer[0]])
        }
        return last + all
      }
      func plain() -> [Tensor] {
        var state = Tensor.ones([2])
        var (sums, starts) = ([Tensor](), [Tensor]())
        for i in 0..<4 {
          var sum = Tensor.zeros([2])
          starts.append(state)
          for j in (0..<3).reversed() {
            state = (state * w + x[i][j]).sin()
            sum = sum + state
          }
          sums.append(sum)
        }
        return [state, .stacked(sums), .stacked(starts)]
      }
      try expectEqual(nested(), plain(), tolerance: 1e-6, "result")
      let (found, expected) = (
        gradients(of: patternLoss(nested()), withRespectTo: [x, w]),
        gradients(of: patternLoss(plain()), withRespectTo: [x, w])
      )
      try expectEqual(found, expected, tolerance: 1e-5, "gradient")
    }
  }

  /// The graph and its plan contain the body once, for any length of the loop.
  @Test func lengthChangesNeitherGraphNorPlan() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    var counts: [Int] = []
    for length in [10, 100] {
      let recurrence = Recurrence(length: length, device: device)
      try withDevice(device) { () throws in
        try eval(recurrence.inputs)
        let loss = patternLoss(recurrence.looped(isReversed: false))
        let found = gradients(of: loss, withRespectTo: recurrence.inputs)
        #expect(pendingOperations(of: found).count < 200)
        counts.append(pendingOperations(of: found).count)
        try eval(found)
        counts.append(device.lastPlanStepCount)
      }
    }
    #expect(counts[0] == counts[2] && counts[1] == counts[3], "\(counts)")
  }

  /// Evaluating one result also computes the other results that are still referenced; equal loops share a plan.
  @Test func resultsAreComputedTogether() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    let recurrence = Recurrence(length: 4, device: device)
    try withDevice(device) { () throws in
      try eval(recurrence.inputs)
      let before = device.preparedPlanCount
      for _ in 0..<3 {
        let results = recurrence.looped(isReversed: false)
        try eval(results[0])
        #expect(results.filter { !$0.isEvaluated }.isEmpty)
      }
      #expect(device.preparedPlanCount == before + 1)
      let one = recurrence.looped(isReversed: false)[3]
      try eval(one)
      #expect(device.preparedPlanCount == before + 2)
    }
  }

  @Test func noIterations() throws {
    let x = Tensor.zeros([0, 2])
    let h = Tensor.ones([2])
    let (last, all) = loop(over: [x], carrying: [h]) { ([$0[0] + $1[0]], [$0[0].sum()]) }
    #expect(try last[0].array() == [1, 1])
    #expect(all[0].shape == [0])
  }

  @Test func mistakesAreNamed() {
    func message(_ body: () -> Void) -> String {
      let error = #expect(throws: ShapeError.self) { try checkingShapes { body() } }
      return "\(error.map { "\($0)" } ?? "")"
    }
    let (x, h) = (Tensor.zeros([3, 2]), Tensor.zeros([2]))
    #expect(message { _ = loop(over: [x, .zeros([4, 2])], carrying: [h]) { ($0, $1) } }.contains("[4, 2]"))
    #expect(message { _ = loop(over: [], carrying: [h]) { ($0, $1) } }.contains("count"))
    #expect(message { _ = loop(over: [x], carrying: [h], count: 4) { ($0, $1) } }.contains("4 elements"))
    #expect(message { _ = loop(over: [x], carrying: [h]) { (c, _) in ([], c) } }.contains("0 values"))
    #expect(message { _ = loop(over: [x], carrying: [h]) { (c, _) in ([c[0].sum()], []) } }.contains("float32 [2]"))
  }

  /// A user-defined gradient rule for several results.
  @Test func rulesForSeveralResults() throws {
    let x = Tensor([1, 2, 3] as [Float])
    let results = withGradient([x]) { gradients, inputs, outputs in
      // The rule is not the derivative: it returns twice the gradient of the first result, plus the second result.
      [(gradients[0] ?? inputs[0] * 0) * 2 + outputs[1]]
    } function: { inputs in
      [inputs[0] * 10, inputs[0].squared()]
    }
    let first = gradients(of: results[0].sum(), withRespectTo: [x])[0]
    let second = gradients(of: results[1].sum(), withRespectTo: [x])[0]
    #expect(try first.array() == [3, 6, 11])
    #expect(try second.array() == [1, 4, 9])
    #expect(try results.map { try $0.array() } == [[10, 20, 30], [1, 4, 9]])
  }
}
