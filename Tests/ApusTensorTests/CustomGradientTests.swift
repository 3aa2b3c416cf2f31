import Apus
import ApusTestSupport
import Testing

/// Custom gradients, gradient checkpointing, seeds (PyTorch's `grad_outputs`), and gradients that are zero or an error.
@Suite struct CustomGradientTests {
  @Test func aCustomRuleReplacesTheRulesInside() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, 2, 3] as [Double])
      // The function rounds and doubles. The rule passes on 10 times the gradient.
      let y = withGradient([x]) { gradient, _, _ in
        [gradient * 10]
      } function: {
        $0[0].rounded() * 2
      }
      let first = gradients(of: (y * x).sum(), withRespectTo: [x])[0]
      // `first` is `y + 10·x`, and the rule gives 10 as the derivative of `y`.
      let second = gradients(of: first, withRespectTo: [x])[0]
      try eval([y, first, second])
      #expect(try y.values() == [2, 4, 6])
      let expected: [Double] = [2 + 10, 4 + 20, 6 + 30]
      #expect(try first.values() == expected)
      #expect(try second.values() == [20, 20, 20])
    }
  }

  @Test func checkpointsGiveTheSameGradients() throws {
    for device in TestDevice.all where device.device.info.supportsFloat64 {
      try withDevice(device.device) { () throws in
        let x = Tensor((0..<12).map { Double($0) / 7 - 0.8 }, shape: [3, 4])
        let w = Tensor((0..<16).map { Double($0) / 11 - 0.6 }, shape: [4, 4])
        let block: @Sendable ([Tensor]) -> Tensor = { $0[0].matmul($0[1]).tanh().matmul($0[1]).sigmoid() }
        let plain = gradients(of: block([x, w]).sum(), withRespectTo: [x, w])
        let again = gradients(of: checkpointed([x, w], block).sum(), withRespectTo: [x, w])
        let second = [plain, again].map { gradients(of: $0[0].squared().sum(), withRespectTo: [w])[0] }
        for (left, right) in zip(plain, again) {
          #expect(try left.values() == right.values(), "\(device.name)")
        }
        #expect(try second[0].values().contains { abs($0) > 1e-3 }, "\(device.name)")
        for (left, right) in zip(try second[0].values(), try second[1].values()) {
          #expect(abs(left - right) < 1e-12, "\(device.name)")
        }
      }
    }
  }

  /// Tensors that a checkpointed function captures get gradients, also through other captured tensors that depend on
  /// them.
  @Test func capturedTensorsOfCheckpointsGetGradients() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let (x, w) = (Tensor([1, 2, 3] as [Float]), Tensor([2, 0, 1] as [Float]))
      let scaled = w * 5
      let y = checkpointed([x]) { inputs -> Tensor in
        let x = inputs[0]
        return x * w.squared() + x.squared() * scaled + w
      }
      let found = gradients(of: y.sum(), withRespectTo: [x, w])
      #expect(try found[0].array() == [24, 0, 31])
      #expect(try found[1].array() == [10, 21, 52])
    }
  }

  /// If an input depends on another input, the gradient counts each path once.
  @Test func checkpointsOfInputsThatDependOnEachOther() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, 2, 3] as [Float])
      let product = checkpointed([x, x * 2]) { $0[0] * $0[1] }
      #expect(try gradients(of: product.sum(), withRespectTo: [x])[0].array() == [4, 8, 12])
    }
  }

  @Test func unreachedInputsHaveZeroGradients() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let (x, y) = (Tensor([1, 2] as [Float]), Tensor([3] as [Float]))
      let found = gradients(of: x.sum() + y.stopGradient().sum(), withRespectTo: [x, y])
      #expect(try found[0].values() == [1, 1])
      #expect(try found[1].values() == [0])
    }
  }

  @Test func aSeedScalesTheGradient() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, 2] as [Float])
      let found = gradients(of: x * x, withRespectTo: [x], seed: Tensor([1, 10] as [Float]))
      #expect(try found[0].values() == [2, 40])
    }
  }

  /// Reading a value releases its graph, so a gradient through this value is an error, not zero.
  @Test func aGradientThroughAValueThatWasReadIsAMistake() throws {
    try withDevice(ComputeDevice(backend: ReferenceDevice())) { () throws in
      let x = Tensor([0.5, 1, 2] as [Float])
      let read = (x * x).sum()
      #expect(try read.scalar() == 5.25)
      for output in [read, (read * 2).exp()] {
        let error = #expect(throws: ShapeError.self) {
          try checkingShapes { gradients(of: output, withRespectTo: [x]) }
        }
        #expect("\(try #require(error))".contains("recordingGradients"))
      }
      // Two kinds of gradients are no errors: a gradient through `stopGradient`, and a gradient with respect to a
      // tensor that was created after the value was read.
      let later = Tensor([3] as [Float])
      let zeros = try checkingShapes {
        gradients(of: read.stopGradient() * x.sum(), withRespectTo: [x, later])
          + gradients(of: read * 2, withRespectTo: [later])
      }
      #expect(try zeros.map { try $0.array() } == [[5.25, 5.25, 5.25], [0], [0]])
      #expect(throws: ShapeError.self) {
        try checkingShapes { gradients(of: x.sum(), withRespectTo: [x, Tensor([1, 2] as [Int32])]) }
      }
    }
  }
}
