import Apus
import ApusTestSupport
import Testing

extension OpCase {
  /// Every operation.
  static let all: [OpCase] =
    rows + elementwise + activations + arithmetic + comparisons + reductions + softmaxes
    + layouts + rearrangements + indexing + scans + sorts
    + matmuls + convolutions + poolings + resizes + large + customOperations
}

/// Every operation on every device.
@Suite struct OpCaseTests {
  @Test(arguments: TestDevice.pairs(TestDevice.all, OpCase.all))
  func equalsTheScalarReference(device: TestDevice, operation: OpCase) throws {
    let problems = try operation.parityProblems(on: device)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  /// Operations on special values, such as infinities and NaN. All cases are evaluated in one plan, so that an OpenCL
  /// device builds their kernels together.
  @Test(arguments: TestDevice.all)
  func specialValuesAreKept(device: TestDevice) throws {
    let cases = SpecialCase.all
    let results = try withDevice(device.device) {
      try checkingShapes {
        cases.map { special in special.apply(special.inputs.map { Tensor(Grid([$0.count], $0), dtype: special.dtype) })
        }
      }
    }
    try eval(results)
    for (special, result) in zip(cases, results) {
      let values = try result.values()
      let isRight = values.count == special.expected.count && zip(values, special.expected).allSatisfy(special.isRight)
      #expect(isRight, "\(special.name) of \(special.dtype): \(values), expected \(special.expected)")
    }
  }

  /// First and second derivatives equal finite differences. They are computed in `float64`, which OpenCL devices need
  /// not support.
  @Test(
    arguments: TestDevice.all.filter { ["reference", "cpu"].contains($0.name) },
    OpCase.all.filter { $0.derivatives != .none })
  func derivativesEqualDifferences(device: TestDevice, operation: OpCase) throws {
    let problems = try operation.gradientProblems(on: device)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  /// Each device except the reference device, with each case whose gradients are compared on it. A case for which
  /// `gradientOrders` throws is kept, so that its test reports the error.
  private static let gradientPairs = TestDevice.pairs(Array(TestDevice.all.dropFirst()), OpCase.all)
    .filter { device, operation in (try? operation.gradientOrders(on: device)) != [] }

  /// Gradients in `float32` equal those of the reference device in `float64`.
  @Test(arguments: gradientPairs)
  func gradientsEqualTheReferenceDevice(device: TestDevice, operation: OpCase) throws {
    let problems = try operation.gradientParityProblems(on: device, oracle: .reference)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }
}
