import ApusDevice

/// Builds an elementwise program; equal instructions are emitted once. Until the program is complete, inputs are the
/// registers −1, −2, …, and results of instructions are the registers 0, 1, …; `program` renumbers them.
struct ProgramBuilder {
  private var inputs: [Program.Input] = []
  private(set) var arguments: [Argument] = []
  private var instructions: [Instruction] = []
  private var known: [Instruction: Int] = [:]
  /// Registers whose values are known to be representable in a 16-bit type, because `declare` stated this, or because
  /// a function selects among such values (`choices`).
  private var chosen: [Int: DType] = [:]

  /// The register of an input; the same argument is loaded once.
  mutating func input(_ kind: Program.Input, _ argument: Argument) -> Int {
    // The kinds are compared too, because the same element indices may be read in two arithmetic types (lanes).
    if let known = inputs.indices.first(where: { inputs[$0] == kind && arguments[$0] == argument }) {
      return -known - 1
    }
    inputs.append(kind)
    arguments.append(argument)
    return -inputs.count
  }

  /// The register of an instruction's result.
  mutating func emit(
    _ function: Instruction.Function, lane: Lane, result: Lane? = nil, _ operands: [Int], immediate: Scalar? = nil
  ) -> Int {
    let instruction = Instruction(
      function, lane: lane, result: result, operands: operands, immediate: immediate)
    if let register = known[instruction] { return register }
    instructions.append(instruction)
    known[instruction] = instructions.count - 1
    return instructions.count - 1
  }

  /// The register of the result of an operation that has a row in `elementwise.def`.
  mutating func emit(_ row: ElementwiseRow, lane: Lane, result: Lane? = nil, _ operands: [Int]) -> Int {
    emit(.row(row), lane: lane, result: result, operands)
  }

  /// The register of a constant.
  mutating func constant(_ value: Scalar, _ dtype: DType) -> Int {
    let register = emit(.constant, lane: dtype.lane, [], immediate: value)
    return narrow(register, to: dtype)
  }

  /// For a function that returns one of its operands, possibly with the opposite sign, or 0: these operands. Otherwise
  /// `nil`.
  private static func choices(of instruction: Instruction) -> ArraySlice<Int>? {
    switch instruction.function {
    case .row(.maximum), .row(.minimum), .row(.negate), .row(.absolute): instruction.operands[...]
    case .row(.relu), .row(.reluGradient): instruction.operands.prefix(1)
    case .select: instruction.operands.dropFirst()
    default: nil
    }
  }

  /// Whether a value is known to be representable in `dtype`, so that rounding would not change it. Such a value was
  /// loaded, rounded or declared as `dtype`, is 0, or was selected among such values.
  private func isKnown(_ register: Int, as dtype: DType) -> Bool {
    if chosen[register] == dtype { return true }
    if register < 0 { return inputs[-register - 1] == .tensor(dtype) }
    let instruction = instructions[register]
    switch instruction.function {
    case .row(.roundFloat16): return dtype == .float16
    case .row(.roundBFloat16): return dtype == .bfloat16
    case .constant: return instruction.immediate == .float(0)
    default: return false
    }
  }

  /// States that all values of a register are representable in `dtype`, so that they are not rounded again.
  mutating func declare(_ register: Int, as dtype: DType) { chosen[register] = dtype }

  /// Converts a value in the arithmetic type (lane) of `dtype` to `dtype`: rounds it if `dtype` is a 16-bit type, and
  /// wraps it if `dtype` is an 8-bit integer type.
  mutating func narrow(_ register: Int, to dtype: DType) -> Int {
    if dtype == .float16 || dtype == .bfloat16 {
      if isKnown(register, as: dtype) { return register }
      let choices = register < 0 ? nil : Self.choices(of: instructions[register])
      if let choices, choices.allSatisfy({ isKnown($0, as: dtype) }) {
        chosen[register] = dtype
        return register
      }
    }
    switch dtype {
    case .float16: return emit(.roundFloat16, lane: .float32, [register])
    case .bfloat16: return emit(.roundBFloat16, lane: .float32, [register])
    case .int8: return emit(.wrapInt8, lane: .int32, [register])
    case .uint8: return emit(.wrapUInt8, lane: .int32, [register])
    default: return register
    }
  }

  /// Converts a value of type `source` to type `target`; nonzero values become `true` in `bool`.
  mutating func cast(_ register: Int, from source: DType, to target: DType) -> Int {
    guard source != target else { return register }
    if target == .bool {
      let zero = constant(.integer(0), source.lane.dtype)
      return emit(.notEqual, lane: source.lane, result: .int32, [register, zero])
    }
    var result = register
    if source.lane != target.lane {
      result = emit(.convert, lane: source.lane, result: target.lane, [register])
    }
    let keeps = source == .bool || (source == .int8 || source == .uint8) && target.isFloatingPoint
    return keeps ? result : narrow(result, to: target)
  }

  /// The program that stores the given registers.
  func program(storing outputs: [(register: Int, dtype: DType)]) -> Program {
    func number(_ register: Int) -> Int { register < 0 ? -register - 1 : inputs.count + register }
    return Program(
      inputs: inputs,
      instructions: instructions.map { instruction in
        var result = instruction
        result.operands = instruction.operands.map(number)
        return result
      },
      outputs: outputs.map { Program.Output(register: number($0.register), dtype: $0.dtype) })
  }
}
