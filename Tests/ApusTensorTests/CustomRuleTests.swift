import Apus
import ApusTestSupport
import Testing

/// Gradient rules of one's own, checkpoints and auxiliary results.
@Suite struct CustomRuleTests {
  @Test func aRuleReplacesThoseInside() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, 2, 3] as [Double])
      // Rounds, and passes gradients straight through.
      let y = withGradient([x]) { gradient, _, _ in
        [gradient * 10]
      } function: {
        $0[0].rounded() * 2
      }
      let first = gradients(of: (y * x).sum(), withRespectTo: [x])[0]
      // d(y + 10·x)/dx, where the rule holds again for y.
      let second = gradients(of: first, withRespectTo: [x])[0]
      try eval([y, first, second])
      #expect(try y.values() == [2, 4, 6])
      #expect(try first.values() == [2 + 10, 4 + 20, 6 + 30])
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
        for (left, right) in zip(plain, again) {
          #expect(try left.values() == right.values(), "\(device.name)")
        }
        let second = [plain, again].map { gradients(of: $0[0].squared().sum(), withRespectTo: [w])[0] }
        for (left, right) in zip(try second[0].values(), try second[1].values()) {
          #expect(abs(left - right) < 1e-12, "\(device.name)")
        }
      }
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

  @Test func aSeedWeighsTheResult() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, 2] as [Float])
      let found = gradients(of: x * x, withRespectTo: [x], seed: Tensor([1, 10] as [Float]))
      #expect(try found[0].values() == [2, 40])
    }
  }
}
