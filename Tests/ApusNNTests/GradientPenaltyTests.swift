import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// A gradient penalty through a recurrent layer multiplies the number of multiply-adds in a training step, and the
/// number of steps in the plan, by at most 12. The model is that of the benchmark `lstm-rows-b128-h128`: 28 time steps
/// of 28 inputs, 128 units and batches of 128. The penalized loss is `loss + 0.1 · mean((‖∂loss/∂x‖ − 1)²)`.
@Suite struct GradientPenaltyTests {
  struct Rows: Module {
    let lstm = LSTM(28, 128, isBatchFirst: true)
    let head = Linear(128, 10)

    func loss(_ x: Tensor, _ classes: Tensor, isPenalized: Bool) -> Tensor {
      let loss = crossEntropy(head(lstm(x).output[.all, -1]), classes)
      guard isPenalized else { return loss }
      let slope = gradients(of: loss, withRespectTo: [x])[0]
      return loss + (slope.norm(axes: [1, 2]) - 1).squared().mean() * 0.1
    }
  }

  /// The multiply-adds of a plan's products, and the number of its steps. A step inside a loop counts once for each
  /// iteration. A recurrent step counts as two steps for each time step: a product and a cell.
  private func work(_ steps: [Plan.PlannedStep]) -> (products: Int, steps: Int) {
    steps.reduce(into: (0, 0)) { sum, planned in
      switch planned.step {
      case .matmul(let product):
        sum.0 += product.batch.elementCount * product.m * product.n * product.k
        sum.1 += 1
      case .recurrent(let recurrent):
        sum.0 += Int(recurrent.flops / 2)
        sum.1 += 2 * recurrent.geometry.times
      case .loop(let loop):
        let body = work(loop.body.steps)
        sum.0 += loop.count * body.products
        sum.1 += loop.count * body.steps
      default: sum.1 += 1
      }
    }
  }

  @Test func aPenalizedStepCostsAtMostTwelvePlainOnes() throws {
    let recording = RecordingDevice()
    try withDevice(ComputeDevice(backend: recording)) { () throws in
      let found = try [false, true].map { (isPenalized: Bool) in
        let rows = Rows()
        let optimizer = Optimizer(Adam(learningRate: 1e-3), for: rows)
        let (x, classes) = (Tensor.ones([128, 28, 28]), Tensor.zeros([128], dtype: .int32))
        try eval([x, classes])
        try withMode(.training) {
          for _ in 0..<2 { _ = try optimizer.minimize { rows.loss(x, classes, isPenalized: isPenalized) } }
        }
        return work(try #require(recording.plans.last).steps)
      }
      let ratios = (
        Double(found[1].products) / Double(found[0].products), Double(found[1].steps) / Double(found[0].steps)
      )
      #expect(ratios.0 <= 12 && ratios.1 <= 12, "\(ratios)")
      print("acceptance: a gradient penalty through lstm-rows: \(ratios.0) times the products, \(ratios.1) the steps")
    }
  }
}
