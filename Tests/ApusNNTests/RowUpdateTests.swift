import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusNN
@testable import ApusTensor

/// Embeddings whose updates change only the rows that were looked up.
@Suite struct RowUpdateTests {
  private static let start: [[Float]] = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]

  /// Trains an embedding on lists of indices; returns the final table and optimizer state.
  private func run(
    _ rule: any UpdateRule, _ steps: [[Int]], updatesRows: Bool, precision: Precision = .float32,
    clipNorm: Double? = nil
  ) throws -> [[Float]] {
    let layer = Embedding(weight: Parameter(Tensor(Self.start), updatesRows: updatesRows))
    let optimizer = Optimizer(rule, for: layer, precision: precision)
    for indices in steps {
      let weights = Tensor((0..<indices.count).map { Float($0 + 1) }).expandingAxis(at: 1)
      try optimizer.minimize(clipNorm: clipNorm) { (layer(Tensor(indices)) * weights).squared().sum() }
    }
    return try [layer.weight.value.array()] + optimizer.state.filter { $0.value.rank == 2 }.map { try $0.value.array() }
  }

  /// If every row is looked up, each update equals the update of the whole table; the gradients of repeated indices are
  /// added.
  @Test func rowsFollowTheRule() throws {
    let rules: [any UpdateRule] = [
      Adam(learningRate: 0.1, weightDecay: 0.01), SGD(learningRate: 0.01, momentum: 0.9), AdaGrad(learningRate: 0.1),
    ]
    for device in TestDevice.conformance {
      try withDevice(device.reopened()) { () throws in
        for rule in rules {
          let steps = [[4, 0, 3, 1, 2, 0, 4], [0, 1, 2, 3, 4]]
          for clipNorm in [nil, 1.0] {
            let (rows, whole) = (
              try run(rule, steps, updatesRows: true, clipNorm: clipNorm),
              try run(rule, steps, updatesRows: false, clipNorm: clipNorm)
            )
            for (own, other) in zip(rows, whole) {
              #expect(zip(own, other).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }, "\(device.name): \(rule)")
            }
          }
        }
      }
    }
  }

  /// Rows without a lookup keep their values and moments, also in later steps.
  @Test(arguments: [Precision.float32, .mixed]) func otherRowsStay(precision: Precision) throws {
    for device in TestDevice.conformance {
      try withDevice(device.reopened()) { () throws in
        let rule = Adam(learningRate: 0.1, weightDecay: 0.1)
        let one = try run(rule, [[3, 1, 3]], updatesRows: true, precision: precision)
        let two = try run(rule, [[3, 1, 3], [1]], updatesRows: true, precision: precision)
        #expect(one.count == 3 && two.count == 3)
        for (number, (first, second)) in zip(one, two).enumerated() {
          for row in [0, 2, 4] {
            let untouched = number == 0 ? Self.start[row] : [0, 0]
            #expect(Array(first[2 * row..<2 * row + 2]) == untouched, "\(device.name)")
          }
          #expect(first[6..<8] == second[6..<8] && first[2..<4] != second[2..<4], "\(device.name)")
          #expect(first[6] != (number == 0 ? Self.start[3][0] : 0), "\(device.name)")
        }
      }
    }
  }

  /// If gradients are accumulated, or the table is read in other ways than by lookups, rows with a zero gradient stay
  /// unchanged too.
  @Test func denseGradientsLeaveRowsWithZeroGradient() throws {
    for device in TestDevice.conformance {
      try withDevice(device.reopened()) { () throws in
        let layer = Embedding(weight: Parameter(Tensor(Self.start), updatesRows: true))
        let optimizer = Optimizer(Adam(learningRate: 0.1, weightDecay: 0.1), for: layer)
        try optimizer.minimize(over: 2) { layer(Tensor([$0])).sum() }
        let found = try layer.weight.value.array()
        #expect(
          Array(found[4...]) == Self.start[2...].flatMap(\.self) && found[0] != 1 && found[2] != 3, "\(device.name)")
        try optimizer.minimize { layer(Tensor([4])).sum() + layer.weight.value[3].sum() }
        let next = try layer.weight.value.array()
        #expect(next[..<6] == found[..<6] && next[6] != found[6] && next[8] != found[8], "\(device.name)")
      }
    }
  }

  /// A table that is still referenced is not overwritten.
  @Test func anOldTableStays() throws {
    for device in TestDevice.conformance {
      try withDevice(device.reopened()) { () throws in
        let layer = Embedding(weight: Parameter(Tensor(Self.start), updatesRows: true))
        let old = layer.weight.value
        let optimizer = Optimizer(SGD(learningRate: 1), for: layer)
        try optimizer.minimize { layer(Tensor([2])).sum() }
        #expect(try old.array() == Self.start.flatMap(\.self), "\(device.name)")
        #expect(try layer.weight.value.array() == [1, 2, 3, 4, 4, 5, 7, 8, 9, 10], "\(device.name)")
      }
    }
  }

  /// The memory and work of a step depend on the number of rows that are looked up, not on the size of the table.
  @Test func costDependsOnTheLookedUpRows() throws {
    let recording = RecordingDevice()
    try withDevice(ComputeDevice(backend: recording)) { () throws in
      let layer = Embedding(10_000, 4, updatesRows: true)
      let optimizer = Optimizer(Adam(learningRate: 0.1), for: layer)
      for _ in 0..<2 { try optimizer.minimize { layer(Tensor([3, 9, 3])).squared().sum() } }
      let plan = try #require(recording.runs.last?.plan)
      var count = 0
      for planned in plan.steps {
        for value in planned.step.results where plan.values[value].elementCount >= 10_000 {
          guard case .rowWrite = planned.step, case .output(let output) = plan.values[value].storage else {
            Issue.record("\(planned.names) computes a whole table")
            continue
          }
          #expect(plan.outputs[output].donatedInput != nil)
          count += 1
        }
      }
      #expect(count == 3 && plan.slabs.reduce(0, +) < 10_000)
    }
  }
}
