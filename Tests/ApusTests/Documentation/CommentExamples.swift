import Apus
import ApusRuns
import ApusTestSupport
import Foundation
import Testing

/// The Swift examples in the comments of `Sources`, word for word. `BookTests` compares them with the lines between
/// `example` and `end`.
@Suite struct CommentExamples {
  let device: ComputeDevice

  init() throws { device = try ComputeDevice.named("cpu") }

  // MARK: - Runs

  @Test func runs() throws {
    let scratch = try ScratchDirectory()
    let (folder, file) = (scratch.path + "/run", scratch.path + "/black.png")
    let image = Image(height: 28, width: 28, channels: 1, pixels: [UInt8](repeating: 0, count: 784))
    try Data(image.pngData()).write(to: URL(filePath: file))
    try withDevice(device) { () throws in
      let short: JSONObject = ["data": "synthetic", "epochs": 1, "train_count": 256, "keep": "best"]
      _ = try Run.train(RunSettings("mlp", short), output: folder)
      // example
      let run = try Run(at: folder, checkpoint: .best)
      let evaluation = try run.evaluate()
      print(evaluation.loss, evaluation.accuracy ?? 0)
      for prediction in try run.predict([file]) { print(prediction.name ?? "", prediction.probability ?? 0) }
      // end
      #expect(evaluation.count > 0)
    }
  }

  @Test func settingsOfRuns() throws {
    // example
    let settings = try RunSettings("lenet5", ["data": "synthetic", "epochs": 2, "early_stop": "loss:patience=3"])
    // end
    #expect(settings.earlyStop?.patience == 3 && settings.data == "synthetic")
  }

  // MARK: - Tensors

