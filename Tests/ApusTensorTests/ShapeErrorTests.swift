import Apus
import ApusTestSupport
import Testing

/// Errors for wrong shapes name the operation, the rule and the violation.
@Suite struct ShapeErrorTests {
  private struct Mistake: Sendable {
    let operation: String
    let reason: String
    let make: @Sendable (Tensor) -> Void
  }

  private static let mistakes: [Mistake] = [
    Mistake(operation: "+", reason: "shapes [2, 3] and [2] do not broadcast") { _ = $0 + .zeros([2]) },
    Mistake(operation: "matmul", reason: "the last axis of [2, 3]") { _ = $0.matmul($0) },
    Mistake(operation: "matmul", reason: "last axis of [3] must equal the second-to-last axis of [4, 5]") { _ in
      _ = Tensor.zeros([3]).matmul(.zeros([4, 5]))
    },
    Mistake(operation: "matmul", reason: "last axis of [2, 3] must equal the axis of [4]") {
      _ = $0.matmul(.zeros([4]))
    },
    Mistake(operation: "reshaped", reason: "[2, 3] has 6 elements, [4] has 4") { _ = $0.reshaped(to: [4]) },
    Mistake(operation: "transposed", reason: "[0, 0] is not a permutation of the axes") { _ = $0.transposed([0, 0]) },
    Mistake(operation: "sum", reason: "axis 2 is not an axis of [2, 3]") { _ = $0.sum(axis: 2) },
    Mistake(operation: "sum", reason: "given twice") { _ = $0.sum(axes: [1, -1]) },
    Mistake(operation: "max", reason: "is empty") { _ = $0[2..<2].max(axis: 0) },
    Mistake(operation: "subscript", reason: "index 2 is outside of axis 0 of [2, 3]") { _ = $0[2] },
    Mistake(operation: "subscript", reason: "3 indices are too many for [2, 3]") { _ = $0[0, 0, 0] },
    Mistake(operation: "subscript", reason: "the step of a range of axis 0 of [2, 3] is 0") { _ = $0[.range(step: 0)] },
    Mistake(operation: "subscript", reason: "the indices of [2, 3] can have only one ellipsis") {
      _ = $0[.ellipsis, .ellipsis]
    },
    Mistake(operation: "concatenated", reason: "differ in more than axis 0") {
      _ = Tensor.concatenated([$0, .zeros([2, 4])])
    },
    Mistake(operation: "takingAlong", reason: "indices [2, 3] are float32, not integers") {
      _ = $0.takingAlong($0, axis: 0)
    },
    Mistake(operation: "convolved", reason: "must be [batch, channels") { _ = $0.convolved(with: $0) },
    Mistake(operation: "convolved", reason: "has 3 channels") {
      _ = $0.reshaped(to: [1, 3, 2]).convolved(with: .zeros([4, 2, 1]))
    },
    Mistake(operation: "maxPooled", reason: "does not fit in 2 elements") {
      _ = $0.reshaped(to: [1, 3, 2]).maxPooled([3])
    },
    Mistake(operation: "adaptiveAveragePooled", reason: "[0] windows do not fit") {
      _ = $0.reshaped(to: [1, 3, 2]).adaptiveAveragePooled([0])
    },
    Mistake(operation: "resized", reason: "[2] does not fit [2, 3]") { _ = $0.resized(to: [2]) },
    Mistake(operation: "einsum", reason: "but the call has 1 tensor: [[2, 3]]") { _ = Tensor.einsum("ij,jk", [$0]) },
    Mistake(operation: "einsum", reason: "“j” is 3 in one operand and 2 in another") {
      _ = Tensor.einsum("ij,jk", [$0, $0])
    },
    Mistake(operation: "einsum", reason: "must occur in an operand") { _ = Tensor.einsum("ij->ik", [$0]) },
    Mistake(operation: "split", reason: "do not add up to axis 1") { _ = $0.split(into: [1, 1], axis: 1) },
    Mistake(operation: "topK", reason: "does not have 4 elements along axis 1") { _ = $0.topK(4) },
    Mistake(operation: "unfolded", reason: "windows of 4") { _ = $0.unfolded(axis: 1, size: 4) },
    Mistake(operation: "select", reason: "do not broadcast") { _ = ($0 .> 0).select($0, .zeros([5])) },
    Mistake(operation: "scalar", reason: "does not have exactly one element") { _ = try? $0.scalar() },
    Mistake(operation: "Tensor", reason: "differ in length") { _ in _ = [[1, 2], [3]] as Tensor },
    Mistake(operation: "broadcast", reason: "[2, 3] does not broadcast to [3, 2]") { _ = $0.broadcast(to: [3, 2]) },
    Mistake(operation: "padded", reason: "do not match the axes") { _ = $0.padded(by: [(1, 1)]) },
    Mistake(operation: "padded", reason: "for [2, 3] must be 0 or more elements") {
      _ = $0.padded(by: [(-1, 0), (0, 0)])
    },
    Mistake(operation: "rolled", reason: "2 amounts for 1 axes of [2, 3]") { _ = $0.rolled(by: [1, 1], axes: [0]) },
    Mistake(operation: "repeated", reason: "count -1 for axis 0 of [2, 3]") { _ = $0.repeated(-1, axis: 0) },
    Mistake(operation: "glu", reason: "the extent of axis 1 of [2, 3] is not even") { _ = $0.glu() },
    Mistake(operation: "trace", reason: "must have at least two axes") { _ = $0.sum().trace() },
  ]

  @Test(arguments: mistakes.indices) func namesTheRule(index: Int) throws {
    let mistake = ShapeErrorTests.mistakes[index]
    let error = #expect(throws: ShapeError.self) {
      try withDevice(ComputeDevice(backend: RecordingDevice())) {
        try checkingShapes { mistake.make(.zeros([2, 3])) }
      }
    }
    let found = try #require(error)
    #expect(found.operation == mistake.operation, "\(found)")
    #expect(found.reason.contains(mistake.reason), "\(found)")
  }

  @Test func theFirstMistakeCounts() throws {
    let error = #expect(throws: ShapeError.self) {
      try withDevice(ComputeDevice(backend: RecordingDevice())) {
        try checkingShapes {
          let x = Tensor.zeros([2, 3]).reshaped(to: [5])
          return x.matmul(Tensor.zeros([7, 7]))
        }
      }
    }
    #expect(error?.operation == "reshaped")
  }

  @Test func devicesAreNotMixed() throws {
    let other = withDevice(ComputeDevice(backend: ReferenceDevice())) { Tensor.zeros([2]) }
    let error = #expect(throws: ShapeError.self) {
      try withDevice(ComputeDevice(backend: RecordingDevice())) { try checkingShapes { Tensor.zeros([2]) + other } }
    }
    #expect(error?.operation == "+" && error?.reason.contains("recording and reference") == true)
  }
}
