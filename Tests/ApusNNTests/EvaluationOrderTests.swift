import Apus
import ApusTestSupport
import Testing

/// Values that are read between building a graph and differentiating it.
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

  // MARK: - Reading inside a scope

  /// Gradients that are built inside `recordingGradients` may be read after its end, even if other values were read
  /// inside.
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
      // Second derivatives; the loss and the first derivatives are read inside the scope.
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
      // The loss and a value computed from the gradient are read inside the scope. Outside, `found * 3` is read before
      // `found`.
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

  /// Gradients through recurrent layers, checkpointed functions and loops do not change if the loss is read first.
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

  /// Steps of `minimize` give the same weights whether or not the closure reads the loss.
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

  // MARK: - Losses without a gradient path

  /// A loss without a path to a trainable parameter is an error, even if there was a path that an earlier evaluation
  /// has released.
  @Test(arguments: devices) func lossesWithoutAGradientPath(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let net = Self.network()
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: net)
      let output = net(Tensor(Self.x, shape: [2, 3]))
      _ = try output.array()
      let evaluated = #expect(throws: ShapeError.self) {
        try checkingShapes { _ = try optimizer.valueAndGradients { output.squared().mean() } }
      }
      #expect(evaluated?.reason.contains("was evaluated before") == true)
      #expect(evaluated?.reason.contains("add") == true)
      let unrelated = #expect(throws: ShapeError.self) {
        try checkingShapes { _ = try optimizer.valueAndGradients { Tensor(Self.x).squared().mean() } }
      }
      #expect(unrelated?.reason.contains("none of the 4 trainable parameters") == true)
      // A path to one parameter is enough; evaluated data that depends on no parameter is allowed.
      let data = try eval(Tensor([1, 2, 3, 4] as [Float]) * 2)
      _ = try optimizer.minimize { (net.parameters[1].value * data).sum() }
    }
  }

  /// An input that the output does not depend on has the gradient 0; with `unused: .refused`, the input is an error. If
  /// an evaluation has released the path from an input to the output, the input is an error with either setting.
  @Test(arguments: devices) func unusedInputs(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let old = try eval(Tensor([1, 2] as [Float]))
      let x = try eval(Tensor([3, 4] as [Float]))
      let data = try eval(x * 2)
      let new = try eval(Tensor([5, 6] as [Float]))
      // `old` is older than `data`, but `data` was not computed from `old`, so the gradient of `old` is zero.
      let y = (data * new).sum()
      #expect(
        try gradients(of: y, withRespectTo: [old, new]).map { try $0.array(of: Float.self) } == [[0, 0], [6, 8]])
      let refused = #expect(throws: ShapeError.self) {
        try checkingShapes { _ = gradients(of: y, withRespectTo: [new, old], unused: .refused) }
      }
      #expect(refused?.reason.contains("does not depend on input 1") == true)
      let hidden = #expect(throws: ShapeError.self) {
        try checkingShapes { _ = gradients(of: y, withRespectTo: [new, x]) }
      }
      #expect(hidden?.reason.contains("input 1, since the result of multiply was evaluated before") == true)
      // Two evaluations, of `data` and of `later`, have released the path from `x`.
      let later = try eval(data.exp() + new)
      let farther = #expect(throws: ShapeError.self) {
        try checkingShapes { _ = gradients(of: later.sum(), withRespectTo: [x]) }
      }
      #expect(farther?.reason.contains("was evaluated before") == true)
      #expect(try gradients(of: later.sum(), withRespectTo: [old])[0].array() == [0, 0])
    }
  }

  // MARK: - Adversarial networks

  /// The two training steps of a DCGAN, first the critic's and then the generator's, as in PyTorch's tutorial. Both
  /// steps use one batch of generated images, which is built before them. The results equal the results of training in
  /// which the generator's step generates the images again.
  @Test(arguments: devices) func adversariesShareTheirImages(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      func train(isShared: Bool) throws -> (weights: [Float], losses: [Double]) {
        let (generator, critic) = (Self.network(), withRandomKey(RandomKey(seed: 8)) { Sequential { Linear(2, 1) } })
        let steps = (
          Optimizer(Adam(learningRate: 0.1), for: generator), Optimizer(Adam(learningRate: 0.1), for: critic)
        )
        let real = Tensor([1, 2, -1, 0.5] as [Float], shape: [2, 2])
        var losses: [Double] = []
        for _ in 0..<3 {
          let noise = Tensor(Self.x, shape: [2, 3])
          let images = generator(noise)
          let criticLoss = try steps.1.minimize {
            let (right, wrong) = (critic(real), critic(images.stopGradient()))
            return (right - 1).squared().mean() + wrong.squared().mean()
          }
          losses.append(try criticLoss.scalar())
          let loss = try steps.0.minimize { (critic(isShared ? images : generator(noise)) - 1).squared().mean() }
          losses.append(try loss.scalar())
        }
        return (try generator.parameters.flatMap { try $0.value.array(of: Float.self) }, losses)
      }
      let (shared, built) = (try train(isShared: true), try train(isShared: false))
      #expect(shared.weights == built.weights && shared.losses == built.losses)
      #expect(try shared.weights != Self.network().parameters.flatMap { try $0.value.array(of: Float.self) })
    }
  }
}
