import Apus
import Testing

/// The Swift examples of Documentation/Tensors.md, word for word. `BookTests` compares them.
@Suite struct TensorsExamples {
  let device: ComputeDevice

  init() throws { device = try ComputeDevice.named("cpu") }

  @Test func tensors() throws {
    try withDevice(device) { () throws in
      // example
      let x = Tensor([[1.0, 2, 3], [4, 5, 6]])
      let y = ((x * 2 + 1).sqrt() * x.sigmoid()).sum(axis: 1)
      print(try y.array())
      print(y.device.lastPlanStepCount)  // 1: the elementwise operations and the sum are one step
      // end
      let expected = [[1, 2, 3], [4, 5, 6]].map { row in
        row.reduce(0) { $0 + Float((Double($1) * 2 + 1).squareRoot()) * sigmoid(Float($1)) }
      }
      for (value, reference) in zip(try y.array(), expected) { #expect(abs(value - reference) < 1e-5) }
      #expect(device.lastPlanStepCount == 1)
    }
  }

  private func sigmoid(_ x: Float) -> Float {
    var tensor = Tensor([x], device: device)
    tensor = tensor.sigmoid()
    return (try? tensor.scalar()).map(Float.init) ?? .nan
  }
}
