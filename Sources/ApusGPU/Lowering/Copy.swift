import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: StridedCopy) {
    let output = Program.Output(register: 0, dtype: step.dtype)
    if let fill = step.fill {
      let lane = step.dtype.lane
      let domain: Shape = [plan.values[step.result].elementCount]
      let program = Program(
        instructions: [Instruction(.constant, lane: lane, operands: [], immediate: fill)],
        outputs: [output])
      let result = Operand(value: step.result, layout: Layout(contiguous: domain))
      lower(part: .part("fill", read: 0, written: plan.values[step.result].byteCount)) {
        $0.lower(
          Elementwise(
            program: program, segments: [Binding(domain: domain, arguments: [], results: [result])]))
      }
    }
    let segments = step.pieces.map { piece in
      Binding(
        domain: piece.destination.shape, arguments: [.tensor(piece.source)],
        results: [Operand(value: step.result, layout: piece.destination)])
    }
    lower(
      Elementwise(
        program: Program(inputs: [.tensor(step.dtype)], outputs: [output]), segments: segments))
  }
}
