import ApusData
import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

@testable import ApusTraining

struct LayerwisePretrainingTests {
  /// 64 points of a plane in a space with one dimension for each element of `shape`. As a plane has two dimensions, a
  /// layer of a few units can reconstruct the points.
  private struct Plane: ExampleSource {
    let points: Tensor
    let shape: Shape
    var count: Int { 64 }

    init(_ shape: Shape) throws {
      var key = RandomKey(seed: 3)
      let size = shape.elementCount
      points = try eval(Tensor.normal([64, 2], key: &key).matmul(Tensor.normal([2, size], key: &key)))
      self.shape = shape
    }

    func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
      let rows = points.gathering(Tensor(numbers), axis: 0)
      return (rows.reshaped(to: Shape([numbers.count] + Array(shape))), Tensor.zeros([numbers.count], dtype: .int32))
    }
  }

  private func dense() -> Sequential {
    withRandomKey(RandomKey(seed: 1)) {
      Sequential {
        Linear(12, 6)
        Tanh()
        Dropout(0.5)
        Linear(6, 4)
        Sigmoid()
        Linear(4, 2)
      }
    }
  }

  @Test(arguments: [0.0, 0.2]) func everyLayerLearnsToGiveBackItsInput(_ corruption: Double) throws {
    let model = dense()
    let before = try model.state.entries.map { try $0.value.array(of: Float.self) }
    let pretraining = LayerwisePretraining(
      steps: 300, batchSize: 32, rule: Adam(learningRate: 0.02), corruption: corruption)
    let outcomes = try pretraining(model, on: Plane([12]))
    #expect(outcomes.map(\.index) == [0, 3])
    for outcome in outcomes { #expect(outcome.lastLoss < 0.5 * outcome.firstLoss, "\(outcome)") }
    let after = try model.state.entries.map { try $0.value.array(of: Float.self) }
    #expect(zip(before, after).map { $0 != $1 } == [true, true, true, true, false, false])
    let again = dense()
    #expect(try pretraining(again, on: Plane([12])) == outcomes)
  }

  /// Dropout layers of any kind do not count as the activation of a layer. An activation that uses random numbers in
  /// training, such as `RReLU`, counts.
  @Test func dropoutLayersAreNoActivations() throws {
    for dropping: any Layer in [Dropout(0.5), AlphaDropout(0.5), FeatureAlphaDropout(0.5), Dropout2d(0.5)] {
      let model = Sequential([
        Conv2d(1, 2, kernel: 3), dropping, RReLU(), Flatten(), Linear(6, 4), RReLU(), Linear(4, 2),
      ])
      let outcomes = try LayerwisePretraining(steps: 3, batchSize: 32)(model, on: Plane([1, 3, 5]))
      #expect(outcomes.map(\.index) == [0, 4], "\(dropping)")
    }
  }

  /// If the loss of a layer is not finite, the following layers are not pretrained.
  @Test func lossesThatAreNotFiniteStopPretraining() throws {
    let model = dense()
    let second = try model.state.entries[2].value.array(of: Float.self)
    let pretraining = LayerwisePretraining(steps: 4, batchSize: 32, rule: SGD(learningRate: 1e30))
    let error = #expect(throws: TrainingError.self) { try pretraining(model, on: Plane([12])) }
    guard case .diverged(step: 4, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try model.state.entries[2].value.array(of: Float.self) == second)
  }

  /// The input of a convolution, also with a stride, is reconstructed with the weights of the convolution.
  @Test func convolutions() throws {
    let model = withRandomKey(RandomKey(seed: 1)) {
      Sequential {
        Conv2d(1, 4, kernel: 3, stride: 2, padding: 1)
        ReLU()
        Flatten()
        Linear(4 * 2 * 3, 2)
      }
    }
    let outcomes = try LayerwisePretraining(steps: 200, batchSize: 32, rule: Adam(learningRate: 0.01))(
      model, on: Plane([1, 3, 5]))
    #expect(outcomes.count == 1 && outcomes[0].lastLoss < 0.5 * outcomes[0].firstLoss, "\(outcomes)")
  }
}
