import ApusDevice
import ApusCSIMD

/// Lowers a program, the elementwise code of a step, to a `csimd_kernel`, which ApusCSIMD runs.
struct KernelLowering {
  let builder: StepBuilder
  let program: Program
  let domain: Shape
  var arguments: [csimd_argument] = []
  var instructions: [csimd_instruction] = []
  var outputs: [csimd_output] = []
  var splats: [UnsafeMutableRawPointer] = []
  var slots: KernelSlots
  let block: Int
  var row = 0

  /// The number of elements that a reducer accumulates at a time.
  private static let reducerGroup = 64

  private enum Kind {
    static let tensor = Int32(CSIMD_TENSOR)
    static let scalar = Int32(CSIMD_SCALAR)
    static let core = Int32(CSIMD_CORE)
    static let index = Int32(CSIMD_INDEX)
    static let constant = Int32(CSIMD_CONSTANT)
  }

  /// The kernel's register for each register (the value of an input or of an instruction) of the program. The indices
  /// differ, because constants are instructions of the program, but arguments of the kernel.
  private var registers: [Int] = []
  /// For each register of the kernel: whether its value is the same for all elements.
  private var isUniform: [Bool] = []

  init(builder: StepBuilder, program: Program, domain: Shape) {
    self.builder = builder
    self.program = program
    self.domain = domain
    // A slot is workspace memory for one block of elements. A scalar needs no slot, unless it is an output.
    let inputs = program.inputs.filter { if case .scalar = $0 { false } else { true } }
    let lanes =
      inputs.map(\.lane) + program.instructions.map(\.result) + program.outputs.map { program.lane(of: $0.register) }
    let laneByteCount = lanes.map(\.byteCount).max() ?? 8
    // About eight registers are live at a time; they should stay in an L1 cache of 32 KiB.
    block = laneByteCount == 4 && lanes.count <= 16 ? 1024 : 512
    slots = KernelSlots(block: block, laneByteCount: laneByteCount)
  }

  mutating func lower(
    arguments inputs: [Argument], results: [Operand]?
  ) throws(DeviceError) {
    guard program.inputs.count + program.instructions.count < Int(CSIMD_MAXIMUM_REGISTERS) / 2,
      program.outputs.count <= 16
    else {
      throw .unsupported(device: "cpu", feature: "a program of this length")
    }
    addArguments(inputs)
    try addInstructions()
    addOutputs(results)
    chooseDirectOutputs(results != nil)
    if results != nil {
      restrictInPlaceArguments()
      chooseStreams()
    }
    spreadPrefetches()
    assignSlots()
    chooseRow(inputs, results)
  }

  // MARK: - Registers

  private mutating func addArguments(_ inputs: [Argument]) {
    for (input, argument) in zip(program.inputs, inputs) {
      var raw = csimd_argument()
      raw.lane = Int32(input.lane.rawValue)
      switch argument {
      case .tensor(let operand):
        let dtype = builder.plan.values[operand.value].dtype
        raw.kind = Kind.tensor
        raw.index = Int32(operand.value)
        raw.dtype = Int32(dtype.rawValue)
        raw.layout = operand.layout.raw
        raw.in_place = dtype.isLane ? 1 : 0
      case .scalar(let index):
        raw.kind = Kind.scalar
        raw.index = Int32(index)
      case .index(let layout):
        raw.kind = Kind.index
        raw.layout = layout.raw
      case .core(let index):
        raw.kind = Kind.core
        raw.index = Int32(index)
      }
      add(raw, isUniform: raw.kind == Kind.scalar || (raw.kind == Kind.tensor && raw.layout.isRepeated))
    }
    registers = Array(arguments.indices)
    for instruction in program.instructions {
      guard instruction.function == .constant else {
        registers.append(-1)
        continue
      }
      var raw = csimd_argument()
      raw.lane = Int32(instruction.result.rawValue)
      raw.kind = Kind.constant
      raw.splat = UnsafeRawPointer(splat(instruction.immediate ?? .integer(0), instruction.result))
      registers.append(arguments.count)
      add(raw, isUniform: true)
    }
  }

  private mutating func add(_ argument: csimd_argument, isUniform uniform: Bool) {
    arguments.append(argument)
    isUniform.append(uniform)
  }

  private mutating func splat(_ value: Scalar, _ lane: Lane) -> UnsafeMutableRawPointer {
    let result = UnsafeMutableRawPointer.allocate(byteCount: Int(CSIMD_SPLAT_BYTES), alignment: 64)
    csimd_splat(result, Int32(lane.rawValue), value.double, value.integer)
    splats.append(result)
    return result
  }

