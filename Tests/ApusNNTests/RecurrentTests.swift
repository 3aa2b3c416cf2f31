@testable import ApusNN
import Apus
import ApusTestSupport
import Foundation
import Testing

/// Recurrent layers: agreement with PyTorch, second derivatives, `float64`, graph sizes, lengths, and mistakes.
@Suite struct RecurrentTests {
  @Test(arguments: TestDevice.conformance) func agreesWithPyTorch(_ test: TestDevice) throws {
    let fixture = try Fixture("recurrent")
    #expect(fixture.cases.sorted() == RecurrentCase.all.map(\.name).sorted())
    var report = ConformanceReport("recurrent", on: test)
    for recurrent in RecurrentCase.all where test.extent == .everything || !recurrent.sharesKernels {
      let lengths = fixture.contains(recurrent.name, "lengths") ? try fixture.numbers(recurrent.name, "lengths") : nil
      let module = ModuleCase(recurrent.name, mode: recurrent.mode) {
        Erased(recurrent.make())
      } call: { module, inputs in
        recurrent.call(module.module, inputs[0], Array(inputs.dropFirst()), lengths?.map { Int($0) })
      }
      let problems = try withDevice(test.device) { () throws in try module.problems(fixture, &report) }
      #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
    }
    report.print()
  }

  /// A module of any type.
  private struct Erased: Module {
    let module: any Module
    init(_ module: any Module) { self.module = module }
    var members: [ModuleMember] { module.members }
  }

