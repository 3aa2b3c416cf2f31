import Apus
import ApusTestSupport
import Foundation
import Testing

/// Tests of the CTC loss beyond the comparison with PyTorch: the sum over all paths, second derivatives, impossible
/// paths, and invalid arguments.
@Suite struct CTCTests {
  /// OpenCL is left out: it runs only the comparisons with PyTorch, in `ConformanceTests`.
  static let hosts = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }

  /// The loss and its exact partial derivatives, by enumeration of all paths of one example.
  private func byPaths(_ x: [[Double]], _ target: [Int], blank: Int) -> (loss: Double, slopes: [[Double]]) {
    let (times, classes) = (x.count, x[0].count)
    var total = 0.0
    var passing = Array(repeating: Array(repeating: 0.0, count: classes), count: times)
    for number in 0..<Int(pow(Double(classes), Double(times)).rounded()) {
      var rest = number
      let path = (0..<times).map { _ in
        defer { rest /= classes }
        return rest % classes
      }
      let spelled = path.indices.filter { $0 == 0 || path[$0] != path[$0 - 1] }.map { path[$0] }.filter { $0 != blank }
      guard spelled == target else { continue }
      let probability = exp(path.indices.reduce(0) { $0 + x[$1][path[$1]] })
      total += probability
      for (time, place) in path.enumerated() { passing[time][place] += probability }
    }
    return (-log(total), passing.map { $0.map { -$0 / total } })
  }

  @Test(arguments: CTCTests.hosts, [0, 1]) func equalsTheSumOverAllPaths(_ test: TestDevice, blank: Int) throws {
    // Without log-softmax, the elements of `x` are independent of each other.
    let x = (0..<5).map { time in (0..<3).map { -1 - abs(sin(Double(3 * time + $0) * 1.7)) } }
    let targets = blank == 0 ? [[1, 1], [2], [], [2, 1]] : [[0, 0], [2], [], [2, 0]]
    try withDevice(test.device) { () throws in
      for target in targets {
        let expected = byPaths(x, target, blank: blank)
        let values = Tensor(x.joined().map(Float.init), shape: [5, 1, 3])
        let padded = Tensor((target + [9, 9]).map { Int32($0) }, shape: [1, target.count + 2])
        let loss = ctcLoss(
          values, padded, inputLengths: [5], targetLengths: [target.count], blank: blank, reduction: .sum)
        let slopes = gradients(of: loss, withRespectTo: [values])[0]
        try eval([loss, slopes])
        #expect(abs(try loss.scalar() - expected.loss) < 1e-5, "\(test.name) \(target)")
        for (found, slope) in zip(try slopes.array(), expected.slopes.joined()) {
          #expect(abs(Double(found) - slope) < 1e-5, "\(test.name) \(target)")
        }
      }
    }
  }

  /// The gradient of a penalty on the gradient agrees with finite differences in float64.
  @Test func secondDerivatives() throws {
    let device = try #require(TestDevice.all.first { $0.name == "cpu" }).device
    try withDevice(device) { () throws in
      let x = Tensor((0..<40).map { sin(Double($0 * $0)) }, shape: [5, 2, 4])
      let direction = Tensor((0..<40).map { cos(Double($0 * $0)) }, shape: [5, 2, 4])
      let targets = Tensor([1, 1, 3, 0] as [Int32], shape: [2, 2])
      func penalty(_ x: Tensor) -> Tensor {
        let loss = ctcLoss(x.logSoftmax(), targets, inputLengths: [5, 4], targetLengths: [2, 1])
        return gradients(of: loss, withRespectTo: [x])[0].squared().sum()
      }
      let slope = try (gradients(of: penalty(x), withRespectTo: [x])[0] * direction).sum().scalar()
      let difference =
        try (penalty(x + direction * 1e-5).scalar() - penalty(x - direction * 1e-5).scalar()) / 2e-5
      #expect(abs(slope - difference) <= 1e-6 * (1 + abs(difference)), "\(slope), not \(difference)")
      #expect(abs(difference) > 1e-3)
    }
  }

  /// Gradients are finite where no path spells the target, where a class is impossible, and past the end of an input.
  @Test(arguments: CTCTests.hosts) func impossiblePaths(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      var numbers = (0..<40).map { Float(-1 - $0 % 3) }
      numbers[2] = -.infinity
      for place in 36..<40 { numbers[place] = .nan }
      let x = Tensor(numbers, shape: [5, 2, 4])
      let targets = Tensor([1, 1, 2, 2] as [Int64], shape: [2, 2])
      let losses = ctcLoss(x, targets, inputLengths: [2, 4], targetLengths: [2, 2], reduction: .none)
      let slopes = gradients(of: losses, withRespectTo: [x], seed: .ones([2]))[0]
      try eval([losses, slopes])
      #expect(try losses.array()[0] == .infinity)
      #expect(try losses.array()[1].isFinite)
      #expect(try slopes.array().allSatisfy(\.isFinite))
      #expect(try slopes[.all, 0..<1].array().allSatisfy { $0 == 0 })
      // NaN inputs give a NaN loss.
      let poisoned = ctcLoss(x * .nan, targets, inputLengths: [4, 4], targetLengths: [2, 2])
      #expect(try poisoned.scalar().isNaN)
    }
  }

  /// The size of the graph does not depend on the number of time steps, and batches with other lengths share a plan.
  @Test func graphsDoNotGrowWithTime() throws {
    try recordingPlans { device in
      var counts: [Int] = []
      for times in [10, 1000] {
        let x = Tensor.ones([times, 2, 5])
        let targets = Tensor([1, 2, 3, 4] as [Int32], shape: [2, 2])
        let loss = ctcLoss(x, targets, inputLengths: [times, times], targetLengths: [2, 2])
        counts.append(pendingOperations(of: gradients(of: loss, withRespectTo: [x])).count)
      }
      #expect(counts[0] == counts[1])
      let targets = Tensor([1, 2, 3, 4] as [Int32], shape: [2, 2])
      let x = Tensor.ones([6, 2, 5])
      var plans: [Int] = []
      for lengths in [[6, 6], [6, 5], [5, 5], [6, 6]] {
        let loss = ctcLoss(x, targets, inputLengths: lengths, targetLengths: [2, lengths[1] - 4])
        try eval(loss)
        plans.append(device.plans.count)
      }
      // The first plan also computes `x`.
      #expect(plans == [1, 2, 2, 2])
    }
  }

  /// A target outside of the classes, or equal to the blank, is an index error. Other tests check this error on OpenCL.
  @Test(arguments: CTCTests.hosts) func targetsOutsideOfTheClassesAreErrors(_ test: TestDevice) throws {
    for bad: Int64 in [-1, 5, .max, 0] {
      let device = try test.reopened()
      let error = #expect(throws: DeviceError.self) {
        try withDevice(device) { () throws in
          let x = Tensor(Array(repeating: Float(0), count: 105), shape: [7, 3, 5])
          let targets = Tensor([1, 2, 3, 4, 0, 0, 4, bad, 1], shape: [3, 3])
          let losses = ctcLoss(
            x.logSoftmax(), targets, inputLengths: [7, 5, 6], targetLengths: [3, 1, 2], reduction: .none)
          let slopes = gradients(of: patternLoss([losses]), withRespectTo: [x])
          try eval([losses] + slopes)
          _ = try losses.array()
        }
      }
      guard case .indexOutOfRange = error else {
        Issue.record("\(test.name), \(bad): \(String(describing: error))")
        continue
      }
    }
  }

  @Test func mistakesAreNamed() {
    func message(
      _ x: Shape = [5, 2, 4], _ targets: Shape = [2, 3], inputs: [Int] = [5, 5], lengths: [Int] = [3, 3], blank: Int = 0
    ) -> String {
      let error = #expect(throws: ShapeError.self) {
        try checkingShapes {
          _ = ctcLoss(
            .zeros(x), .zeros(targets, dtype: .int32), inputLengths: inputs, targetLengths: lengths, blank: blank)
        }
      }
      return "\(error.map { "\($0)" } ?? "")"
    }
    withDevice(TestDevice.reference.device) {
      #expect(message([5]).contains("[time, batch, classes]"))
      #expect(message(blank: 4).contains("blank 4"))
      #expect(message(inputs: [5]).contains("1 input lengths"))
      #expect(message(inputs: [5, 6]).contains("length 6"))
      #expect(message(inputs: [-1, 5]).contains("length -1"))
      #expect(message(lengths: [3, -2]).contains("length -2"))
      #expect(message(lengths: [3, 4]).contains("[2, 4 or more]"))
      #expect(message([5, 2, 4], [5]).contains("[6]"))
    }
  }
}
