import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct ElementwiseTests {
  /// y = x · s + b over [rows, columns] with b broadcast along rows.
  static func affine(_ dtype: DType) -> Program {
    Program(
      inputs: [.tensor(dtype), .scalar(dtype.lane), .tensor(dtype)],
      instructions: [
        Instruction("multiply", lane: dtype.lane, operands: [0, 1]),
        Instruction("add", lane: dtype.lane, operands: [3, 2]),
      ],
      outputs: [Program.Output(register: 4, dtype: dtype)])
  }

  @Test(arguments: [DType.float32, .float16, .bfloat16, .int32, .int64, .float64])
  func broadcastsAndScales(dtype: DType) throws {
    for (_, device) in Harness.devices {
      for (rows, columns) in [(1, 1), (3, 5), (7, 33), (130, 257)] {
        var numbers = Numbers()
        let x = numbers.integers(rows * columns, -8..<8)
        let b = numbers.integers(columns, -8..<8)
        var builder = PlanBuilder()
        let shape: Shape = [rows, columns]
        let left = builder.input(x, dtype)
        let right = builder.input(b, dtype)
        let result = builder.output(rows * columns, dtype)
        let factor = builder.scalar(.integer(3), dtype.lane)
        builder.step(
          .elementwise(
            Elementwise(
              program: Self.affine(dtype),
              segments: [
                Binding(
                  domain: shape,
                  arguments: [
                    .tensor(Operand(value: left, layout: Layout(contiguous: shape))), .scalar(factor),
                    .tensor(
                      Operand(value: right, layout: Layout(contiguous: [columns]).broadcast(to: shape))),
                  ],
                  results: [Operand(value: result, layout: Layout(contiguous: shape))])
              ])))
        let output = try builder.results(on: device)[0]
        #expect(output == x.indices.map { x[$0] * 3 + b[$0 % columns] })
      }
    }
  }
}