  @Test func anomalies() throws {
    try withDevice(device) { () throws in
      let (model, images, labels) = classifier()
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
      // example
      try detectingAnomalies {
        try optimizer.minimize { crossEntropy(model(images), labels) }
      }
      // end
      #expect(throws: (any Error).self) {
        try detectingAnomalies { try optimizer.minimize { (model(images) * .infinity).sum() } }
      }
    }
  }

  @Test func customOperation() throws {
    try withDevice(device) { () throws in
      let x = Tensor([60] as [Float])
      // example
      let softCap = CustomOperation(
        "softCap", inputs: ["x"], results: ["y"],
        types: { [$0[0]] },
        text: "y[i] = x[i] / (1 + fabs(x[i]) / 30);",
        host: { items in
          let (x, y) = (items.input(0, of: Float.self), items.result(0, of: Float.self))
          for i in items.range { y[i] = x[i] / (1 + abs(x[i]) / 30) }
        },
        gradient: { gradients, _, results in [gradients[0]! * (1 - results[0].abs() / 30).squared()] })
      let y = softCap([x])[0]
      // end
      #expect(try y.array() == [20])
    }
  }

  @Test func loops() throws {
    try withDevice(device) { () throws in
      let (x, h0) = (Tensor.ones([3, 2, 4]), Tensor.zeros([2, 4]))
      // example
      // x: [T, batch, size]. states: [T, batch, size], an exponential moving average of x along T.
      let (last, states) = loop(over: [x], carrying: [h0]) { carried, elements in
        let h = carried[0] * 0.9 + elements[0] * 0.1
        return ([h], [h])
      }
      // end
      #expect(states[0].shape == [3, 2, 4])
      let value = try #require(try last[0].array().first)
      #expect(abs(value - 0.271) < 1e-6)
    }
  }

  @Test func errorsAtTheTopLevel() throws {
    try withDevice(device) { () throws in
      let path = "/tmp/comment-model.safetensors"
      let model = Linear(2, 2)
      try model.state.save(to: path)
      let saved = try model.weight.value.array()
      model.weight.value = .zeros([2, 2])
      // example
      reportingErrors {
        try model.state.load(from: path)
      }
      // end
      #expect(try saved.contains { $0 != 0 } && model.weight.value.array() == saved)
    }
  }

  // MARK: - Layers

  /// A classifier with two classes, and three examples, which are vectors of four numbers, with their labels.
  private func classifier() -> (model: Sequential, images: Tensor, labels: Tensor) {
    let model = withRandomKey(RandomKey(seed: 1)) {
      Sequential {
        Linear(4, 8)
        Tanh()
        Linear(8, 2)
      }
    }
    var key = RandomKey(seed: 2)
    return (model, .normal([3, 4], key: &key), Tensor([0, 1, 1] as [Int32]))
  }

  @Test func chains() throws {
    try withDevice(device) { () throws in
      // example
      let model = Sequential {
        Linear(784, 128)
        ReLU()
        Linear(128, 10)
      }
      // end
      #expect(try eval(model(.zeros([1, 784]))).shape == [1, 10])
    }
  }

  @Test func layersWithTheirOwnMode() throws {
    try withDevice(device) { () throws in
      // example
      let model = Sequential {
        Conv2d(3, 8, kernel: 3)
        BatchNorm(8).inMode(.inference)
      }
      // end
      let x = Tensor.ones([2, 3, 4, 4])
      #expect(try withMode(.training) { try model(x).array() } == withMode(.inference) { try model(x).array() })
    }
  }

  /// A model with a backbone and a head.
  private struct Network: Module {
    let backbone = Sequential { BatchNorm(4) }
    let fc = Linear(4, 2)
    let head = Dropout(0.5)

    func callAsFunction(_ x: Tensor) -> Tensor { head(fc(backbone(x))) }
  }

  @Test func modesOfParts() throws {
    try withDevice(device) { () throws in
      let model = Network()
      let x = Tensor.ones([64, 4])
      // example
      let y = withMode(.inference, of: model, where: { $0.hasPrefix("backbone.") }) {
        withMode(.training) { model(x) }
      }
      // end
      #expect(try y.array().contains(0))
    }
  }

  @Test func frozenParameters() throws {
    withDevice(device) {
      let model = Network()
      // example
      model.freeze { !$0.hasPrefix("fc.") }
      // end
      #expect(model.state.entries.filter { $0.parameter?.isTrainable == true }.map(\.key) == ["fc.weight", "fc.bias"])
    }
  }

  @Test func otherTypes() throws {
    try withDevice(device) { () throws in
      let (model, x, _) = classifier()
      // example
      model.convert(to: .float64)
      let y = model(x.cast(to: .float64))
      // end
      #expect(try eval(y).dtype == .float64)
    }
  }

  @Test func cachedKeys() throws {
    try withDevice(device) { () throws in
      let attention = MultiheadAttention(8, heads: 2)
      let elements = [Tensor.ones([1, 1, 8]), Tensor.zeros([1, 1, 8])]
      var outputs: [Tensor] = []
      // example
      var cache = attention.makeCache(batch: 1, capacity: 256)
      for element in elements {  // [1, batch, size]
        outputs.append(attention(element, cache: &cache))
      }
      // end
      #expect(outputs.map(\.shape) == [[1, 1, 8], [1, 1, 8]])
    }
  }

  // MARK: - Optimizers

  @Test func steps() throws {
    try withDevice(device) { () throws in
      let (model, images, labels) = classifier()
      // example
      let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model)
      let loss = try optimizer.minimize { crossEntropy(model(images), labels) }
      // end
      #expect(try loss.scalar() > 0)
    }
  }

  @Test func compiledSteps() throws {
    try withDevice(device) { () throws in
      let (model, images, labels) = classifier()
      // example
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
      let step = CompiledStep(optimizer) { batch in crossEntropy(model(batch[0]), batch[1]) }
      let loss = try withMode(.training) { try step([images, labels]) }
      // end
      #expect(try loss.scalar() > 0)
    }
  }

  @Test func mixedPrecision() throws {
    try withDevice(device) { () throws in
      let (model, images, labels) = classifier()
      // example
      let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model, precision: .mixed)
      // end
      #expect(try optimizer.minimize { crossEntropy(model(images), labels) }.scalar() > 0)
    }
  }

  @Test func penalties() throws {
    try withDevice(device) { () throws in
      let (model, images, labels) = classifier()
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
      // example
      let penalty = Penalty(.squaredL2(1e-4), on: model)
      try optimizer.minimize { crossEntropy(model(images), labels) + penalty() }
      // end
      #expect(try penalty().scalar() > 0)
    }
  }

  @Test func averages() throws {
    try withDevice(device) { () throws in
      let (model, images, labels) = classifier()
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: model)
      let testData = Rows()
      // example
      let average = try ModelAverage(of: model, .exponential(decay: 0.999))
      try optimizer.minimize { crossEntropy(model(images), labels) }
      try average.update()
      let result = try withValues(average.values) { try evaluate(model, on: testData, batchSize: 100) }
      // end
      #expect(result.metrics.loss > 0)
    }
  }

  @Test func layersOfAModel() throws {
    try withDevice(device) { () throws in
      let images = Tensor.zeros([2, 1, 8, 8])
      // example
      struct Block: Layer {
        let conv1 = Conv2d(1, 4, kernel: 3, padding: 1)
        let conv2 = Conv2d(4, 4, kernel: 3, padding: 1)
        let pool = MaxPool2d(2)

        func callAsFunction(_ x: Tensor) -> Tensor {
          let y = conv2(conv1(x).relu())
          return LayerTrace.run("pool", pool, y)
        }
      }
      let model = Sequential {
        Block()
        Flatten()
        Linear(64, 10)
      }
      let trace = withMode(.inference) { LayerTrace(of: model, on: images) }
      for record in trace.layers { print(record.path, record.output.shape) }
      // 0.conv1 [2, 4, 8, 8]
      // 0.conv2 [2, 4, 8, 8]
      // 0.pool [2, 4, 4, 4]
      // 1 [2, 64]
      // 2 [2, 10]
      // end
      let lines = trace.layers.map { "\($0.path) \($0.output.shape)" }
      #expect(
        lines == ["0.conv1 [2, 4, 8, 8]", "0.conv2 [2, 4, 8, 8]", "0.pool [2, 4, 4, 4]", "1 [2, 64]", "2 [2, 10]"])
    }
  }

  @Test func seedOfAModel() throws {
    try withDevice(device) { () throws in
      // example
      let model = withRandomKey(RandomKey(seed: 1)) { Linear(784, 10) }
      // end
      let other = withRandomKey(RandomKey(seed: 1)) { Linear(784, 10) }
      #expect(try model.weight.value.array() == other.weight.value.array())
    }
  }

  @Test func unitVariances() throws {
    try withDevice(device) { () throws in
      let (model, images, _) = classifier()
      // example
      let outcomes = try LSUV()(model, on: images)
      // end
      #expect(outcomes.count == 2)
    }
  }

  @Test func segmentsOfASequence() throws {
    try withDevice(device) { () throws in
      let (lstm, head) = (LSTM(3, 8), Linear(8, 1))
      let optimizer = Optimizer(SGD(learningRate: 0.1), for: lstm)
      let chunks = (0..<2).map { _ in (inputs: Tensor.ones([5, 2, 3]), targets: Tensor.zeros([5, 2, 1])) }
      // example
      var state: LSTM.State?
      for chunk in chunks {
        let loss = try optimizer.minimize {
          let found = lstm(chunk.inputs, state: state)
          state = found.state.stopGradient()
          return meanSquaredError(head(found.output), chunk.targets)
        }
        print(try loss.scalar())
      }
      // end
      #expect(try #require(state).hidden.array().contains { $0 != 0 })
    }
  }
}

