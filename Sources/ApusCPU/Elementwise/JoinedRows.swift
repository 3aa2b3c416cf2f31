import ApusDevice

extension Program {
  /// The instructions with `exp_difference` for each difference that only an exponential reads, and nothing for the
  /// difference.
  func joiningExponentials() -> [Instruction?] {
    var result: [Instruction?] = instructions
    for (number, instruction) in instructions.enumerated() where instruction.function == "exp" {
      let difference = instruction.operands[0] - inputs.count
      guard instruction.lane.dtype.isFloatingPoint, difference >= 0, instructions[difference].function == "subtract",
        useCount(of: difference + inputs.count) == 1
      else { continue }
      result[difference] = nil
      result[number]?.function = "exp_difference"
      result[number]?.operands = instructions[difference].operands
    }
    return result
  }

  private func useCount(of register: Int) -> Int {
    instructions.reduce(0) { $0 + $1.operands.count { $0 == register } }
      + outputs.count { $0.register == register }
  }
}

extension Argument {
  /// Whether it is the same number all over its domain.
  fileprivate var isRepeated: Bool {
    if case .scalar = self { return true }
    return layout?.raw.isRepeated ?? false
  }
}

/// A sum whose reducer does what its program did: `sum_squared_difference` or `sum_exp_difference`.
struct JoinedSum {
  let reducer: String
  /// Gives the numbers and what is subtracted from them.
  let prologue: Program

  /// `nil` where a sum is of something else, or what is subtracted from the numbers of a row is not one number.
  ///
  /// - Parameter arguments: those of the reduction over the axes of a row.
  init?(_ step: Reduction, over arguments: [Argument]) {
    let program = step.prologue
    guard step.reducers == ["sum"], program.inputs.count == 2, program.instructions.count == 2,
      program.outputs[0].register == 3
    else { return nil }
    let (difference, last) = (program.instructions[0], program.instructions[1])
    guard difference.function == "subtract", difference.lane.dtype.isFloatingPoint,
      difference.operands.sorted() == [0, 1], program.inputs.allSatisfy({ $0.lane == difference.lane }),
      last.lane == difference.lane, arguments[difference.operands[1]].isRepeated
    else { return nil }
    switch (last.function, last.operands) {
    case ("multiply", [2, 2]): reducer = "sum_squared_difference"
    case ("exp", [2]): reducer = "sum_exp_difference"
    default: return nil
    }
    prologue = Program(
      inputs: program.inputs,
      outputs: difference.operands.map { Program.Output(register: $0, dtype: program.outputs[0].dtype) })
  }
}
