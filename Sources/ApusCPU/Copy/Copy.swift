import ApusDevice

/// Copies strided arrays (pieces) into parts of one array, which may be filled with a number first. The copies are one
/// elementwise step: each piece is a segment, and the program has no instructions.
final class CopyStep: CPUStep {
  let workspaceByteCount: Int
  private let fill: ElementwiseStep?
  private let pieces: ElementwiseStep

  init(_ step: StridedCopy, _ builder: StepBuilder) throws(DeviceError) {
    if let value = step.fill {
      fill = try ElementwiseStep(Self.filling(step, with: value, builder), builder)
    } else {
      fill = nil
    }
    let output = Program.Output(register: 0, dtype: step.dtype)
    pieces = try ElementwiseStep(
      Elementwise(
        program: Program(inputs: [.tensor(step.dtype)], outputs: [output]),
        segments: step.pieces.map { piece in
          Binding(
            domain: piece.destination.shape, arguments: [.tensor(piece.source)],
            results: [Operand(value: step.result, layout: piece.destination)])
        }), builder)
    workspaceByteCount = max(pieces.workspaceByteCount, fill?.workspaceByteCount ?? 0)
  }

  private static func filling(
    _ step: StridedCopy, with value: Scalar, _ builder: StepBuilder
  ) -> Elementwise {
    let domain: Shape = [builder.plan.values[step.result].elementCount]
    let constant = Instruction(.constant, lane: step.dtype.lane, operands: [], immediate: value)
    return Elementwise(
      program: Program(
        instructions: [constant], outputs: [Program.Output(register: 0, dtype: step.dtype)]),
      segments: [
        Binding(
          domain: domain, arguments: [],
          results: [Operand(value: step.result, layout: Layout(contiguous: domain))])
      ])
  }

  func run(_ context: borrowing RunContext) {
    fill?.run(context)
    pieces.run(context)
  }
}
