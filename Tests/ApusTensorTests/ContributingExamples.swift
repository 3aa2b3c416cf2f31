import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusTensor

// The example in CONTRIBUTING.md that adds an operation with a formula of its own (a row of `Kernels/elementwise.def`),
// word for word. `BookTests` compares it with the text. The composed form of the operation is an example in the module
// `ApusTests`.

extension ElementwiseRow {
  /// Stands for the row that the example adds. It computes `log(x)`, so only the gradient rule is tested.
  fileprivate static var logit: ElementwiseRow { .log }
}

// example
extension Op {
  static let logit = function(.logit, gradient: .unary { g, x, _ in g / (x * (1 - x)) })
}

extension Tensor {
  /// `log(x / (1 − x))`, the inverse of `sigmoid`; infinite at 0 and 1.
  public func logit() -> Tensor { widened.apply(.logit) }
}
// end

@Suite struct ContributingExamples {
  /// The gradient rule reads the input of `logit`, not the result, so the stand-in `log` gives the same gradient.
  @Test func gradientRule() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([0.25, 0.5] as [Float])
      let slopes = recordingGradients { gradients(of: x.logit().sum(), withRespectTo: [x])[0] }
      let found = try slopes.array()
      #expect(abs(found[0] - 16.0 / 3) < 1e-5 && found[1] == 4)
    }
  }
}
