import Apus
import ApusRuns
import ApusTestSupport
import Foundation
import Testing

/// The Swift examples of Documentation/Tasks.md, word for word. `BookTests` compares the code between the comments
/// `example` and `end` with the page.
@Suite struct TasksExamples {
  let device: ComputeDevice
  /// The random key of the initial parameters. A test that needs the initial parameters builds the model again.
  private let key = RandomKey(seed: 5)

  init() throws { device = try ComputeDevice.named("cpu") }

  private func values(_ model: some Module) throws -> [[Float]] {
    try model.state.entries.map { try $0.value.array() }
  }

  @Test func frozenLayers() throws {
    try withDevice(device) { () throws in
      try withRandomKey(key) { () throws in
        // example
        let model = Sequential {
          Linear(4, 8)
          Tanh()
          Linear(8, 2)
        }
        model.freeze { $0.hasPrefix("0.") }  // "0.weight" and "0.bias"
        let optimizer = Optimizer(Adam(learningRate: 1e-2), for: model)
        let labels = Tensor([0, 1, 1] as [Int32])
        _ = try withMode(.training) {
          try optimizer.minimize { crossEntropy(model(.ones([3, 4])), labels) }
        }
        // end
        let start = withRandomKey(key) {
          Sequential {
            Linear(4, 8)
            Tanh()
            Linear(8, 2)
          }
        }
        let (found, initial) = (try values(model), try values(start))
        #expect(found[0] == initial[0] && found[1] == initial[1])
        #expect(found[2] != initial[2] && found[3] != initial[3])
      }
    }
  }

  @Test func ownLoss() throws {
    try withDevice(device) { () throws in
      // example
      /// Weights errors by `quantile` where the output is too low, and by `1 − quantile` where it is too high.
      func quantileLoss(_ outputs: Tensor, _ targets: Tensor, quantile: Double) -> Tensor {
        let errors = targets - outputs
        return (errors * quantile).maximum(errors * (quantile - 1)).mean()
      }
      let outputs = Tensor([0, 0] as [Float])
      let targets = Tensor([1, -1] as [Float])
      print(try quantileLoss(outputs, targets, quantile: 0.9).scalar())  // 0.5
      // end
      let loss = quantileLoss(outputs, targets, quantile: 0.9)
      let slopes = gradients(of: loss, withRespectTo: [outputs])[0]
      try eval([loss, slopes])
      let found: [Float] = try [Float(loss.scalar())] + slopes.array()
      for (value, expected) in zip(found, [0.5, -0.45, 0.05] as [Float]) { #expect(abs(value - expected) < 1e-6) }
    }
  }

  @Test func ownDataSet() throws {
    try withDevice(device) { () throws in
      try withRandomKey(key) { () throws in
        // example
        /// Points on a circle. The class of a point is 1 in the left half.
        struct Circle: ExampleSource {
          let count = 256

          func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
            let angles = Tensor(numbers) * (2 * Double.pi / Double(count))
            let points = Tensor.stacked([angles.cos(), angles.sin()], axis: 1)
            return (points, (angles.cos() .< 0).cast(to: .int32))
          }
        }
        let data = Circle()
        let model = Sequential { Linear(2, 2) }
        let options = TrainingOptions(length: .epochs(20), batchSize: 64)
        let result = try Trainer(model, Adam(learningRate: 0.1), on: data, testing: data, options).run()
        print(result.testAccuracy ?? 0)
        // end
        #expect(try #require(result.testAccuracy) > 0.9)
        #expect(result.steps == 80)
      }
    }
  }

  /// Points on a circle. The class of a point is 1 in the left half.
  private struct Circle: ExampleSource {
    let count = 256

