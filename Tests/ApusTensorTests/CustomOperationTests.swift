import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTensor

/// User-defined operations: several inputs and results, gradients, reuse of plans, 16-bit types, invalid source,
/// missing code, and the errors for wrong calls and wrong gradient rules.
@Suite struct CustomOperationTests {
  private static let x = (0..<12).map { Float(($0 * 7) % 11) / 4 - 1 }

  /// Views and scalars as inputs, other operations before and after, use in a loop, and a result that is never read.
  @Test(arguments: TestDevice.all) func severalInputsAndResults(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor(CustomOperationTests.x, shape: [4, 3])
      let w = Tensor([2, -1, 0.5] as [Float])
      func expected(_ x: [Float], _ w: [Float]) -> (sum: [Float], y: [Float]) {
        var (sums, y): ([Float], [Float]) = ([], [])
        for start in stride(from: 0, to: x.count, by: w.count) {
          let sum: Float = x[start..<start + w.count].reduce(0, +)
          sums.append(sum)
          for place in w.indices { y.append(x[start + place] * w[place] - sum) }
        }
        return (sums, y)
      }
      let plain = CustomOperation.weighing([x, w])
      let wide = CustomOperation.weighing([(x * 2).transposed(), Tensor.number(3, shape: [4])])
      let (_, steps) = loop(over: [Tensor.stacked([x, x + 1])], carrying: [w]) { carried, elements in
        let found = CustomOperation.weighing([elements[0], carried[0]])
        return ([carried[0] + found[1].sum(axis: 0)], [found[1] * 2])
      }
      let found = [plain[0], plain[1] + 1, wide[1], steps[0]]
      try eval(found)
      let (sum, y) = expected(CustomOperationTests.x, [2, -1, 0.5])
      #expect(try found[0].array() == sum, "\(test.name)")
      #expect(try found[1].array() == y.map { $0 + 1 }, "\(test.name)")
      let turned = (0..<12).map { (place: Int) -> Float in CustomOperationTests.x[place % 4 * 3 + place / 4] * 2 }
      #expect(try found[2].array() == expected(turned, [3, 3, 3, 3]).y, "\(test.name)")
      var carried: [Float] = [2, -1, 0.5]
      for (place, value) in y.enumerated() { carried[place % 3] += value }
      let second: [Float] = expected(CustomOperationTests.x.map { $0 + 1 }, carried).y
      for (one, other) in zip(try found[3].array(), y + second) {
        #expect(abs(one - 2 * other) < 1e-4, "\(test.name)")
      }
    }
  }

  /// Derivatives of a custom operation equal those of the same function composed of ordinary operations.
  @Test(arguments: TestDevice.all.filter { $0.extent == .everything }) func gradientsEqualTheComposedForm(
    _ test: TestDevice
  ) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor((0..<20).map { Float($0 * 7 - 70) })
      let results = [{ CustomOperation.softCap([$0])[0] }, { ($0 / 30).tanh() * 30 }].map {
        (form: (Tensor) -> Tensor) -> [Tensor] in
        let y = form(x)
        let first = gradients(of: (y * y).sum(), withRespectTo: [x])[0]
        return [y, first, gradients(of: (first * first * first).sum(), withRespectTo: [x])[0]]
      }
      try eval(results.flatMap { $0 })
      for (one, other) in zip(results[0], results[1]) {
        let (one, other) = (try one.array(), try other.array())
        let largest = other.reduce(0) { max($0, abs($1)) }
        #expect(zip(one, other).allSatisfy { abs($0 - $1) <= 2e-6 * largest }, "\(test.name)")
      }
      let (a, w) = (Tensor(CustomOperationTests.x, shape: [4, 3]), Tensor([2, -1, 0.5] as [Float]))
      let fused = CustomOperation.weighing([a, w])
      let sums = a.sum(axis: 1)
      let composed = a * w - sums.expandingAxis(at: 1)
      let losses: [Tensor] = [
        fused[0].squared().sum() + fused[1].squared().sum(), sums.squared().sum() + composed.squared().sum(),
      ]
      let slopes = try losses.map { try gradients(of: $0, withRespectTo: [a, w]).map { try $0.array() } }
      for (one, other) in zip(slopes[0], slopes[1]) {
        #expect(zip(one, other).allSatisfy { abs($0 - $1) < 1e-4 }, "\(test.name)")
      }
    }
  }

  /// Invalid source gives an error with the operation's name and the compiler's message, and the device stays usable.
  @Test func invalidSourceIsReported() throws {
    let wrong = CustomOperation(
      "askew", inputs: ["x"], results: ["y"], types: { inputs throws(ShapeError) in [inputs[0]] },
      text: "y[i] = not_a_function(x[i]);", gradient: nil)
    for test in TestDevice.all where test.device.info.kind == .opencl {
      try withDevice(test.device) { () throws in
        let error = #expect(throws: DeviceError.self) { try wrong([Tensor([1, 2] as [Float])])[0].array() }
        guard case .buildFailed(_, let kernel, let log) = error else {
          Issue.record("\(test.name): \(String(describing: error))")
          return
        }
        #expect(kernel.contains("askew") && log.contains("not_a_function"), "\(test.name): \(kernel): \(log)")
        #expect(try Tensor([1, 2] as [Float]).sum().scalar() == 3)
      }
    }
  }

  /// If the operation has no code for a device, the call reports an error that names the device. The preparation of a
  /// plan with such an operation reports an error that names the operation.
  @Test func missingCode() throws {
    let types: @Sendable ([TensorType]) throws(ShapeError) -> [TensorType] = { inputs throws(ShapeError) in
      [inputs[0]]
    }
    let text = CustomOperation(
      "textOnly", inputs: ["x"], results: ["y"], types: types, text: "y[i] = x[i];", gradient: nil)
    let host = CustomOperation(
      "hostOnly", inputs: ["x"], results: ["y"], types: types, host: { _ in }, gradient: nil)
    for test in TestDevice.all {
      withDevice(test.device) {
        let needsText = test.device.info.kind != .cpu
        let error = #expect(throws: ShapeError.self) {
          try checkingShapes { (needsText ? host : text)([Tensor.zeros([2])]) }
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains(test.device.name))
      }
    }
    let step = Plan.PlannedStep(
      step: .custom(Custom(kernel: text.kernel, count: 1, sizes: [], inputs: [0], results: [1])), names: ["textOnly"])
    let plan = Plan(
      values: [
        Plan.Value(dtype: .float32, elementCount: 1, storage: .input(0)),
        Plan.Value(dtype: .float32, elementCount: 1, storage: .output(0)),
      ], steps: [step], inputCount: 1, outputs: [Plan.Output(byteCount: 4)])
    let cpu = try #require(TestDevice.all.first { $0.name == "cpu" }).device.backend
    let error = #expect(throws: DeviceError.self) { _ = try cpu.prepare(plan) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("textOnly"))
  }

  @Test func mistakesAreNamed() {
    func message(_ body: () -> Void) -> String {
      let error = #expect(throws: ShapeError.self) { try checkingShapes { body() } }
      return "\(error.map { "\($0)" } ?? "")"
    }
    withDevice(TestDevice.reference.device) {
      let x = Tensor.zeros([2, 3])
      #expect(message { _ = CustomOperation.weighing([x]) }.contains("got 1 inputs, expected 2"))
      #expect(message { _ = CustomOperation.weighing([x, .zeros([2])]) }.contains("[2, 3] and [2]"))
      #expect(message { _ = CustomOperation.weighing([x, .zeros([3], dtype: .float16)]) }.contains("w is float16"))
      #expect(message { _ = CustomOperation.softCap([]) }.contains("0 inputs"))
      for count in [0, -1] {
        let few = CustomOperation(
          "few", inputs: ["x"], results: ["y"], types: { inputs throws(ShapeError) in [inputs[0]] },
          items: { _ in count },
          text: "y[i] = x[i];", host: { _ in }, gradient: nil)
        #expect(message { _ = few([x]) }.contains("\(count) items"))
      }
    }
  }

  /// The gradients that a rule returns must match the inputs in count, shape and type. This holds for the rules of
  /// `CustomOperation` and of both forms of `withGradient`.
  @Test func mistakesOfRulesAreNamed() {
    withDevice(TestDevice.reference.device) {
      let x = Tensor.zeros([2, 3])
      let wrong: [(rule: [Tensor?], words: String)] = [
        ([], "0 gradients for 1 inputs"), ([.zeros([2])], "gradient [2]"),
        ([.zeros([2, 3], dtype: .int32)], "gradient is int32"),
      ]
      for (rule, words) in wrong {
        let operation = CustomOperation(
          "crooked", inputs: ["x"], results: ["y"], types: { inputs throws(ShapeError) in [inputs[0]] },
          text: "y[i] = x[i];", host: { _ in }, gradient: { _, _, _ in rule })
        let forms: [(name: String, form: (Tensor) -> Tensor)] = [
          ("crooked", { operation([$0])[0] }),
          (
            "withGradient",
            {
              withGradient([$0]) { _, _, _ in
                rule
              } function: {
                $0[0] * 2
              }
            }
          ),
          (
            "withGradient",
            { (x: Tensor) in
              let results: [Tensor] = withGradient([x]) { _, _, _ in
                rule
              } function: {
                [$0[0] * 2]
              }
              return results[0]
            }
          ),
        ]
        for (name, form) in forms {
          let error = #expect(throws: ShapeError.self) {
            try checkingShapes { _ = gradients(of: form(x).sum(), withRespectTo: [x]) }
          }
          let text = "\(error.map { "\($0)" } ?? "")"
          #expect(text.contains(name) && text.contains(words), "\(text)")
        }
      }
    }
  }

  /// Doubles `float16` numbers.
  private func doubling(_ text: String) -> CustomOperation {
    CustomOperation(
      "doubling", inputs: ["x"], results: ["y"], elementTypes: [.float16],
      types: { inputs throws(ShapeError) in [inputs[0]] }, text: text,
      host: { items in
        let (x, y) = (items.input(0, of: Float16.self), items.result(0, of: Float16.self))
        for i in items.range { y[i] = x[i] * 2 }
      }, gradient: nil)
  }

  /// The results equal those of `Float16` arithmetic.
  @Test(arguments: TestDevice.all) func narrowTypes(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor([0.5, -3, 7.25, 1e-6, 60_000] as [Float]).cast(to: .float16)
      let y = doubling("STORE(y, i, LOAD(x, i) * 2);")([x])[0]
      #expect(try y.array(of: Float16.self) == [1, -6, 14.5, Float16(1e-6) * 2, .infinity], "\(test.name)")
    }
  }

  /// Kernel source can use 16-bit numbers only through `LOAD` and `STORE`.
  @Test(arguments: TestDevice.all.filter { $0.device.info.kind == .opencl })
  func narrowTypesNeedLoadAndStore(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor([0.5, -3] as [Float]).cast(to: .float16)
      #expect(throws: DeviceError.self) { try doubling("y[i] = x[i] * 2;")([x])[0].array(of: Float16.self) }
    }
  }

  /// Calls of one operation on equal shapes share a plan. Another operation with the same names but different kernel
  /// source gets another plan.
  @Test func plansAreReused() throws {
    try recordingPlans { device in
      func make(_ text: String) -> CustomOperation {
        CustomOperation(
          "copied", inputs: ["x"], results: ["y"], types: { inputs throws(ShapeError) in [inputs[0]] }, text: text,
          host: { _ in }, gradient: nil)
      }
      let (one, other) = (make("y[i] = x[i];"), make("y[i] = -x[i];"))
      for _ in 0..<3 {
        for operation in [one, other] { try eval(operation([Tensor([1, 2] as [Float]) * 2])) }
      }
      #expect(device.plans.count == 2)
      #expect(device.plans.allSatisfy { $0.steps.last?.names == ["copied"] })
      #expect(device.plans.allSatisfy { $0.steps.count == 2 })
    }
  }

  /// No gradient passes through an operation without a gradient rule.
  @Test func withoutARule() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let steps = CustomOperation(
        "steps", inputs: ["x"], results: ["y"], types: { inputs throws(ShapeError) in [inputs[0]] },
        host: { items in
          let (x, y) = (items.input(0, of: Float.self), items.result(0, of: Float.self))
          for i in items.range { y[i] = x[i].rounded() }
        }, gradient: nil)
      let x = Tensor([0.25, 1.75] as [Float])
      let y = steps([x])[0]
      #expect(try gradients(of: (y * x).sum(), withRespectTo: [x])[0].array() == [0, 2])
    }
  }
}
