import Apus
import ApusTestSupport
import Testing

@Suite struct LSUVTests {
  private static let devices = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }

  /// A deep network whose initial weights, except those of the last layer, are so small that activations vanish from
  /// layer to layer.
  private func net() -> Sequential {
    Sequential {
      Conv2d(2, 6, kernel: 3, padding: 1, initializer: .normal(deviation: 0.01), biasInitializer: .zeros)
      Tanh()
      ConvTranspose2d(6, 4, kernel: 2, stride: 2, initializer: .normal(deviation: 0.01), biasInitializer: .zeros)
      ReLU()
      Flatten()
      for _ in 0..<3 {
        Linear(64, 64, initializer: .normal(deviation: 0.01), biasInitializer: .zeros)
        ReLU()
      }
      Linear(64, 5, initializer: .constant(3))
    }
  }

  @Test(arguments: devices, [true, false])
  func everyLayerGivesUnitVariance(_ test: TestDevice, _ startsOrthogonal: Bool) throws {
    try withDevice(test.device) { () throws in
      try withRandomKey(RandomKey(seed: 4)) {
        let model = Sequential(Array(net().layers.dropLast()))
        var key = RandomKey(seed: 6)
        let batch = Tensor.normal([16, 2, 2, 2], mean: 1, deviation: 5, key: &key)
        let outcomes = try LSUV(tolerance: 0.01, startsOrthogonal: startsOrthogonal)(model, on: batch)
        #expect(outcomes.count == 5)
        let reached = outcomes.allSatisfy { $0.isReached && $0.steps >= 1 && $0.steps <= 2 }
        #expect(reached, "\(outcomes.map { ($0.variance, $0.steps) })")
        #expect(outcomes.map { $0.weight.shape } == model.parameters.filter { $0.shape.rank > 1 }.map(\.shape))
        // The test computes the outputs of each layer itself.
        var x = batch
        for layer in model.layers {
          x = layer(x)
          guard layer is Linear || layer is Conv2d || layer is ConvTranspose2d else { continue }
          #expect(abs(try x.variance(correction: 0).scalar() - 1) <= 0.01)
        }
      }
    }
  }

  /// A layer that cannot reach unit variance is reported. A frozen layer is not reported, and keeps its weights.
  @Test func missedVariancesAreReported() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let frozen = Linear(3, 3, initializer: .constant(2))
      frozen.weight.isTrainable = false
      let dead = Linear(3, 2, hasBias: false, initializer: .zeros)
      let model = Sequential {
        frozen
        dead
      }
      let outcomes = try LSUV(startsOrthogonal: false)(model, on: .ones([4, 3]))
      #expect(outcomes.count == 1)
      #expect(outcomes[0].weight === dead.weight && !outcomes[0].isReached)
      #expect(outcomes[0].variance == 0 && outcomes[0].steps == 0)
      #expect(try frozen.weight.value.array() == [Float](repeating: 2, count: 9))
    }
  }

  @Test func theNumberOfDivisionsIsLimited() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      // The bias alone gives a variance of 4, which no scale of the weights can reduce to 1.
      let layer = Linear(2, 2, biasInitializer: Initializer { _, _, _ in Tensor([2, -2] as [Float]) })
      let outcomes = try LSUV(maximumSteps: 3)({ layer(Tensor([1, 0, 0, 1] as [Float], shape: [2, 2])) })
      #expect(outcomes.count == 1 && outcomes[0].steps == 3 && !outcomes[0].isReached)
    }
  }
}
