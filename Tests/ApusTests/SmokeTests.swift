import Apus
import ApusTestSupport
import Testing

/// On each device: a short training, and one computation with its gradients for each step family (kind of step in a
/// plan) other than recurrent steps, row writes and custom operations. `.ci/quick` runs these tests before every
/// commit. `OpCaseTests` has every operation, element type and edge case.
@Suite struct SmokeTests {
  /// A step family or fused operation, and a scalar function of normally distributed inputs that uses it.
  struct Family: Sendable, CustomTestStringConvertible {
    let name: String
    let shapes: [Shape]
    let body: @Sendable ([Tensor]) -> Tensor
    var testDescription: String { name }

    init(_ name: String, _ shapes: [Shape], _ body: @escaping @Sendable ([Tensor]) -> Tensor) {
      self.name = name
      self.shapes = shapes
      self.body = body
    }

    /// The value and its gradients with respect to all inputs, on the current device.
    func values() throws -> [[Float]] {
      var key = RandomKey(seed: 5)
      let inputs = shapes.map { Tensor.normal($0, key: &key) }
      let (value, gradients) = recordingGradients {
        let value = body(inputs)
        return (value, Apus.gradients(of: value, withRespectTo: inputs))
      }
      return try ([value] + gradients).map { try $0.array() }
    }

    static let all = [
      Family("elementwise", [[7, 33]]) { ($0[0].tanh() * 2 + $0[0].exp()).sum() },
      Family("reduction", [[65, 40]]) { ($0[0].sum(axis: 1) * $0[0].variance(axis: 1)).sum() },
      Family("cumulative sum", [[5, 70]]) { ($0[0].cumulativeSum(axis: 1) * $0[0]).sum() },
      Family("matmul", [[19, 48], [48, 35]]) { $0[0].matmul($0[1]).relu().sum() },
      Family("convolution", [[2, 3, 9, 8], [4, 3, 3, 3]]) {
        $0[0].convolved(with: $0[1], padding: [(1, 1)]).squared().sum()
      },
      Family("pooling", [[2, 3, 8, 8]]) { $0[0].maxPooled([2, 2]).squared().sum() },
      Family("softmax", [[6, 50]]) { ($0[0].softmax() * $0[0]).sum() },
      Family("layer norm", [[6, 50]]) { ($0[0].layerNormalized() * $0[0]).sum() },
      Family("cross-entropy", [[4, 10]]) { crossEntropy($0[0], Tensor([1, 0, 9, 3] as [Int32])) },
      Family("attention", [[2, 2, 6, 8], [2, 2, 6, 8], [2, 2, 6, 8]]) {
        scaledDotProductAttention($0[0], $0[1], $0[2]).squared().sum()
      },
      Family("gather", [[9, 5]]) { $0[0].gathering(Tensor([8, 0, 8] as [Int32]), axis: 0).squared().sum() },
      Family("scatter-add", [[4, 5], [3, 5]]) {
        $0[0].indexAdding($0[1], at: Tensor([2, 2, 0] as [Int32])).squared().sum()
      },
      Family("copy", [[4, 5], [4, 2]]) { Tensor.concatenated([$0[0], $0[1]], axis: 1).transposed().squared().sum() },
      Family("sort", [[3, 17]]) { ($0[0].sorted(axis: 1) * $0[0]).sum() },
      Family("loop", [[6, 4], [4, 4]]) { inputs in
        let (carried, _) = loop(over: [inputs[0]], carrying: [Tensor.zeros([4])]) { carried, elements in
          let h = (elements[0] + carried[0].matmul(inputs[1])).tanh()
          return ([h], [])
        }
        return carried[0].sum()
      },
    ]
  }

  @Test(arguments: TestDevice.pairs(Array(TestDevice.all.dropFirst()), Family.all))
  func agreesWithTheReference(device: TestDevice, family: Family) throws {
    let expected = try withDevice(TestDevice.reference.device) { () throws in try family.values() }
    let found = try withDevice(device.device) { () throws in try family.values() }
    #expect(found.count == expected.count)
    for (values, references) in zip(found, expected) {
      let scale = references.map(abs).max() ?? 0
      #expect(values.count == references.count && scale > 0)
      for (value, reference) in zip(values, references) { #expect(abs(value - reference) <= 2e-5 * max(scale, 1)) }
    }
  }

  /// 20 steps of Adam halve the loss of an LSTM and a linear layer that learn the sum of a sequence. This test runs the
  /// recurrent steps, which `Family.all` does not contain.
  @Test(arguments: TestDevice.all.dropFirst())
  func trainingLowersTheLoss(device: TestDevice) throws {
    try withDevice(device.device) { () throws in
      var key = RandomKey(seed: 1)
      let (lstm, linear) = withRandomKey(RandomKey(seed: 2)) { (LSTM(3, 8), Linear(8, 1)) }
      let x = Tensor.normal([5, 16, 3], key: &key)
      let target = x.sum(axes: [0, 2])
      let optimizer = Optimizer(Adam(learningRate: 0.05), for: Network(lstm: lstm, linear: linear))
      var losses: [Double] = []
      for _ in 0..<20 {
        let loss = try withMode(.training) {
          try optimizer.minimize { meanSquaredError(linear(lstm(x).output[-1]).reshaped(to: [16]), target) }
        }
        losses.append(try loss.scalar())
      }
      #expect(losses[19] < losses[0] / 2, "\(losses)")
    }
  }

  private struct Network: Module {
    let lstm: LSTM
    let linear: Linear
  }
}
