import Apus
import ApusTestSupport
import Testing

@Suite struct LookaheadTests {
  @Test func decaysFollowTheFormula() {
    let lookahead = Lookahead()
    #expect(lookahead.updateDecay(step: 4, of: 100) == nil && lookahead.updateDecay(step: 101, of: 200) == nil)
    let base = 0.95 * 0.95 * 0.95 * 0.95 * 0.95
    #expect(abs(lookahead.updateDecay(step: 50, of: 100)! - base / 8) < 1e-15)
    #expect(abs(lookahead.updateDecay(step: 100, of: 100)! - base) < 1e-15)
    #expect(Lookahead(every: 1, decay: 0.5, power: 0).updateDecay(step: 3, of: 100) == 0.5)
  }

  /// The values of parameters and of running statistics become their moving averages.
  @Test func valuesBecomeTheirAverages() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let norm = BatchNorm(1)
      let net = Sequential {
        Linear(1, 1, initializer: .ones)
        norm
      }
      let (weight, mean) = (net.parameters[0], try #require(norm.runningMean))
      let average = try LookaheadAverage(of: net)
      var (slowWeight, slowMean) = (1.0, 0.0)
      for step in 1...4 {
        let (value, decay) = (Double(step * step), 0.2 * Double(step))
        weight.value = Tensor([Float(value)], shape: [1, 1])
        mean.value = Tensor([Float(-2 * value)])
        try average.update(decay: decay)
        slowWeight = decay * slowWeight + (1 - decay) * value
        slowMean = decay * slowMean - (1 - decay) * 2 * value
        #expect(abs(try weight.value.scalar() - slowWeight) < 1e-5)
        #expect(abs(try mean.value.scalar() - slowMean) < 1e-5)
      }
      // With a decay of 1, the values are set back to the averages.
      weight.value = Tensor([100 as Float], shape: [1, 1])
      try average.update(decay: 1)
      #expect(abs(try weight.value.scalar() - slowWeight) < 1e-5)
      let keys = average.state.map(\.key)
      #expect(keys.contains("lookahead.0.weight") && keys.contains("lookahead.1.running_var") && keys.count == 6)
    }
  }

  /// A restored average continues with the same bits.
  @Test func averagesAreRestored() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let (one, other) = (Sequential { Linear(1, 1, initializer: .ones) }, Sequential { Linear(1, 1) })
      let average = try LookaheadAverage(of: one)
      one.parameters[0].value = Tensor([3 as Float], shape: [1, 1])
      let kept = Dictionary(uniqueKeysWithValues: average.state.map { ($0.key, $0.value) })
      let restored = try LookaheadAverage(of: other)
      restored.restore { kept[$0]! }
      other.parameters[0].value = Tensor([3 as Float], shape: [1, 1])
      for copy in [average, restored] { try copy.update(decay: 0.3) }
      #expect(try one.parameters[0].value.array() == other.parameters[0].value.array())
    }
  }

  /// Updates of the optimizer and of the average reuse their plans.
  @Test func plansAreReused() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    try withDevice(device) { () throws in
      let net = withRandomKey(RandomKey(seed: 1)) { Sequential { Linear(3, 2) } }
      let optimizer = Optimizer(SGD(learningRate: 0.1, momentum: 0.9), for: net)
      let average = try LookaheadAverage(of: net)
      let x = try eval(Tensor.ones([4, 3]))
      var counts: [Int] = []
      for step in 1...30 {
        try optimizer.minimize { net(x).squared().mean() }
        if step % 5 == 0 { try average.update(decay: 0.02 * Double(step)) }
        counts.append(device.preparedPlanCount)
      }
      #expect(counts[14] == counts[29], "\(counts)")
    }
  }
}
