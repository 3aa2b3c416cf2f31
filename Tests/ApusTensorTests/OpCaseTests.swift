import Apus
import ApusTestSupport
import Testing

extension OpCase {
  /// Every operation.
  static let all: [OpCase] =
    elementwise + activations + arithmetic + comparisons + reductions + softmaxes
    + layouts + rearrangements + indexing + scans + sorts
    + products + convolutions + poolings + resizes + large + customOperations
}

/// Every operation on every device.
@Suite struct OpCaseTests {
  @Test(arguments: TestDevice.all, OpCase.all)
  func equalsTheScalarReference(device: TestDevice, operation: OpCase) throws {
    let problems = try operation.parityProblems(on: device)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  /// First and second derivatives in `float64`, where OpenCL devices need not have it.
  @Test(
    arguments: TestDevice.all.filter { ["reference", "cpu"].contains($0.name) },
    OpCase.all.filter { $0.derivatives != .none })
  func derivativesEqualDifferences(device: TestDevice, operation: OpCase) throws {
    let problems = try operation.gradientProblems(on: device)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  @Test(arguments: TestDevice.all.dropFirst(), OpCase.all.filter { $0.derivatives != .none })
  func gradientsEqualTheOracle(device: TestDevice, operation: OpCase) throws {
    let problems = try operation.gradientParityProblems(on: device, oracle: .reference)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }
}
