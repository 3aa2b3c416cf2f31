import Apus
import ApusTestSupport
import Testing

/// A failed step changes no weights, optimizer state or random key: training continues as if the step had not been
/// tried.
@Suite struct FailedStepTests {
  static let devices = TestDevice.all.filter { $0.name != "reference" }

  /// A small model, and valid and invalid batches for it.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let precision: Precision
    let rule: any UpdateRule
    let model: @Sendable () -> Sequential
    /// The inputs of a step. If `isWrong` is true and the inputs are indices, one index is out of range.
    let inputs: @Sendable (_ step: Int, _ isWrong: Bool) -> Tensor
    let hasIndices: Bool

    var testDescription: String { name }
  }

  static let cases = [
    Case(
      name: "mlp, momentum", precision: .float32, rule: SGD(learningRate: 0.1, momentum: 0.9),
      model: {
        Sequential {
          Linear(6, 8)
          ReLU()
          Linear(8, 5)
        }
      }, inputs: numbers([4, 6]), hasIndices: false),
    Case(
      name: "convolution, batch norm and dropout, Adam in mixed precision", precision: .mixed,
      rule: Adam(learningRate: 0.01),
      model: {
        Sequential {
          Convolution<2>(2, 4, kernel: 3)
          BatchNorm(4)
          ReLU()
          Flatten()
          Dropout(0.5)
          Linear(4 * 3 * 3, 5)
        }
      }, inputs: numbers([4, 2, 5, 5]), hasIndices: false),
    Case(
      name: "embedding and LSTM, Adam", precision: .float32, rule: Adam(learningRate: 0.01),
      model: {
        Sequential {
          Embedding(7, 4)
          LastOutput(LSTM(4, 6, isBatchFirst: true))
          Linear(6, 5)
        }
      },
      inputs: { step, isWrong in
        var tokens = (0..<12).map { Int32(($0 * 5 + step) % 7) }
        if isWrong { tokens[7] = 7 }
        return Tensor(tokens, shape: [4, 3])
      }, hasIndices: true),
  ]

  private static func numbers(_ shape: Shape) -> @Sendable (Int, Bool) -> Tensor {
    { step, _ in
      Tensor((0..<shape.elementCount).map { Float(($0 * 37 + step * 11) % 23) / 8 - 1 }, shape: shape)
    }
  }

  private struct LastOutput: Layer {
    let lstm: LSTM
    init(_ lstm: LSTM) { self.lstm = lstm }
    func callAsFunction(_ x: Tensor) -> Tensor { lstm(x).output[.all, -1] }
  }

  private static func labels(_ step: Int, isWrong: Bool) -> Tensor {
    var list = (0..<4).map { Int32(($0 + step) % 5) }
    if isWrong { list[2] = 5 }
    return Tensor(list)
  }

  /// A model in training, and all state that a step changes.
  private final class Run {
    let model: Sequential
    let optimizer: Optimizer
    let source = RandomSource(RandomKey(seed: 3))

    init(_ item: Case) {
      model = withRandomKey(RandomKey(seed: 1), item.model)
      optimizer = Optimizer(item.rule, for: model, precision: item.precision)
    }

    func step(_ x: Tensor, _ classes: Tensor) throws -> Double {
      try withRandomSource(source) {
        try withMode(.training) { try optimizer.minimize { crossEntropy(model(x), classes) }.scalar() }
      }
    }

    func state() throws -> [[UInt8]] {
      let values = model.state.entries.map(\.value) + optimizer.state.map(\.value)
      return try values.map { try $0.withBytes { Array($0) } } + [Array("\(optimizer.step) \(source.key)".utf8)]
    }
  }

  @Test(arguments: TestDevice.pairs(devices, cases)) func failedStepsChangeNothing(_ test: TestDevice, _ item: Case)
    throws
  {
    let failing = FailingDevice(try test.backend())
    try withDevice(ComputeDevice(backend: failing)) { () throws in
      let (plain, tried) = (Run(item), Run(item))
      var failures = 0
      for step in 0..<4 {
        let (x, classes) = (item.inputs(step, false), Self.labels(step, isWrong: false))
        let before = try tried.state()
        func fails(_ message: String, _ x: Tensor, _ classes: Tensor) throws {
          let error = #expect(throws: DeviceError.self) { _ = try tried.step(x, classes) }
          #expect(error?.description.contains(message) == true, "\(String(describing: error))")
          #expect(try tried.state() == before, "\(item.name), step \(step), after \(message)")
          failures += 1
        }
        try fails("crossEntropy: index 5 at [2] is not in 0 ..< 5", x, Self.labels(step, isWrong: true))
        if item.hasIndices {
          try fails("Embedding: index 7 at [2, 1] is not in 0 ..< 7", item.inputs(step, true), classes)
        }
        for failure: FailingDevice.Failure in [.allocation(after: 0), .run] {
          failing.fail(failure)
          let error = Result { try tried.step(x, classes) }
          if failing.isWaiting {
            // The requested failure did not occur: the step allocated no buffer, or another value failed first.
            failing.fail(nil)
            Issue.record("\(failure) did not occur")
          }
          guard case .failure = error else {
            Issue.record("\(failure) was not reported")
            return
          }
          #expect(try tried.state() == before, "\(item.name), step \(step), after \(failure)")
          failures += 1
        }
        let loss = try plain.step(x, classes)
        #expect(try tried.step(x, classes) == loss)
        #expect(try tried.state() == plain.state(), "\(item.name), step \(step)")
      }
      #expect(failures == (item.hasIndices ? 16 : 12))
    }
  }

  /// If the closure of `minimize` throws, the random key and the statistics that the closure assigned get their old
  /// values back.
  @Test func closuresThatThrow() throws {
    struct Mistake: Error {}
    try withDevice(TestDevice.reference.device) { () throws in
      let run = Run(Self.cases[1])
      let before = try run.state()
      #expect(throws: Mistake.self) {
        try withRandomSource(run.source) {
          try withMode(.training) {
            _ = try run.optimizer.minimize {
              _ = try run.model(Self.cases[1].inputs(0, false)).array()
              throw Mistake()
            }
          }
        }
      }
      #expect(try run.state() == before)
    }
  }

  /// If the second of two accumulated batches fails, the first batch has no effect either.
  @Test func accumulatedSteps() throws {
    for test in TestDevice.all.prefix(2) {
      try withDevice(test.device) { () throws in
        let run = Run(Self.cases[1])
        let before = try run.state()
        let error = #expect(throws: DeviceError.self) {
          try withRandomSource(run.source) {
            try withMode(.training) {
              _ = try run.optimizer.minimize(over: 2) { batch in
                crossEntropy(run.model(Self.cases[1].inputs(batch, false)), Self.labels(batch, isWrong: batch == 1))
              }
            }
          }
        }
        #expect(error != nil)
        #expect(try run.state() == before, "\(test.name)")
      }
    }
  }

  /// If a value that is evaluated along with a step fails, the step still takes effect.
  @Test(arguments: TestDevice.all) func failedMeasuresDoNotUndoTheStep(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let run = Run(Self.cases[0])
      let (x, classes) = (Self.cases[0].inputs(0, false), Self.labels(0, isWrong: false))
      let measure = Tensor([1, 2, 3] as [Float]).gathering(Tensor([0, 3] as [Int32]), axis: 0).sum()
      measure.evaluateWithNext()
      let before = try run.state()
      _ = try run.step(x, classes)
      #expect(try run.state() != before)
      #expect(throws: DeviceError.self) { try measure.scalar() }
    }
  }
}