/// The Swift examples in the comments about training, word for word, compared like those in `CommentExamples`.
@Suite struct CommentTrainingExamples {
  let device: ComputeDevice
  private let train = Rows()
  private let test = Rows()

  init() throws { device = try ComputeDevice.named("cpu") }

  private func makeModel() -> Sequential { Sequential { Linear(4, 2) } }

  @Test func runs() throws {
    try withDevice(device) { () throws in
      // example
      let seeds = RunSeeds(1)
      let model = withRandomKey(seeds.initialization) { makeModel() }
      let trainer = Trainer(model, Adam(), on: train, testing: test, TrainingOptions(length: .epochs(5), seed: 1))
      let result = try trainer.run()
      // end
      #expect(result.epochs == 5)
    }
  }

  @Test func observers() throws {
    try withDevice(device) { () throws in
      let (model, options) = (makeModel(), TrainingOptions(length: .steps(1200)))
      // example
      final class Budget: TrainingObserver {
        func didStep(_ progress: TrainingProgress) -> TrainingRequest {
          progress.step == 1000 ? .stop(reason: "the budget is used up") : .continue
        }
      }
      let trainer = Trainer(model, Adam(), on: train, observers: [Budget()], options)
      // end
      let result = try trainer.run()
      #expect(result.steps == 1000 && result.stopped == "the budget is used up")
    }
  }