    func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
      let angles = Tensor(numbers) * (2 * Double.pi / Double(count))
      return (.stacked([angles.cos(), angles.sin()], axis: 1), (angles.cos() .< 0).cast(to: .int32))
    }
  }

  @Test func earlyStopping() throws {
    try withDevice(device) { () throws in
      try withRandomKey(key) { () throws in
        try? FileManager.default.removeItem(atPath: "/tmp/circle")
        let (data, heldOut, model) = (Circle(), Circle(), Sequential { Linear(2, 2) })
        // example
        let options = TrainingOptions(
          length: .epochs(200), batchSize: 32, output: "/tmp/circle", retention: CheckpointRetention(best: .loss))
        let trainer = Trainer(
          model, Adam(learningRate: 0.1), on: data, validating: heldOut,
          observers: [EarlyStopping(.loss, patience: 3, change: 0.01)], options)
        let result = try trainer.run()
        print(result.stopped ?? "all epochs were needed")
        // the validation loss has not improved by more than 0.01 from … for 3 epochs
        let best = try Checkpoint.find("/tmp/circle", .best) { print($0) }
        try best.load(into: model)
        // end
        #expect(result.stopped?.hasPrefix("the validation loss has not improved by more than 0.01 from") == true)
        #expect(result.epochs < 200)
        let measured = try evaluate(model, on: heldOut, batchSize: 32)
        #expect(measured.loss == best.state.results.validation?.loss)
      }
    }
  }

  @Test func observers() throws {
    try withDevice(device) { () throws in
      try withRandomKey(key) { () throws in
        let (data, model) = (Circle(), Sequential { Linear(2, 2) })
        // example
        /// Prints each epoch, stores a checkpoint every hundred steps, and stops when the loss of a step exceeds 100.
        final class Watch: TrainingObserver {
          func didStep(_ progress: TrainingProgress) -> TrainingRequest {
            if let last = progress.lastStep, last.loss > 100 {
              return .stop(reason: "the loss of step \(last.step) is \(last.loss)")
            }
            return progress.step % 100 == 0 ? .saveCheckpoint : .continue
          }

          func didFinishEpoch(_ progress: TrainingProgress) -> TrainingRequest {
            print(progress.epoch, progress.results.train?.loss ?? 0, progress.learningRate)
            return .continue
          }
        }
        let options = TrainingOptions(length: .epochs(5), batchSize: 32)
        let trainer = Trainer(model, Adam(learningRate: 0.1), on: data, observers: [Watch()], options)
        let result = try trainer.run()
        // end
        #expect(result.steps == 40 && result.stopped == nil)
      }
    }
  }

  @Test func runsFromSwift() throws {
    let scratch = try ScratchDirectory()
    let folder = scratch.path + "/run"
    try withDevice(device) { () throws in
      // example
      let settings = try RunSettings("mlp", ["data": "synthetic", "epochs": 1, "batch_size": 500])
      let (run, _) = try Run.train(settings, output: folder)
      let before = try run.evaluate()
      let (longer, result) = try run.resume(["epochs": .integer(run.progress.epochs + 1)])
      let after = try longer.evaluate()
      print(result.steps, before.accuracy ?? 0, after.accuracy ?? 0, run.classNames[0])
      // end
      #expect(after.loss < before.loss)
    }
  }

  @Test func ownLayer() throws {
    try withDevice(device) { () throws in
      // example
      struct Residual: Layer {
        let norm: LayerNorm
        let linear: Linear

        init(_ width: Int) {
          norm = LayerNorm(width)
          linear = Linear(width, width)
        }

        func callAsFunction(_ x: Tensor) -> Tensor { x + linear(norm(x)).gelu() }
      }
      let model = Sequential {
        Residual(8)
        Linear(8, 2)
      }
      print(model.state.entries.map(\.key))
      // ["0.norm.weight", "0.norm.bias", "0.linear.weight", "0.linear.bias", "1.weight", "1.bias"]
      // end
      let keys = ["0.norm.weight", "0.norm.bias", "0.linear.weight", "0.linear.bias", "1.weight", "1.bias"]
      #expect(model.state.entries.map(\.key) == keys)
      // With weights and biases of 0, gelu(0) = 0 is added to the input.
      let block = Residual(8)
      block.linear.weight.value = Tensor.zeros([8, 8])
      block.linear.bias!.value = Tensor.zeros([8])
      let x = Tensor((0..<16).map { Float($0) }, shape: [2, 8])
      #expect(try block(x).array() == x.array())
    }
  }

  @Test func clippedGradients() throws {
    try withDevice(device) { () throws in
      try withRandomKey(key) { () throws in
        // example
        let model = Linear(4, 2)
        let optimizer = Optimizer(SGD(learningRate: 1), for: model)
        let inputs = Tensor.ones([2, 4]) * 100
        let targets = Tensor.zeros([2, 2])
        // By the norm of all gradients together:
        try optimizer.minimize(clipNorm: 1) { meanSquaredError(model(inputs), targets) }
        // By element:
        let (_, gradients) = try optimizer.valueAndGradients { meanSquaredError(model(inputs), targets) }
        try optimizer.update(gradients.clipped(toValue: 0.1))
        // end
        // The gradients are large, so the first update has a norm of 1. The second update has ten elements of at most
        // 0.1 each, so its norm is at most √0.1 < 0.32.
        let start = withRandomKey(key) { Linear(4, 2) }
        let (found, initial) = (try values(model), try values(start))
        var squares: Float = 0
        for (one, other) in zip(found.joined(), initial.joined()) { squares += (one - other) * (one - other) }
        let norm = squares.squareRoot()
        #expect(abs(norm - 1) < 0.32, "\(norm)")
      }
    }
  }

  @Test func mixedPrecision() throws {
    try withDevice(device) { () throws in
      // example
      let model = Linear(16, 4)
      let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model, precision: .mixed)
      let labels = Tensor([0, 1, 2, 3] as [Int32])
      let loss = try withMode(.training) {
        try optimizer.minimize { crossEntropy(model(.ones([4, 16])), labels) }
      }
      print(try loss.scalar(), model.weight.dtype)  // the weights stay float32
      // end
      #expect(try loss.scalar() > 0.5 && loss.scalar() < 5)
      #expect(model.weight.dtype == .float32 && optimizer.lossScaler != nil)
      let product = withPrecision(.mixed) { model(.ones([1, 16])).dtype }
      #expect(product == .float16)
    }
  }

  @Test func profileOfAProduct() throws {
    try withDevice(device) { () throws in
      // example
      let a = Tensor.ones([512, 512])
      let limits = try DeviceLimits.measured(on: a.device)  // takes a second
      let (_, profile) = try Profile.record(on: a.device, limits: limits) { try eval(a.matmul(a)) }
      try profile.write(to: "/tmp/profile.json")
      print(profile.kernels[0].detail, profile.seconds)
      // end
      // Other tests use the device as well, so the profile may contain their kernels.
      let product = profile.kernels.first { $0.detail.hasPrefix("matmul 512x512x512 ") }
      #expect(product?.count == 1 && product?.flops == 2 * 512 * 512 * 512)
      #expect(profile.seconds > 0 && limits.gflops > 0 && limits.gbytesPerSecond > 0)
    }
  }

  @Test func anotherDevice() throws {
    try withDevice(device) { () throws in
      // example
      let model = Linear(4, 2)
      let gpu = try ComputeDevice.named("opencl:0")
      let copy = try withDevice(gpu) { () throws in
        let copy = Linear(4, 2)
        try copy.load(from: model)
        return copy
      }
      let x = Tensor.ones([3, 4])
      print(try copy(x.moved(to: gpu)).array())
      // end
      #expect(copy.weight.value.device == gpu && model.weight.value.device == device)
      let (found, expected) = (try copy(x.moved(to: gpu)).array(), try model(x).array())
      #expect(found.count == 6)
      for (one, other) in zip(found, expected) { #expect(abs(one - other) < 1e-5) }
    }
  }

  @Test func digests() throws {
    try withDevice(device) { () throws in
      // example
      func digest(seed: UInt64) throws -> String {
        let model = withRandomKey(RandomKey(seed: seed)) { Linear(4, 2) }
        let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
        let labels = Tensor([0, 1] as [Int32])
        for _ in 0..<3 {
          try optimizer.minimize { crossEntropy(model(.ones([2, 4])), labels) }
        }
        return try model.state.sha256()
      }
      print(try digest(seed: 1) == digest(seed: 1))  // true
      // end
      #expect(try digest(seed: 1) == digest(seed: 1))
      #expect(try digest(seed: 2) != digest(seed: 1))
    }
  }

  @Test func weightsOfPyTorch() throws {
    try withDevice(device) { () throws in
      let weights = Tensor((0..<16).map { Float($0) }, shape: [2, 8])
      let stored: [String: Tensor] = [
        "module.0.weight": .ones([8, 4]), "module.0.bias": .zeros([8]), "module.2.weight": weights,
        "module.2.bias": .ones([2]),
      ]
      try Safetensors.write(stored, to: "/tmp/net.safetensors")
      // example
      let file = try Safetensors.File(path: "/tmp/net.safetensors")
      var tensors: [String: Tensor] = [:]
      for (key, tensor) in try file.tensors() {
        tensors[key.replacing("module.", with: "")] = tensor
      }
      try Safetensors.write(tensors, to: "/tmp/renamed.safetensors")
      let model = Sequential {
        Linear(4, 8)
        ReLU()
        Linear(8, 2)
      }
      try model.state.load(from: "/tmp/renamed.safetensors")
      // end
      #expect(model.state.entries.map(\.key) == ["0.weight", "0.bias", "2.weight", "2.bias"])
      #expect(try model.state.entries[2].value.array() == weights.array())
      #expect(try model.state.entries[3].value.array() == [1, 1])
    }
  }
}