  private mutating func addInstructions() throws(DeviceError) {
    var uniform = registers.map { $0 >= 0 && isUniform[$0] }
    for (number, instruction) in program.instructions.enumerated() where registers[program.inputs.count + number] < 0 {
      uniform[program.inputs.count + number] = instruction.operands.allSatisfy { uniform[$0] }
    }
    let instructions = program.fusingRows { uniform[$0] }
    for (number, instruction) in instructions.enumerated() {
      let register = program.inputs.count + number
      guard let joined = instruction, registers[register] < 0 else { continue }
      let instruction = joined.instruction
      var raw = csimd_instruction()
      raw.output = -1
      raw.loop = try loop(joined)
      raw.operand_count = Int32(instruction.operands.count)
      let operands = instruction.operands.map { Int32(registers[$0]) } + [0, 0, 0]
      raw.operands = (operands[0], operands[1], operands[2])
      let uniform = instruction.operands.allSatisfy { isUniform[registers[$0]] }
      raw.is_uniform = uniform ? 1 : 0
      raw.is_long = joined.isLong ? 1 : 0
      raw.prefetched_argument = -1
      registers[register] = arguments.count + self.instructions.count
      self.instructions.append(raw)
      isUniform.append(uniform)
    }
  }

  private func loop(_ joined: LoopInstruction) throws(DeviceError) -> csimd_loop {
    let (table, instruction) = (builder.loops.pointee, joined.instruction)
    if let fused = joined.fused { return try builder.loop(fused.rawValue, instruction.lane) }
    switch instruction.function {
    case .select:
      return instruction.result.entry(of: table.select)
    case .random:
      return instruction.lane == .int32 ? table.random.0! : table.random.1!
    case .convert:
      return csimd_find_conversion(
        builder.loops, Int32(instruction.lane.rawValue), Int32(instruction.result.rawValue))
    case .row(let row):
      // The table lists each operation under the lane (arithmetic type) of its operands, except `unitFloat`: this
      // operation reads integers, but is listed under `float32`.
      return try builder.loop(row.name, row == .unitFloat ? instruction.result : instruction.lane)
    case .constant: fatalError("a constant is an argument, not an instruction")
    }
  }

  private mutating func addOutputs(_ results: [Operand]?) {
    for (number, output) in program.outputs.enumerated() {
      var raw = csimd_output()
      raw.reg = Int32(registers[output.register])
      raw.lane = Int32(program.lane(of: output.register).rawValue)
      raw.dtype = Int32(output.dtype.rawValue)
      if let results {
        raw.value = Int32(results[number].value)
        raw.layout = results[number].layout.raw
      }
      outputs.append(raw)
    }
  }

  /// Distributes prefetches over a block's instructions. An instruction can prefetch four bytes per element of one
  /// array. If there are more instructions than arrays, and all elements have four bytes, a separate instruction
  /// prefetches each array. Otherwise the first instruction prefetches its operands, and each of the next instructions
  /// prefetches one of the other arrays.
  private mutating func spreadPrefetches() {
    let arrays = arguments.indices.filter { arguments[$0].in_place != 0 && !isUniform[$0] }
    let working = instructions.indices.filter { instructions[$0].is_uniform == 0 }
    guard let first = working.first else { return }
    let isSpread = working.count > arrays.count && arrays.allSatisfy { program.inputs[$0].lane.byteCount == 4 }
    instructions[first].prefetches_operands = isSpread ? 0 : 1
    let prefetched = isSpread ? arrays : arrays.filter { !instructions[first].reads($0) }
    for (instruction, array) in zip(isSpread ? working : Array(working.dropFirst()), prefetched) {
      instructions[instruction].prefetched_argument = Int32(array)
    }
  }

  /// Whether a run of the kernel only has to advance pointers from block to block: all arrays are contiguous along the
  /// domain, there are few instructions, and they write all outputs directly.
  var isFlat: Bool {
    let isAlong = arguments.indices.allSatisfy { index in
      let argument = arguments[index]
      if isUniform[index] || argument.kind == Kind.core { return true }
      return argument.in_place != 0 && argument.layout.rank == 1 && argument.layout.strides.0 == 1
    }
    let count = instructions.count { $0.is_uniform == 0 }
    return isAlong && row == 0 && count > 0 && count <= Int(CSIMD_FLAT_INSTRUCTIONS)
      && outputs.allSatisfy { $0.is_direct != 0 }
  }

  // MARK: - Aliasing

  /// Lets an instruction write an output directly, if the output overwrites nothing that is read later.
  private mutating func chooseDirectOutputs(_ hasResults: Bool) {
    guard hasResults else { return }
    for number in outputs.indices {
      let output = outputs[number]
      let index = Int(output.reg) - arguments.count
      let dtype = program.outputs[number].dtype
      guard index >= 0, instructions[index].is_uniform == 0, instructions[index].output < 0,
        output.layout.isContiguous || domain.elementCount == 1
      else { continue }
      let truths = dtype == .bool ? truths(at: index) : nil
      guard dtype.isLane || truths != nil else { continue }
      let isSafe = arguments.indices.allSatisfy { argument in
        // A core result (the result of a step before its epilogue) may have been computed in the memory of any output.
        if arguments[argument].kind == Kind.core { return lastUse(of: argument) <= index }
        guard arguments[argument].kind == Kind.tensor, arguments[argument].in_place != 0,
          builder.mayAlias(Int(arguments[argument].index), Int(output.value))
        else { return true }
        return lastUse(of: argument) <= index
      }
      guard isSafe, domain.elementCount > 1 else { continue }
      outputs[number].is_direct = 1
      instructions[index].output = Int32(number)
      instructions[index].truths = truths
    }
  }

