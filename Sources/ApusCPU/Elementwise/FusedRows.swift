import ApusDevice

/// Pairs of elementwise instructions that ApusCSIMD computes in one loop over a row (contiguous elements). The loop
/// rounds the result of the first instruction, as two loops would.
enum FusedRow: String {
  /// `exp(a − b)`.
  case expDifference = "exp_difference"
  /// `a · b + c`.
  case multiplyAdd = "multiply_add"
  /// `c − a · b`.
  case subtractProduct = "subtract_product"
}

/// An instruction, or a fused instruction that replaces two.
struct LoopInstruction: Hashable {
  /// The arithmetic type (lane), the operands and the function. If `fused` is set, it replaces the function.
  var instruction: Instruction
  var fused: FusedRow?
}

extension Program {
  /// Returns the instructions after fusion. Two instructions become a `FusedRow` if nothing else reads the result of
  /// the first; in the returned array, `nil` then takes the place of the first.
  ///
  /// - Parameter isUniform: whether a register has the same value for all elements. A product of two such registers is
  ///   computed only once and is not fused.
  func fusingRows(isUniform: (Int) -> Bool) -> [LoopInstruction?] {
    var result: [LoopInstruction?] = instructions.map { LoopInstruction(instruction: $0) }
    /// The index of the instruction that computes `register`, if this instruction is an unfused `row` and only one
    /// operand or output reads `register`; otherwise `nil`.
    func inner(_ row: ElementwiseRow, _ register: Int) -> Int? {
      let number = register - inputs.count
      guard number >= 0, let found = result[number], found.fused == nil else { return nil }
      return found.instruction.function == .row(row) && useCount(of: register) == 1 ? number : nil
    }
    func fuse(_ number: Int, _ row: FusedRow, _ operands: [Int]) {
      result[number]?.fused = row
      result[number]?.instruction.operands = operands
    }
    for (number, instruction) in instructions.enumerated() where instruction.lane.dtype.isFloatingPoint {
      switch instruction.function {
      case .row(.exp):
        guard let difference = inner(.subtract, instruction.operands[0]) else { continue }
        result[difference] = nil
        fuse(number, .expDifference, instructions[difference].operands)
      case .row(.add), .row(.subtract):
        let isSum = instruction.function == .row(.add)
        for (position, other) in [(0, 1), (1, 0)] where isSum || position == 1 {
          guard let product = inner(.multiply, instruction.operands[position]) else { continue }
          let factors = instructions[product].operands
          guard factors.contains(where: { !isUniform($0) }) else { continue }
          result[product] = nil
          fuse(number, isSum ? .multiplyAdd : .subtractProduct, factors + [instruction.operands[other]])
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

/// The reducers of ApusCSIMD that compute the summands themselves, in the loop that adds them up.
enum FusedSum: String {
  case difference = "sum_difference"
  case squaredDifference = "sum_squared_difference"
  case expDifference = "sum_exp_difference"
}

/// A reduction whose elementwise program is fused into the reducers. It sums either squared differences (alone or
/// together with the differences), or exponentials of differences.
struct SumFusion {
  let reducers: [FusedSum]
  /// The program that computes the minuends and subtrahends.
  let prologue: Program

  /// Fuses a reduction; `nil` if the reduction has another form, or if the subtrahend is not constant along a row. A
  /// row consists of the elements that are reduced to one result.
  ///
  /// - Parameter arguments: the reduction's arguments over the axes of a row; `nil` for a reduction by columns, whose
  ///   inner loop runs over the results.
  init?(_ step: Reduction, over arguments: [Argument]?) {
    let program = step.prologue
    guard step.reducers.allSatisfy({ $0 == .sum }), let lane = program.instructions.first?.lane,
      lane.dtype.isFloatingPoint,
      (program.instructions.map(\.lane) + program.inputs.map(\.lane)).allSatisfy({ $0 == lane })
    else { return nil }
    let functions = program.instructions.map(\.function)
    let (operands, outputs) = (program.instructions.map(\.operands), program.outputs.map(\.register))
    if functions == [.row(.multiply)], operands == [[0, 0]], outputs == [1, 0] {
      let zero = Instruction(.constant, lane: lane, operands: [], immediate: .float(0))
      reducers = [.squaredDifference, .difference]
      prologue = Program(
        inputs: program.inputs, instructions: [zero],
        outputs: [0, 1].map { Program.Output(register: $0, dtype: lane.dtype) })
      return
    }
    guard functions.count == 2, functions[0] == .row(.subtract), operands[0].sorted() == [0, 1],
      program.inputs.count == 2,
      arguments.map({ $0[operands[0][1]].isRepeated }) ?? true
    else { return nil }
    switch (functions[1], operands[1], outputs) {
    case (.row(.multiply), [2, 2], [3]) where arguments != nil: reducers = [.squaredDifference]
    case (.row(.multiply), [2, 2], [3, 2]): reducers = [.squaredDifference, .difference]
    case (.row(.exp), [2], [3]) where arguments != nil: reducers = [.expDifference]
    default: return nil
    }
    prologue = Program(
      inputs: program.inputs, outputs: operands[0].map { Program.Output(register: $0, dtype: lane.dtype) })
  }
}
