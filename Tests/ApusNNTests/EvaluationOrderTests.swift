import Apus
import ApusTestSupport
import Testing

/// Values that are read between what is built and what is differentiated.
@Suite struct EvaluationOrderTests {
  private static let devices = Array(TestDevice.all.prefix(2))

  private static func network() -> Sequential {
    withRandomKey(RandomKey(seed: 5)) {
      Sequential {
        Linear(3, 4)
        Tanh()
        Linear(4, 2)
      }
    }
  }

  private static let x = [0.5, -1, 2, 0.25, 1.5, -0.75] as [Float]

  // MARK: - Reading inside of a scope

  @Test(arguments: devices) func gradientsOutliveTheirScope(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor(Self.x)
      func loss() -> Tensor { (x.exp() * x.sin()).tanh().sum() }
      let expected = try gradients(of: loss(), withRespectTo: [x])[0].array()
      let found = try recordingGradients {
        let value = loss()
        _ = try value.scalar()
        return gradients(of: value, withRespectTo: [x])[0]
      }
      #expect(try found.array() == expected)
      // Second derivatives, some of them read inside.
      func slope() -> Tensor { gradients(of: loss(), withRespectTo: [x])[0] }
      let second = try gradients(of: slope().sum(), withRespectTo: [x])[0].array()
      let outside = try recordingGradients {
        let value = loss()
        _ = try value.scalar()
        let first = gradients(of: value, withRespectTo: [x])[0]
        _ = try first.array()
        return gradients(of: first.sum(), withRespectTo: [x])[0]
      }
      #expect(try outside.array() == second)
      // Part of it is read inside, the rest outside, in another order.
      let (value, parts) = try recordingGradients {
        let value = loss()
        let found = gradients(of: value, withRespectTo: [x])[0]
        _ = try value.scalar()
        _ = try (found * 2).sum().scalar()
        return (value, (found, found * 3))
      }
      #expect(try parts.1.array() == expected.map { $0 * 3 })
      #expect(try parts.0.array() == expected)
      #expect(try value.scalar() == loss().scalar())
    }
  }

  @Test(arguments: devices) func loopsAndCheckpoints(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let lstm = withRandomKey(RandomKey(seed: 2)) { LSTM(3, 4) }
      let x = Tensor(Self.x, shape: [2, 1, 3])
      func check(_ loss: () -> Tensor) throws {
        let expected = try gradients(of: loss(), withRespectTo: [x])[0].array()
        let found = try recordingGradients {
          let value = loss()
          _ = try value.scalar()
          return gradients(of: value, withRespectTo: [x])[0]
        }
        #expect(try found.array() == expected)
      }
      try check { lstm(x).output.squared().sum() }
      try check { checkpointed([x]) { ($0[0] * 2).exp().sin() }.sum() }
      let turns = { () -> Tensor in
        loop(over: [x], carrying: [Tensor.zeros([1, 3])]) { state, element in
          let next = (state[0] * 0.5 + element[0]).tanh()
          return ([next], [next * next])
        }.outputs[0].sum()
      }
      try check(turns)
    }
  }

  @Test(arguments: devices) func minimizingWithARead(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      func weights(readsInside: Bool) throws -> [Float] {
        let net = Self.network()
        let optimizer = Optimizer(Adam(learningRate: 0.1), for: net)
        let x = Tensor(Self.x, shape: [2, 3])
        for _ in 0..<3 {
          let loss = try optimizer.minimize {
            let loss = net(x).squared().mean()
            if readsInside { _ = try loss.scalar() }
            return loss
          }
          _ = try loss.scalar()
        }
        return try net.parameters.flatMap { try $0.value.array(of: Float.self) }
      }
      #expect(try weights(readsInside: true) == weights(readsInside: false))
    }
  }
}
