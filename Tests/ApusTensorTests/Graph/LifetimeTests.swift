import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// When plans (compiled graphs) are prepared, which buffers they overwrite, and which values stay alive.
@Suite struct LifetimeTests {
  private func vector(_ count: Int = 64, _ value: Float = 1) -> Tensor {
    Tensor(Array(repeating: value, count: count))
  }

  @Test func tensorsAreValues() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var x = vector(3)
      let copy = x
      try eval(x)
      x += 1 * x
      try eval(x)
      #expect(try x.values() == [2, 2, 2])
      #expect(try copy.values() == [1, 1, 1])
    }
  }

  @Test func aThousandStepsOfAdamPrepareTwoPlans() throws {
    let device = RecordingDevice()
    let compute = ComputeDevice(backend: device)
    try withDevice(compute) { () throws in
      var w = [vector(), vector(32), vector(16)]
      var m = w.map { Tensor.zeros($0.shape) }
      var v = w.map { Tensor.zeros($0.shape) }
      for step in 1...1000 {
        let rate = Tensor.number(1 + Double(step) / 1000)
        let correction = Tensor.number(1 / Double(step))
        for index in w.indices {
          let g = w[index] * 0.5
          m[index] = m[index] * 0.9 + g * 0.1
          v[index] = v[index] * 0.999 + g.squared() * 0.001
          w[index] = w[index] - rate * m[index] / ((v[index] * correction).sqrt() + 1e-8)
        }
        try eval(w + m + v)
      }
      #expect(compute.preparedPlanCount == 2)
      #expect(device.runs.count == 1000)
      // Old parameters and state are overwritten in place.
      let plan = try #require(device.runs.last).plan
      #expect(plan.outputs.allSatisfy { $0.donatedInput != nil })
      #expect(plan.steps.count == 1)
    }
  }

  @Test func heldTensorsAreNotOverwritten() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var x = vector(4, 3)
      let held = x
      let middle = x * 2
      x = middle + 1
      try eval(x)
      #expect(try held.values() == [3, 3, 3, 3])
      #expect(middle.isEvaluated)
      #expect(try middle.values() == [6, 6, 6, 6])
      #expect(try x.values() == [7, 7, 7, 7])
    }
  }

  /// A transpose of an evaluated value is read in place, even if a tensor refers to the transpose.
  @Test func aTransposeThatIsHeldIsNotCopied() throws {
    let device = RecordingDevice()
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let weights = Tensor(Grid([8, 6]) { _ in 1 }, dtype: .float32)
      let transposed = weights.transposed()
      for _ in 0..<2 {
        try eval(Tensor(Grid([4, 6]) { _ in 1 }, dtype: .float32).matmul(transposed))
        let plan = try #require(device.runs.last).plan
        #expect(plan.outputs.count == 1 && plan.steps.count == 1)
      }
      try eval(transposed)
      #expect(transposed.isEvaluated)
    }
  }

  @Test func whatAHeldTransposeReadsIsNotOverwritten() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var x = Tensor(Grid([2, 3]) { Double($0[0] * 3 + $0[1]) }, dtype: .float32)
      try eval(x)
      let transposed = x.transposed()
      for _ in 0..<2 {
        x = x * 2 + transposed.transposed()
        try eval(x)
      }
      #expect(try transposed.values() == [0, 3, 1, 4, 2, 5])
      #expect(try x.values() == [0, 7, 14, 21, 28, 35])
    }
  }

  @Test func deadValuesHaveNoBuffer() throws {
    let device = RecordingDevice()
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let x = vector()
      let y = (x.sum() * x).sum()
      try eval(y)
      #expect(try #require(device.runs.last).plan.outputs.count == 1)
    }
  }

  @Test func memoryReturnsToTheDevice() throws {
    let device = ReferenceDevice()
    try withDevice(ComputeDevice(backend: device)) { () throws in
      try {
        let x = vector(1000)
        let y = x * 2 + 1
        try eval(y)
        // This value is never read: it is released with its inputs.
        _ = (y.exp() / y).sum()
        #expect(device.memory.used >= 8000)
      }()
      #expect(device.memory.used == 0)
    }
  }

  @Test func unreadValuesDoNotLeak() throws {
    let device = ReferenceDevice()
    try withDevice(ComputeDevice(backend: device)) { () throws in
      var x = vector(100)
      var most = 0
      for step in 0..<50 {
        let unread = x.sin().sum()
        x = x * 0.5 + unread.stopGradient() * 0
        try eval(x)
        if step == 5 { most = device.memory.used }
      }
      #expect(device.memory.used <= most)
    }
  }

  /// The release of a long chain of nodes does not recurse, which would overflow the stack.
  @Test func aMillionPendingNodesAreReleased() throws {
    withDevice(ComputeDevice(backend: RecordingDevice())) {
      var x = vector(1)
      for _ in 0..<1_000_000 { x = -x }
      #expect(x.shape == [1])
    }
  }

  @Test func aLongChainIsReleasedAfterEvaluation() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var x = vector(1, 0)
      for _ in 0..<3000 { x = x + 1 }
      try eval(x)
      #expect(try x.values() == [3000])
    }
  }

  @Test func readingInsideAGradientScopeKeepsEdges() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = vector(3, 2)
      let gradient = try recordingGradients { () throws in
        let y = x * x
        #expect(try y.values() == [4, 4, 4])
        let loss = (y * y).sum()
        #expect(try loss.scalar() == 48)
        return gradients(of: loss, withRespectTo: [x])[0]
      }
      #expect(try gradient.values() == [32, 32, 32])
    }
  }

  @Test func valuesReadOutsideOfAScopeLoseTheirEdges() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = vector(3, 2)
      let y = x * x
      try eval(y)
      #expect(throws: ShapeError.self) { try checkingShapes { gradients(of: y, withRespectTo: [x]) } }
      // If another path leads to x, the gradient treats `y` as a constant.
      #expect(try gradients(of: y * x, withRespectTo: [x])[0].values() == [4, 4, 4])
    }
  }

  @Test func stepsWithCustomRulesAndCheckpointsReuseTheirPlan() throws {
    let compute = ComputeDevice(backend: RecordingDevice())
    try withDevice(compute) { () throws in
      let (x, w) = (vector(), vector())
      for _ in 0..<5 {
        let y = checkpointed([x, w]) { ($0[0] * $0[1]).tanh().sin() }
        let z = withGradient([y]) { gradient, _, _ in
          [gradient * 2]
        } function: {
          $0[0].rounded()
        }
        try eval(gradients(of: z.sum(), withRespectTo: [x, w]))
      }
      #expect(compute.preparedPlanCount == 1)
    }
  }

  @Test func plansDependOnShapesNotOnNumbers() throws {
    let compute = ComputeDevice(backend: RecordingDevice())
    try withDevice(compute) { () throws in
      for value in 0..<10 { try eval(vector() * Tensor.number(Double(value))) }
      #expect(compute.preparedPlanCount == 1)
      try eval(vector(65) * Tensor.number(1))
      #expect(compute.preparedPlanCount == 2)
      // Sums over different axes need different plans.
      try eval(vector().reshaped(to: [8, 8]).sum(axis: 0))
      try eval(vector().reshaped(to: [8, 8]).sum(axis: 1))
      #expect(compute.preparedPlanCount == 4)
    }
  }
}
