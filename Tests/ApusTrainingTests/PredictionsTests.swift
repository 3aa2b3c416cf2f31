import Apus
import ApusTestSupport
import Testing

@testable import ApusTraining

/// Pairs of numbers with their sums.
private struct Sums: ExampleSource {
  let count: Int

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let values = numbers.flatMap { [Float($0), Float($0 * $0 % 7)] }
    let sums = numbers.map { Float($0 + $0 * $0 % 7) }
    return (Tensor(values, shape: [numbers.count, 2]), Tensor(sums, shape: [numbers.count, 1]))
  }
}

/// A source in which the examples `bad` cannot be read. `missing` has their positions in a batch; the inputs of the
/// batch at these positions are wrong.
private struct Holes: ExampleSource {
  let points: Points
  let bad: Set<Int32>
  var count: Int { points.count }

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) { points.examples(numbers) }

  func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    Pass(source: self, batches: batches[first...])
  }

  struct Pass: ExamplePass {
    let source: Holes
    var batches: ArraySlice<[Int32]>
    let waitedSeconds = 0.0
    var missing: [Int] = []

    mutating func next() -> (inputs: Tensor, targets: Tensor)? {
      guard let numbers = batches.popFirst() else { return nil }
      missing = numbers.indices.filter { source.bad.contains(numbers[$0]) }
      let good = Tensor(numbers.map { source.bad.contains($0) ? 0 : 1 as Float }, shape: [numbers.count, 1])
      let (inputs, targets) = source.points.examples(numbers)
      return (inputs * good - 100 * (1 - good), targets)
    }
  }
}

@Suite struct PredictionsTests {
  private let run = SmallRun()

  /// Predictions have the outputs and losses of the model, in the order of the examples, for any batch size and any
  /// size of the last batch; `evaluate` measures the same loss and accuracy.
  @Test func predictionsAgreeWithTheEvaluation() throws {
    try withDevice(run.device) {
      let (model, points) = (run.model(), try Points(count: 43))
      let all = withMode(.inference) { model(points.inputs) }
      let logits = try all.array(of: Float.self)
      let losses = try crossEntropy(all, points.targets, reduction: .none).array(of: Float.self)
      for batchSize in [1, 8, 43, 100] {
        let predictions = try predict(model, on: points, batchSize: batchSize)
        #expect(predictions.count == 43 && predictions.width == 2)
        #expect(predictions.targets == .classes(try points.targets.array(of: Int32.self)))
        for (one, other) in zip(predictions.outputs, logits) { #expect(abs(one - other) < 1e-6) }
        for (one, other) in zip(predictions.losses, losses) { #expect(abs(one - other) < 1e-6) }
        #expect(predictions.outputs.count == logits.count && predictions.losses.count == losses.count)
        let evaluation = try evaluate(model, on: points, batchSize: batchSize)
        let results = try predictions.classification()
        #expect(evaluation.loss == predictions.loss && evaluation.accuracy == results.accuracy)
        #expect(abs(results.logLoss - predictions.loss) < 1e-6)
      }
      let predictions = try predict(model, on: points, batchSize: 8)
      #expect(try predictions.classification(threshold: 1e-9).predicted.allSatisfy { $0 == 1 })
      #expect(throws: TrainingError.self) { try predictions.regression() }
    }
  }

  /// Examples that cannot be read are ignored, also at the beginning of a padded last batch.
  @Test func examplesThatCannotBeReadDoNotCount() throws {
    try withDevice(run.device) {
      let (model, points) = (run.model(), try Points(count: 43))
      let whole = try predict(model, on: points, batchSize: 43)
      for bad: Set<Int32> in [[0, 5, 42], [40], [0, 1, 2, 3, 4, 5, 6, 7]] {
        let source = Holes(points: points, bad: bad)
        let predictions = try predict(model, on: source, batchSize: 8)
        #expect(predictions.examples == (0..<43).filter { !bad.contains(Int32($0)) })
        for (place, number) in predictions.examples.enumerated() {
          #expect(abs(predictions.losses[place] - whole.losses[number]) < 1e-6)
          #expect(abs(predictions.outputs[2 * place] - whole.outputs[2 * number]) < 1e-5)
        }
        let evaluation = try evaluate(model, on: source, batchSize: 8)
        #expect(evaluation.count == 43 - bad.count && evaluation.loss == predictions.loss)
        #expect(try evaluation.accuracy == predictions.classification().accuracy)
        let some = try source.readableExamples([4, 5, 0, 40])
        #expect(some.targets.elementCount == 4 - bad.intersection([4, 5, 0, 40]).count)
      }
      let none = Holes(points: points, bad: Set(0..<43))
      let error = TrainingError.unmeasurable(reason: "none of the 43 examples could be read")
      #expect(throws: error) { try predict(model, on: none, batchSize: 8) }
      #expect(throws: error) { try evaluate(model, on: none, batchSize: 8) }
    }
  }

  @Test func numbersArePredicted() throws {
    try withDevice(run.device) {
      let model = Sequential { Linear(2, 1) }
      model.parameters[0].value = Tensor([1, 1] as [Float], shape: [1, 2])
      model.parameters[1].value = Tensor([0.5] as [Float])
      let predictions = try predict(model, on: Sums(count: 11), objective: .regression, batchSize: 4)
      let results = try predictions.regression()
      #expect(results.count == 11 && results.meanAbsoluteError == 0.5 && results.meanSquaredError == 0.25)
      #expect(predictions.losses == [Float](repeating: 0.25, count: 11) && predictions.loss == 0.25)
      #expect(throws: TrainingError.self) { try predictions.classification() }
    }
  }

  @Test func unmeasurablePredictionsAreErrors() throws {
    try withDevice(run.device) {
      #expect(throws: TrainingError.unmeasurable(reason: "there are no examples")) {
        try predict(Sequential { Linear(2, 3) }, on: Sums(count: 0), batchSize: 2)
      }
      let model = Sequential { Linear(2, 3) }
      let error = #expect(throws: TrainingError.self) {
        try predict(model, on: Sums(count: 5), objective: .regression, batchSize: 2)
      }
      #expect("\(error!)".contains("the model returns [2, 3], which does not fit the targets [2, 1]"), "\(error!)")
      model.parameters[0].value = Tensor.ones([3, 2]) / 0
      struct Classes: ExampleSource {
        let count = 3
        func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
          (Tensor.ones([numbers.count, 2]), Tensor(numbers.map { $0 % 3 }))
        }
      }
      let predictions = try predict(model, on: Classes(), batchSize: 2)
      let broken = #expect(throws: TrainingError.self) { try predictions.classification() }
      #expect("\(broken!)".contains("output 0 for example 0 is"), "\(broken!)")
    }
  }
}
