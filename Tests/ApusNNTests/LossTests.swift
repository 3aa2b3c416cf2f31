import Apus
import ApusTestSupport
import Testing

/// Losses and their gradients against PyTorch.
@Suite struct LossTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  static let losses: [(name: String, make: @Sendable (Tensor, Tensor) -> Tensor)] = [
    ("cross-entropy", { crossEntropy($0, $1) }),
    ("cross-entropy-large", { crossEntropy($0, $1) }),
    ("cross-entropy-sum", { crossEntropy($0, $1, reduction: .sum) }),
    ("cross-entropy-none", { crossEntropy($0, $1, reduction: .none) }),
    ("cross-entropy-pixels", { crossEntropy($0, $1) }),
    ("cross-entropy-ignoring", { crossEntropy($0, $1, ignoring: -100) }),
    ("cross-entropy-smoothing", { crossEntropy($0, $1, smoothing: 0.1) }),
    ("cross-entropy-probabilities", { crossEntropy($0, probabilities: $1) }),
    ("mean-squared-error", { meanSquaredError($0, $1) }),
  ]

  @Test(arguments: losses.map(\.name)) func agreesWithPyTorch(_ name: String) throws {
    let cases = try LayerTests.fixture.get()["losses"]?.array ?? []
    let expected = try #require(cases.first { $0["name"]?.string == name })
    let make = try #require(Self.losses.first { $0.name == name }).make
    try withDevice(device) { () throws in
      let x = try ExpectedTensor(expected["input"]).tensor
      let value = make(x, try ExpectedTensor(expected["targets"]).tensor)
      let gradient = gradients(of: value * pattern(value.shape), withRespectTo: [x])[0]
      #expect(try ExpectedTensor(expected["value"]).misfit(value, tolerance: 2e-6) == nil)
      #expect(try ExpectedTensor(expected["gradient"]).misfit(gradient, tolerance: 2e-6) == nil)
    }
  }

  @Test func everyCaseOfTheFixtureIsTested() throws {
    let names = (try LayerTests.fixture.get()["losses"]?.array ?? []).compactMap { $0["name"]?.string }
    #expect(names == Self.losses.map(\.name))
  }

  @Test func shapesThatDoNotFitAreNamed() {
    withDevice(device) {
      let error = #expect(throws: ShapeError.self) {
        try checkingShapes { crossEntropy(.zeros([4, 3]), .zeros([5], dtype: .int32)) }
      }
      #expect(error?.operation == "crossEntropy")
      #expect(throws: ShapeError.self) {
        try checkingShapes { crossEntropy(.zeros([4, 3]), .zeros([4], dtype: .float32)) }
      }
      #expect(throws: ShapeError.self) {
        try checkingShapes { meanSquaredError(.zeros([4, 3]), .zeros([4])) }
      }
    }
  }
}