  /// The loop that writes the result of a comparison as bytes; `nil` for other instructions, and if anything other than
  /// one output uses the result.
  private func truths(at index: Int) -> csimd_loop? {
    let register = arguments.count + index
    let isRead = instructions.contains { $0.reads(register) }
    guard !isRead, outputs.count(where: { $0.reg == register }) == 1,
      let instruction = program.instructions.enumerated().first(where: {
        registers[program.inputs.count + $0.offset] == register
      })?.element
    else { return nil }
    return csimd_find_truths(builder.loops, instruction.function.name, Int32(instruction.lane.rawValue))
  }

  /// Makes the kernel copy an argument to a slot, instead of reading it in place, if the argument is itself an output
  /// and an output overwrites its array. Outputs are stored one after the other at the end of a block, so the array
  /// could change before the argument is stored.
  private mutating func restrictInPlaceArguments() {
    for argument in arguments.indices where arguments[argument].in_place != 0 {
      let isStored = outputs.contains { $0.reg == argument }
      let isOverwritten = outputs.contains {
        builder.mayAlias(Int(arguments[argument].index), Int($0.value))
      }
      if isStored && isOverwritten { arguments[argument].in_place = 0 }
    }
  }

  /// Uses non-temporal stores for the outputs if all arrays together do not fit into the caches. An output that
  /// overwrites an argument is stored normally: its memory was just read, so the caches may contain it.
  private mutating func chooseStreams() {
    let tensors = arguments.filter { $0.kind == Kind.tensor }.map { Int($0.index) }
    let all = Set(tensors + outputs.map { Int($0.value) })
    guard all.reduce(0, { $0 + builder.plan.values[$1].byteCount }) >= CacheLimits.stepByteCount else { return }
    for number in outputs.indices {
      let value = Int(outputs[number].value)
      outputs[number].streams = tensors.contains { builder.mayAlias($0, value) } ? 0 : 1
    }
  }

  /// Whether the program reads an array that does not fit into a core's caches.
  var isLarge: Bool {
    arguments.contains { argument in
      argument.kind == Kind.tensor
        && builder.plan.values[Int(argument.index)].byteCount >= CacheLimits.coreByteCount
    }
  }

  /// The last instruction that reads a register; `instructions.count` if an output reads it.
  private func lastUse(of register: Int) -> Int {
    if outputs.contains(where: { $0.reg == register }) { return instructions.count }
    return instructions.lastIndex { $0.reads(register) } ?? -1
  }

  // MARK: - Slots

  private mutating func assignSlots() {
    let uses = (0..<(arguments.count + instructions.count)).map { lastUse(of: $0) }
    for index in instructions.indices where instructions[index].is_uniform != 0 {
      instructions[index].slot = slots.take()
    }
    for index in outputs.indices { outputs[index].slot = index == 0 ? slots.take() : outputs[0].slot }
    var live: [Int: Int] = [:]
    for index in arguments.indices where [Kind.tensor, Kind.index, Kind.core].contains(arguments[index].kind) {
      arguments[index].slot = slots.take()
      if !isUniform[index] { live[index] = arguments[index].slot }
    }
    for index in instructions.indices where instructions[index].is_uniform == 0 {
      let ending = live.keys.filter { uses[$0] == index }.sorted()
      // The result may reuse the slot of an earlier result of the same size that is read here for the last time.
      // The result must not overwrite the slot of an argument: the loop reads the slot of a broadcast value again for
      // each group of 16 elements.
      let size = laneByteCount(arguments.count + index)
      var rest: [Int] = []
      for register in ending {
        let isResult = register >= arguments.count
        if isResult && laneByteCount(register) == size { slots.give(live[register]!) } else { rest.append(register) }
      }
      instructions[index].slot = slots.take()
      for register in rest { slots.give(live[register]!) }
      for register in ending { live[register] = nil }
      live[arguments.count + index] = instructions[index].slot
    }
  }

  private func laneByteCount(_ register: Int) -> Int {
    if register < arguments.count { return Int(csimd_lane_bytes(arguments[register].lane)) }
    let original = registers.firstIndex(of: register)!
    return program.lane(of: original).byteCount
  }

  /// Lets blocks end at the ends of long rows (lines along the last axis), so that broadcast operands need no copies.
  /// If reducers read the outputs, the length of a row must be a multiple of `reducerGroup`.
  private mutating func chooseRow(_ inputs: [Argument], _ results: [Operand]?) {
    let (shape, _) = Layout.collapsed(domain, inputs.compactMap(\.layout) + (results ?? []).map(\.layout))
    guard shape.rank > 1, let width = shape.last, width >= 256 else { return }
    if results != nil || width % Self.reducerGroup == 0 { row = width }
  }
}

extension csimd_instruction {
  /// Whether a register is one of the operands.
  fileprivate func reads(_ register: Int) -> Bool {
    [operands.0, operands.1, operands.2].prefix(Int(operand_count)).contains(Int32(register))
  }
}