  /// The gradients of a penalty on the gradients agree with finite differences.
  @Test(arguments: ["rnn", "lstm", "gru"], [(false, false), (true, true), (true, false), (false, true)])
  func secondDerivatives(_ kind: String, _ options: (hasLengths: Bool, isReversed: Bool)) throws {
    let device = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    try withDevice(device) { () throws in
      var place = 0
      func numbers(_ shape: Shape) -> Tensor {
        place += shape.elementCount
        return Tensor((0..<shape.elementCount).map { sin(Double((place + $0) * (place + $0))) }, shape: shape)
      }
      let gates = ["rnn": 1, "lstm": 4, "gru": 3][kind]!
      let recurrence: Recurrence = kind == "rnn" ? .rnnTanh : kind == "lstm" ? .lstm : .gru
      let shapes: [Shape] = [[3, 2, gates * 2], [2, 2], [2, 2], [gates * 2, 2], [gates * 2]]
      let inputs = shapes.map(numbers)
      let directions = shapes.map(numbers)
      let flags = [true, true, true, false, false, false]
      let mask = options.hasLengths ? Tensor(flags, shape: [3, 2, 1]) : nil
      func penalty(_ values: [Tensor]) -> Tensor {
        let states = kind == "lstm" ? [values[1], values[2]] : [values[1]]
        let found = recurrence(
          values[0], states: states, weight: values[3], bias: kind == "gru" ? values[4] : nil, mask: mask,
          isReversed: options.isReversed)
        let loss = found.last.reduce(found.all.squared().sum()) { $0 + ($1 * $1 * $1).sum() }
        let first = gradients(of: loss, withRespectTo: values)
        return first.reduce(Tensor.zeros([], dtype: .float64)) { $0 + $1.squared().sum() }
      }
      let found = gradients(of: penalty(inputs), withRespectTo: inputs)
      let slope = try zip(found, directions).map { try ($0 * $1).sum().scalar() }
      for index in inputs.indices {
        func shifted(_ by: Double) throws -> Double {
          var values = inputs
          values[index] = values[index] + directions[index] * by
          return try penalty(values).scalar()
        }
        let difference = (try shifted(1e-5) - shifted(-1e-5)) / 2e-5
        #expect(
          abs(difference - slope[index]) <= 1e-6 * (1 + abs(difference)), "\(index): \(slope[index]), not \(difference)"
        )
      }
    }
  }

  /// In `float64`, results for nine time steps and a hidden size of 32 agree with the reference device. This hidden
  /// size fills whole registers, so OpenCL kernels of class `cpu` may pack the weights.
  @Test(arguments: TestDevice.all, ["lstm", "gru"])
  func float64AgreesWithTheReference(_ test: TestDevice, kind: String) throws {
    func results(on device: ComputeDevice) throws -> [[Double]] {
      try withDevice(device) { () throws in
        func numbers(_ seed: Int, _ shape: Shape) -> Tensor {
          Tensor((0..<shape.elementCount).map { sin(Double((seed + $0) * (seed + $0))) / 4 }, shape: shape)
        }
        let gates = kind == "lstm" ? 4 : 3
        let values = [
          numbers(1, [9, 5, gates * 32]), numbers(2, [5, 32]), numbers(3, [5, 32]), numbers(4, [gates * 32, 32]),
          numbers(5, [gates * 32]),
        ]
        let recurrence: Recurrence = kind == "lstm" ? .lstm : .gru
        let found = recurrence(
          values[0], states: kind == "lstm" ? [values[1], values[2]] : [values[1]], weight: values[3],
          bias: kind == "gru" ? values[4] : nil, mask: nil, isReversed: false)
        let slopes = gradients(of: found.all.squared().sum(), withRespectTo: [values[0], values[1], values[3]])
        return try ([found.all] + slopes).map { try $0.array(of: Double.self) }
      }
    }
    let (found, expected) = (try results(on: test.device), try results(on: TestDevice.reference.device))
    for (value, other) in zip(found.joined(), expected.joined()) {
      #expect(abs(value - other) <= 1e-11 * (1 + abs(other)))
    }
    #expect(found.map(\.count) == expected.map(\.count))
  }

  /// The size of the graph does not depend on the number of time steps.
  @Test func graphsDoNotGrowWithTime() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    try withDevice(device) { () throws in
      let lstm = withRandomKey(RandomKey(seed: 1)) { LSTM(2, 2, layers: 4) }
      try eval(lstm.parameters.map(\.value))
      var counts: [Int] = []
      for length in [10, 1000] {
        let x = try eval(Tensor.ones([length, 1, 2]))
        let loss = lstm(x).output.sum()
        counts.append(pendingOperations(of: gradients(of: loss, withRespectTo: lstm.parameters.map(\.value))).count)
      }
      #expect(counts[0] == counts[1] && counts[0] < 1000, "\(counts)")
      print("acceptance: 4 layers of LSTM with gradients: \(counts[0]) nodes for 10 steps, \(counts[1]) for 1,000")
    }
  }

  @Test(arguments: TestDevice.all) func mistakesAreNamed(_ test: TestDevice) {
    withDevice(test.device) { checkMistakes() }
  }

  private func checkMistakes() {
    func message(_ body: () -> Void) -> String {
      let error = #expect(throws: ShapeError.self) { try checkingShapes { body() } }
      return "\(error.map { "\($0)" } ?? "")"
    }
    let lstm = LSTM(3, 4)
    let x = Tensor.zeros([5, 2, 3])
    #expect(message { _ = lstm(.zeros([5, 2, 4])) }.contains("[time, batch, 3]"))
    #expect(message { _ = lstm(.zeros([0, 2, 3])) }.contains("no elements"))
    #expect(message { _ = lstm(.zeros([5, 2, 3]), lengths: [5]) }.contains("1 lengths"))
    #expect(message { _ = lstm(.zeros([5, 2, 3]), lengths: [5, 6]) }.contains("length 6"))
    #expect(message { _ = lstm(.zeros([5, 2, 3]), lengths: [0, 5]) }.contains("length 0"))
    #expect(message { _ = lstm(.zeros([5, 2, 3]), lengths: [5, -1]) }.contains("length -1"))
    // An array literal is taken as [Int], not as a tensor.
    #expect(message { _ = lstm(x, lengths: [5, 6]) }.contains("length 6"))
    #expect(message { _ = lstm(.zeros([5, 2, 3], dtype: .int64)) }.contains("int64"))
    #expect(message { _ = lstm(.zeros([5, 0, 3])) }.contains("no elements"))
    let state = LSTM.State(hidden: .zeros([1, 3, 4]), cell: .zeros([1, 3, 4]))
    #expect(message { _ = lstm(.zeros([5, 2, 3]), state: state) }.contains("[1, 3, 4]"))
    #expect(message { _ = RNNCell(3, 4)(.zeros([2, 4])) }.contains("[batch, 3]"))
    #expect(message { _ = LSTMCell(3, 4)(.zeros([2, 3]), state: state) }.contains("[batch, size] = [2, 4]"))
    #expect(message { _ = GRUCell(3, 4)(.zeros([2, 3]), state: .zeros([2, 3])) }.contains("GRUCell"))
  }

  /// Lengths that the device computes are checked on the device.
  @Test(arguments: TestDevice.conformance, [[5, 6], [0, 5], [5, -1]] as [[Int32]])
  func computedLengthsAreChecked(_ test: TestDevice, _ lengths: [Int32]) throws {
    try withDevice(test.reopened()) { () throws in
      let output = LSTM(3, 4)(.zeros([5, 2, 3]), lengths: Tensor(lengths)).output
      let error = #expect(throws: DeviceError.self) { try output.array() as [Float] }
      guard case .indexOutOfRange = error else {
        Issue.record("\(String(describing: error)) is another error")
        return
      }
    }
  }
}
