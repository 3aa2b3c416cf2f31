import Apus
import ApusDevice
import Foundation
import Testing

@testable import ApusRuns
@testable import ApusTensor

// The Swift examples of CONTRIBUTING.md that are not quoted from other source files, word for word. `BookTests`
// compares them with the text.

// example
extension Tensor {
  /// `log(x / (1 − x))`, the inverse of `sigmoid`; infinite at 0 and 1.
  public func logit() -> Tensor { floating.inWideLane { ($0 / (1 - $0)).log() } }
}
// end

@Suite struct ContributingExamples {
  /// The composed `logit` of the first example is infinite at 0 and 1.
  @Test func composedOperation() throws {
    try withDevice(.named("cpu")) { () throws in
      let found = try Tensor([0.25, 0.5] as [Float]).logit().array()
      #expect(abs(found[0] + 1.0986123) < 1e-6 && found[1] == 0)
      #expect(try Tensor(1).logit().scalar() == .infinity && Tensor(0).logit().scalar() == -.infinity)
    }
  }

  @Test func optionOfARun() throws {
    let options: [RunOption] = [
      // example
      RunOption(
        Option("clip-value", .positiveNumber, help: "clip each element of the gradients to plus or minus X"),
        \.clipValue)
      // end
    ]
    let declaration = options[0].declaration
    let known = try #require(RunOptions.declarations.first { $0.name == declaration.name })
    #expect(declaration.key == "clip_value" && declaration.help == known.help)
  }
}
