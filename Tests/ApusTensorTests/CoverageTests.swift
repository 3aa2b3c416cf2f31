import ApusTestSupport
import Foundation
import Testing

@testable import ApusTensor

/// Checks that every public method and operation of `Sources/ApusTensor/Ops` and every gradient rule has a case, that
/// the cases include the smallest shapes, and that no device is missing.
@Suite struct CoverageTests {
  /// Methods that other suites test, with the name of the suite.
  private static let others = [
    "compressed": "TensorTests", "trueIndices": "TensorTests", "withGradient": "CustomGradientTests",
    "checkpointed": "CustomGradientTests", "promoted": "PromotionTests", "+=": "LifetimeTests", "-=": "PromotionTests",
    "*=": "PromotionTests", "/=": "PromotionTests", "loop": "LoopTests",
    "input": "CustomOperationTests", "result": "CustomOperationTests",
  ]

  /// Operations that other suites test: random numbers, custom gradients, loops, custom operations without a gradient
  /// rule, attention, recurrent layers and row writes.
  private static let withoutCase: Set<String> = [
    "customGradient", "customGradientResults", "alias", "loop", "unitFloat", "randomBits", "customWithoutGradient",
    "attention", "attentionGradient", "recurrent", "recurrentGradient", "rowWrite",
  ]

  /// Whether a case may lack an empty shape, because its subscript or its result fixes the shapes, or because it is a
  /// reduction over all axes that is not compared for empty inputs.
  private static func admitsNoEmptyShape(_ name: String) -> Bool {
    let fixed: Set<String> = [
      "broadcast", "subscript(ranges)", "subscript(beyond)", "subscript(empty)", "replacing", "replacing(index)",
    ]
    let reductions = [
      "mean", "min", "max", "variance", "standardDeviation", "logSumExp", "norm", "norm(1)", "norm(3)",
      "norm(infinite)",
    ]
    return fixed.contains(name) || reductions.contains { name == $0 + "(all)" }
  }

  /// Every case with inputs, except the large cases, has an input shape without elements (exceptions:
  /// `admitsNoEmptyShape`), and an input shape with an axis of extent 1 or without axes (exceptions: `fixed`).
  @Test func everyCaseHasTheSmallestShapes() {
    let large = Set(OpCase.large.map(\.name))
    let cases = OpCase.all.filter { !$0.inputs.isEmpty && !large.contains($0.name) }
    #expect(cases.count > 200)
    let extents = { (operation: OpCase) in operation.shapes.flatMap { $0 } }
    let withoutEmpty = cases.filter { !extents($0).contains { $0.contains(0) } }.map(\.name)
    #expect(withoutEmpty.filter { !CoverageTests.admitsNoEmptyShape($0) } == [])
    let fixed: Set<String> = ["subscript(ranges)", "subscript(beyond)", "subscript(empty)"]
    let withoutOne = cases.filter { !extents($0).contains { $0.isEmpty || $0.contains(1) } }.map(\.name)
    #expect(withoutOne.filter { !fixed.contains($0) } == [])
  }

  private func sources(_ folder: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/ApusTensor/\(folder)")
    return try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "swift" }.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
  }

  @Test func everyPublicMethodHasACase() throws {
    let cases = Set(OpCase.all.map(\.method)).union(CoverageTests.others.keys)
    let name = /public (?:static |prefix )*func (\.[<>=!]+|\S+?)[\s(<]/
    let methods = try sources("Ops").matches(of: name).map { String($0.1) }
    #expect(methods.count > 100)
    #expect(Set(methods).subtracting(cases).sorted() == [])
  }

  @Test func everyOperationIsInACase() throws {
    var seen = CoverageTests.withoutCase
    try withDevice(TestDevice.reference.device) { () throws in
      for operation in OpCase.all {
        for tensors in derivatives(of: operation) { collect(tensors, &seen) }
      }
    }
    // In the source, the name of an operation is a string literal or the name of its row of `elementwise.def`.
    let pattern = /static let \w+(?:: Op)? =\s*(?:Op\(\s*name: |\w+\(\s*)(?:"(\w+)"|\.(\w+)[,)])/
    let operations = try sources("Ops").matches(of: pattern).compactMap { ($0.1 ?? $0.2).map(String.init) }
    #expect(operations.count > 80)
    #expect(Set(operations).subtracting(seen).sorted() == [])
  }

  /// Each gradient rule is compared with finite differences. `found` collects the operations with a gradient rule from
  /// the graphs of each case's result and of its first and second derivatives. `compared` collects them only from the
  /// graphs that the case differentiates: the graph of the result and, if the case compares second derivatives, the
  /// graph of the first derivatives.
  @Test func everyGradientRuleIsCompared() throws {
    var (found, compared) = (Set<String>(), Set<String>())
    try withDevice(TestDevice.reference.device) { () throws in
      for operation in OpCase.all {
        let orders = derivatives(of: operation)
        for tensors in orders { collect(tensors, &found, where: \.isDifferentiable) }
        for tensors in orders.dropLast() { collect(tensors, &compared, where: \.isDifferentiable) }
      }
    }
    #expect(found.count > 50)
    #expect(found.subtracting(compared).subtracting(CoverageTests.withoutCase).sorted() == [])
  }

  /// The result of a case and its derivatives, up to the order that the case compares. Entry `n + 1` contains the
  /// gradients of `Σ x²`, the sum over all elements `x` of the tensors in entry `n`.
  private func derivatives(of operation: OpCase) -> [[Tensor]] {
    let dtype = operation.dtypes.first(where: \.isFloatingPoint) ?? operation.dtypes[0]
    let inputs = operation.tensors(operation.grids(0, dtype: dtype), dtype: dtype)
    let numbers = inputs.filter { $0.dtype.isFloatingPoint }
    let order = operation.derivatives == .none ? 0 : operation.derivatives == .first ? 1 : 2
    var orders = [[operation.apply(inputs)]]
    for last in 0..<order {
      let sum = orders[last].reduce(.zeros([], dtype: dtype)) { $0 + $1.squared().sum() }
      orders.append(gradients(of: sum, withRespectTo: numbers))
    }
    return orders
  }

  private func collect(
    _ tensors: [Tensor], _ names: inout Set<String>, where condition: (Node) -> Bool = { _ in true }
  ) {
    var seen: Set<ObjectIdentifier> = []
    var stack = tensors.map(\.node)
    while let node = stack.popLast() {
      guard seen.insert(ObjectIdentifier(node)).inserted else { continue }
      if condition(node) { names.insert(node.op.name) }
      for index in 0..<node.inputCount { stack.append(node.input(index)) }
    }
  }

  /// A missing device is a failure, not a skip.
  @Test func everyDeviceIsThere() {
    #expect(TestDevice.problems == [])
    for kind in TestDevice.kinds {
      #expect(TestDevice.all.contains { $0.name.hasPrefix(kind == .cpu ? "cpu" : "\(kind):0") }, "\(kind)")
    }
  }

  /// Tests leave out `float64` on devices without it. This test is then reported as skipped, so that the log shows it.
  @Test(
    .enabled(
      if: TestDevice.all.allSatisfy { $0.device.info.supportsFloat64 },
      "a device has no float64 and was tested without it: `apus devices` shows which"))
  func everyDeviceComputesInFloat64() throws {
    for device in TestDevice.all {
      try withDevice(device.device) { () throws in
        let sum = Tensor([0.1] as [Double]) + Tensor([0.2] as [Double])
        #expect(try sum.values() == [0.1 + 0.2], "\(device.name)")
      }
    }
  }
}