  @Test func earlyStopping() throws {
    try withDevice(device) { () throws in
      let (model, held, options) = (makeModel(), test, TrainingOptions(length: .epochs(20)))
      // example
      let stopping = EarlyStopping(.loss, patience: 5)
      let trainer = Trainer(model, Adam(), on: train, validating: held, observers: [stopping], options)
      print(try trainer.run().stopped ?? "all epochs were needed")
      // end
      #expect(stopping.best != nil)
    }
  }

  @Test func events() throws {
    try? FileManager.default.removeItem(atPath: "/tmp/events")
    // example
    let events = try EventFile(folder: "/tmp/events")
    events.add(scalar: 0.4213, "loss/train", step: 469)
    try events.flush()
    // end
    #expect(FileManager.default.fileExists(atPath: events.path))
  }

  @Test func eventsOfARun() throws {
    try? FileManager.default.removeItem(atPath: "/tmp/tensorboard")
    try withDevice(device) { () throws in
      let (model, options) = (makeModel(), TrainingOptions(length: .epochs(2)))
      // example
      let log = try TensorBoardLog(folder: "/tmp/tensorboard")
      let trainer = Trainer(model, Adam(), on: train, observers: [log], options)
      // end
      _ = try trainer.run()
      #expect(try FileManager.default.contentsOfDirectory(atPath: "/tmp/tensorboard").count == 1)
    }
  }

  @Test func profiles() throws {
    try withDevice(device) { () throws in
      func train() throws { _ = try eval(makeModel()(.ones([3, 4]))) }
      // example
      let limits = try DeviceLimits.measured(on: .current)
      let (_, profile) = try Profile.record(on: .current, limits: limits) { for _ in 0..<3 { try train() } }
      try profile.write(to: "/tmp/profile.json")
      // end
      #expect(!profile.records.isEmpty)
    }
  }

  @Test func pretraining() throws {
    try withDevice(device) { () throws in
      let images = train
      let model = Sequential {
        Linear(4, 8)
        Tanh()
        Linear(8, 2)
      }
      // example
      let outcomes = try LayerwisePretraining(steps: 500)(model, on: images)
      // end
      #expect(outcomes.count == 1 && outcomes[0].lastLoss < outcomes[0].firstLoss)
    }
  }
}

/// Four examples of four numbers each, in two classes.
private struct Rows: ExampleSource {
  let count = 4

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let labels = Tensor(numbers.map { $0 % 2 })
    return (Tensor.ones([numbers.count, 4]) * labels.cast(to: .float32).reshaped(to: [-1, 1]), labels)
  }
}
