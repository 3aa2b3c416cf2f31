import ApusDevice

extension Program {
  /// The instructions after fusion of several into one, if nothing else reads the intermediate results; `nil` replaces
  /// an instruction that was fused into another. The fused functions are `exp_difference` (exp of a difference), `gelu`
  /// (x·Φ(x)), `multiply_add` (a product plus a term) and `subtract_product` (a term minus a product).
  ///
  /// - Parameter isUniform: whether a register is the same for all elements: products of such registers run only once.
  func joiningRows(isUniform: (Int) -> Bool) -> [Instruction?] {
    var result: [Instruction?] = instructions
    /// The instruction that computes `register` with `function`, if `register` is read once and the instruction is not
    /// fused already.
    func inner(_ function: String, _ register: Int) -> Int? {
      let number = register - inputs.count
      return number >= 0 && result[number]?.function == function && useCount(of: register) == 1 ? number : nil
    }
    for (number, instruction) in instructions.enumerated() where instruction.lane.dtype.isFloatingPoint {
      switch instruction.function {
      case "exp":
        guard let difference = inner("subtract", instruction.operands[0]) else { continue }
        result[difference] = nil
        result[number]?.function = "exp_difference"
        result[number]?.operands = instructions[difference].operands
      case "multiply":
        let x = instruction.operands[0]
        guard let normal = inner("normal", instruction.operands[1]), instructions[normal].operands[0] == x,
          let gaussian = inner("gaussian", instructions[normal].operands[1]), instructions[gaussian].operands == [x]
        else { continue }
        (result[normal], result[gaussian]) = (nil, nil)
        result[number]?.function = "gelu"
        result[number]?.operands = [x]
      case "add", "subtract":
        for (place, other) in [(0, 1), (1, 0)] where instruction.function == "add" || place == 1 {
          guard let product = inner("multiply", instruction.operands[place]) else { continue }
          let factors = instructions[product].operands
          guard factors.contains(where: { !isUniform($0) }) else { continue }
          result[product] = nil
          result[number]?.function = instruction.function == "add" ? "multiply_add" : "subtract_product"
          result[number]?.operands = factors + [instruction.operands[other]]
          break
        }
      default: break
      }
    }
    return result
  }

  private func useCount(of register: Int) -> Int {
    instructions.reduce(0) { $0 + $1.operands.count { $0 == register } }
      + outputs.count { $0.register == register }
  }
}

extension Argument {
  /// Whether the argument has one value over its whole domain.
  fileprivate var isRepeated: Bool {
    if case .scalar = self { return true }
    return layout?.raw.isRepeated ?? false
  }
}

/// Sums whose program is fused into the reducers: `sum_squared_difference`, alone or with `sum_difference`, or
/// `sum_exp_difference`.
struct JoinedSum {
  let reducers: [String]
  /// The program that computes the minuends and subtrahends.
  let prologue: Program

  /// Fuses a reduction; `nil` if it has another form, or if the subtrahend is not constant along a row.
  ///
  /// - Parameter arguments: the reduction's arguments over the axes of a row; `nil` for a reduction by columns.
  init?(_ step: Reduction, over arguments: [Argument]?) {
    let program = step.prologue
    guard step.reducers.allSatisfy({ $0 == "sum" }), let lane = program.instructions.first?.lane,
      lane.dtype.isFloatingPoint,
      (program.instructions.map(\.lane) + program.inputs.map(\.lane)).allSatisfy({ $0 == lane })
    else { return nil }
    let functions = program.instructions.map(\.function)
    let (operands, outputs) = (program.instructions.map(\.operands), program.outputs.map(\.register))
    if functions == ["multiply"], operands == [[0, 0]], outputs == [1, 0] {
      let zero = Instruction("constant", lane: lane, operands: [], immediate: .float(0))
      reducers = ["sum_squared_difference", "sum_difference"]
      prologue = Program(
        inputs: program.inputs, instructions: [zero],
        outputs: [0, 1].map { Program.Output(register: $0, dtype: lane.dtype) })
      return
    }
    guard functions.count == 2, functions[0] == "subtract", operands[0].sorted() == [0, 1], program.inputs.count == 2,
      arguments.map({ $0[operands[0][1]].isRepeated }) ?? true
    else { return nil }
    switch (functions[1], operands[1], outputs) {
    case ("multiply", [2, 2], [3]) where arguments != nil: reducers = ["sum_squared_difference"]
    case ("multiply", [2, 2], [3, 2]): reducers = ["sum_squared_difference", "sum_difference"]
    case ("exp", [2], [3]) where arguments != nil: reducers = ["sum_exp_difference"]
    default: return nil
    }
    prologue = Program(
      inputs: program.inputs, outputs: operands[0].map { Program.Output(register: $0, dtype: lane.dtype) })
  }
}
