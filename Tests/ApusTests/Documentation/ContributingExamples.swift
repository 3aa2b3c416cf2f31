import Apus
import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusRuns
@testable import ApusTensor

// All Swift examples of CONTRIBUTING.md except the second, word for word. `BookTests` compares them with the text. The
// second example is in `Tests/ApusTensorTests/ContributingExamples.swift`.

// example
extension Tensor {
  /// `log(x / (1 − x))`, the inverse of `sigmoid`; infinite at 0 and 1.
  public func logit() -> Tensor { floating.inWideLane { ($0 / (1 - $0)).log() } }
}
// end

extension ElementwiseRow {
  /// Stands for the row (formula) that CONTRIBUTING.md adds to `Kernels/elementwise.def`.
  fileprivate static var logit: ElementwiseRow { .log }
}

@Suite struct ContributingExamples {
  /// The `logit` of the first example is composed of other operations. It is infinite at 0 and 1. At 0.25 it agrees
  /// with the reference function of the third example, an entry of the table in `RowFunctions.swift`.
  @Test func elementwiseOperation() throws {
    let functions: [RowFunction] = [
      // example
      .unary(.logit, on: 0.05...0.95, { $0.logit() }, { log($0 / (1 - $0)) })
      // end
    ]
    let operation = try #require(functions[0].operation)
    let value = try #require(functions[0].numbers)
    try withDevice(.named("cpu")) { () throws in
      let found = try operation.apply([Tensor([0.25, 0.5] as [Float])]).array()
      #expect(abs(Double(found[0]) - value(0.25, 0)) < 1e-6 && found[1] == 0)
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
