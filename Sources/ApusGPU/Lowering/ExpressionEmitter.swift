import ApusDevice

/// Emits an elementwise program into a kernel: its loads, instructions and stores for the elements that a work-item
/// processes at a time.
///
/// A kernel iterates over the rows and columns of its arrays. `beginRow` computes offsets and loads values that are
/// constant along the row; then `emit` runs the program at each column.
struct ExpressionEmitter {
  private struct Access {
    /// `nil` for element indices, which are not in memory.
    var pointer: String?
    var dtype: DType
    var stride: ColumnStride
    /// The offset of the row.
    var offset = ""
    /// The register, if its value is constant along the row.
    var rowRegister: String?
    /// The chunk, if the elements are loaded or stored in chunks; see `emitChunk`.
    var chunk: String?
  }

  private let program: Program
  private let rowLoop: BoundStridedLoop
  /// For each array, the offset to which the offsets of its rows are added.
  private var bases: [String]
  /// Parallel to `program.inputs`; `nil` for inputs that are neither tensors nor element indices.
  private var inputs: [Access?] = []
  private var results: [Access] = []
  /// For each input, its register if it is a scalar, else `nil`.
  private var scalarRegisters: [String?] = []
  /// For each input, its index among the core results if it is one of them, else 0. Core results are the values that
  /// the kernel computes before it runs the program, such as sums.
  private var coreNumbers: [Int] = []
  /// The buffers of random words of neighboring elements, by the index of the instruction that generates the
  /// words; see `bufferedWords`.
  private var buffers: [Int: String] = [:]
  private let keepsWords: Bool

  /// Binds the tensors and scalars of a program as parameters of the kernel.
  ///
  /// - Parameters:
  ///   - rows: the loop over the rows of the arrays of `bound`.
  ///   - columns: the strides of the same arrays along the columns.
  init(
    _ program: Program, _ bound: BoundProgram, rows: StridedLoop, columns: (extent: Int, strides: [Int]),
    _ builder: inout KernelBuilder
  ) {
    self.program = program
    keepsWords = builder.target.width > 1
    var array = 0
    var bases: [String] = []
    for (input, argument) in zip(program.inputs, bound.arguments) {
      var access: Access?
      var scalar: String?
      var core = 0
      switch (input, argument) {
      case (.tensor(let dtype), .tensor(let location)):
        let pointer = builder.pointer(dtype.storage, slot: location.slot)
        let stride = ColumnStride(columns.strides[array], extent: columns.extent, &builder)
        access = Access(pointer: pointer, dtype: dtype, stride: stride)
        bases.append(builder.number(location.offset))
        array += 1
      case (.index(let lane), .index(let offset)):
        access = Access(
          dtype: lane.dtype, stride: ColumnStride(columns.strides[array], extent: columns.extent, &builder))
        bases.append(builder.number(offset))
        array += 1
      case (.scalar(let lane), .scalar(let entry)):
        let bank = builder.commonPointer("i64", slot: bound.bankSlot)
        let number = builder.number(entry)
        scalar = builder.unique("scalar")
        builder.declare("const \(lane.vector) \(scalar!) = SCALAR_\(lane.suffix)(\(bank), \(number));")
      case (.core, .core(let number)): core = number
      default: fatalError("Program: input \(inputs.count) is \(input), but its argument is \(argument)")
      }
      inputs.append(access)
      scalarRegisters.append(scalar)
      coreNumbers.append(core)
    }
    for (output, location) in zip(program.outputs, bound.results) {
      let pointer = builder.pointer(output.dtype.storage, slot: location.slot, isConstant: false)
      let stride = ColumnStride(columns.strides[array], extent: columns.extent, &builder)
      results.append(Access(pointer: pointer, dtype: output.dtype, stride: stride))
      bases.append(builder.number(location.offset))
      array += 1
    }
    self.bases = bases
    rowLoop = BoundStridedLoop(rows, &builder)
  }

  /// Emits the offsets of the arrays at a position of an outer loop. They become the base offsets of the rows that
  /// follow.
  mutating func beginOuter(_ outer: BoundStridedLoop, at position: String, _ builder: inout KernelBuilder) {
    bases = outer.offsets(at: position, bases: bases, &builder)
  }

  /// Emits the code at the start of a row: offsets, and values that are constant along the row.
  mutating func beginRow(_ row: String, _ builder: inout KernelBuilder) {
    var offsets = rowLoop.offsets(at: row, bases: bases, &builder)[...]
    for index in inputs.indices where inputs[index] != nil {
      inputs[index]!.offset = offsets.removeFirst()
      let access = inputs[index]!
      guard case .zero = access.stride else { continue }
      let name = builder.unique("row")
      let value =
        access.pointer.map { "SPLAT_\(access.dtype)(\($0), \(access.offset))" }
        ?? "SEQUENCE_\(access.dtype.lane.suffix)(\(access.offset), 0)"
      builder.line("const \(access.dtype.lane.vector) \(name) = \(value);")
      inputs[index]!.rowRegister = name
    }
    for index in results.indices { results[index].offset = offsets.removeFirst() }
    beginWords(&builder)
  }

  /// Emits buffers for random words of neighboring elements, which are generated for several registers at a time.
  private mutating func beginWords(_ builder: inout KernelBuilder) {
    for (index, instruction) in program.instructions.enumerated() where keepsWords && firstWord(instruction) != nil {
      let name = builder.unique("words")
      builder.line("int \(name)[4 * WIDTH];")
      builder.line("i64 \(name)_first = -4 * WIDTH;")
      buffers[index] = name
    }
  }

  /// If an instruction generates the random words of neighboring elements of a row, returns the variable that contains
  /// the index of the row's first word; else returns `nil`.
  private func firstWord(_ instruction: Instruction) -> String? {
    guard instruction.function == .random, instruction.operands[0] < inputs.count,
      let access = inputs[instruction.operands[0]], access.pointer == nil, case .unit = access.stride
    else { return nil }
    return access.offset
  }

  /// Emits the program for the `count` elements from column `column` on, with its stores.
  /// - Parameter cores: the registers with the core results of the step, which are inputs of the program.
  func emit(column: String, count: String, cores: [String] = [], _ builder: inout KernelBuilder) {
    let outputs = program.outputs.map { Program.Output(register: program.unrounded($0), dtype: $0.dtype) }
    let values = registers(column: column, count: count, cores: cores, outputs: outputs, &builder)
    for (register, access) in zip(values, results) {
      store(register, access, column: column, count: count, &builder)
    }
  }

  /// Emits the program for the `size` elements from column `column` on. Each array is loaded or stored with one
  /// instruction for all of them. All strides are 0 or 1.
  func emitChunk(of size: Int, column: String, _ builder: inout KernelBuilder) {
    var inner = self
    for index in inputs.indices {
      guard let access = inputs[index], access.rowRegister == nil else { continue }
      inner.inputs[index]!.offset = "\(access.offset) + \(column)"
      guard let pointer = access.pointer else { continue }
      let chunk = builder.unique("chunk")
      builder.line("CHUNK(\(access.dtype.storage), \(chunk), \(size));")
      builder.line("LOAD_CHUNK(\(access.dtype.words(size)), \(chunk), \(pointer) + \(access.offset) + \(column));")
      inner.inputs[index]!.chunk = chunk
    }
    for (index, access) in results.enumerated() {
      let chunk = builder.unique("chunk")
      builder.line("CHUNK(\(access.dtype.storage), \(chunk), \(size));")
      inner.results[index].chunk = chunk
    }
    builder.block("UNROLL for (int element = 0; element < \(size); element += 1)") { builder in
      inner.emit(column: "element", count: "1", &builder)
    }
    for (access, chunked) in zip(results, inner.results) {
      builder.line(
        "STORE_CHUNK(\(access.dtype.words(size)), \(chunked.chunk!), "
          + "\(access.pointer!) + \(access.offset) + \(column));")
    }
  }

  /// Emits the loads and instructions of the program and returns the registers of `outputs`.
  func registers(
    column: String, count: String, cores: [String] = [], outputs: [Program.Output],
    _ builder: inout KernelBuilder
  ) -> [String] {
    var registers: [String] = []
    for (position, input) in program.inputs.enumerated() {
      registers.append(load(position, input, column: column, count: count, cores: cores, &builder))
    }
    for (index, instruction) in program.instructions.enumerated() {
      let name = builder.unique("r")
      let value =
        bufferedWords(index, registers, column: column) ?? constant(instruction, &builder)
        ?? text(of: instruction, registers)
      builder.line("const \(instruction.result.vector) \(name) = \(value);")
      registers.append(name)
    }
    return outputs.map { registers[$0.register] }
  }

  private func load(
    _ position: Int, _ input: Program.Input, column: String, count: String, cores: [String],
    _ builder: inout KernelBuilder
  ) -> String {
    switch input {
    case .scalar: return scalarRegisters[position]!
    case .core: return cores[coreNumbers[position]]
    case .tensor, .index:
      let access = inputs[position]!
      if let register = access.rowRegister { return register }
      let name = builder.unique("r")
      if let chunk = access.chunk {
        builder.line("const \(access.dtype.lane.vector) \(name) = VALUE_\(access.dtype)(\(chunk)[\(column)]);")
        return name
      }
      let value =
        switch (access.pointer, access.stride) {
        case (nil, .other(let stride)):
          "SEQUENCE_\(access.dtype.lane.suffix)(\(access.offset) + \(column) * \(stride), \(stride))"
        case (nil, .unit), (nil, .zero):
          "SEQUENCE_\(access.dtype.lane.suffix)(\(access.offset) + \(column), 1)"
        case (let pointer?, .other(let stride)):
          "GATHER_\(access.dtype)(\(pointer), \(access.offset) + \(column) * \(stride), \(stride), \(count))"
        case (let pointer?, .unit), (let pointer?, .zero):
          "LOAD_\(access.dtype)(\(pointer), \(access.offset) + \(column), \(count))"
        }
      builder.line("const \(access.dtype.lane.vector) \(name) = \(value);")
      return name
    }
  }

  private func store(
    _ register: String, _ access: Access, column: String, count: String, _ builder: inout KernelBuilder
  ) {
    if let chunk = access.chunk {
      return builder.line("\(chunk)[\(column)] = ELEMENT_\(access.dtype)(\(register));")
    }
    switch access.stride {
    case .other(let stride):
      builder.line(
        "SCATTER_\(access.dtype)(\(access.pointer!), \(access.offset) + \(column) * \(stride), \(stride), "
          + "\(count), \(register));")
    case .unit, .zero:
      builder.line(
        "STORE_\(access.dtype)(\(access.pointer!), \(access.offset) + \(column), \(count), \(register));")
    }
  }

  /// Returns code for random words of neighboring elements, which are generated together; `nil` for other instructions.
  private func bufferedWords(_ index: Int, _ registers: [String], column: String) -> String? {
    guard let buffer = buffers[index], let first = firstWord(program.instructions[index]) else { return nil }
    let key = program.instructions[index].operands.dropFirst().map { registers[$0] }
    return "next_words(\(first) + \(column), \(key[0]), \(key[1]), \(buffer), &\(buffer)_first)"
  }

  /// Returns code for a constant that may depend on the shape, such as the divisor of a mean: the code reads the
  /// constant from the geometry, so that shapes share the kernel. Returns `nil` for constants that stay in the source:
  /// integers, infinities, NaN, and multiples of 0.5 from -8 to 8, which probably do not depend on the shape.
  private func constant(_ instruction: Instruction, _ builder: inout KernelBuilder) -> String? {
    guard instruction.function == .constant, instruction.result.dtype.isFloatingPoint,
      let immediate = instruction.immediate, case let value = immediate.double, value.isFinite,
      value.magnitude > 8 || value * 2 != (value * 2).rounded()
    else { return nil }
    let bits = immediate.bits(instruction.result)
    return "CONSTANT_\(instruction.result.suffix)(\(builder.word(Int64(bitPattern: bits))))"
  }

  private func text(of instruction: Instruction, _ registers: [String]) -> String {
    let operands = instruction.operands.map { registers[$0] }
    switch instruction.function {
    case .constant:
      return (instruction.immediate ?? .integer(0)).text(instruction.result)
    case .random:
      return "random_\(instruction.lane.suffix)(\(operands.joined(separator: ", ")))"
    case .select:
      return "CHOOSE_\(instruction.result.suffix)(\(operands.joined(separator: ", ")))"
    case .convert:
      return "CONVERT_\(instruction.lane.suffix)_\(instruction.result.suffix)(\(operands[0]))"
    case .row(let row):
      // A function of elementwise.def is named after the lane of its operands, except for `unitFloat`, which converts
      // integers and is named after the lane of its result.
      let lane = row == .unitFloat ? instruction.result : instruction.lane
      return row.call(lane, operands.joined(separator: ", "))
    }
  }
}

extension Program {
  /// Returns the register to store for an output. A store rounds, so a preceding rounding to the same type is skipped.
  fileprivate func unrounded(_ output: Output) -> Int {
    let index = output.register - inputs.count
    guard index >= 0, let rounding = output.dtype.rounding, instructions[index].function == .row(rounding) else {
      return output.register
    }
    return instructions[index].operands[0]
  }
}

extension ElementwiseRow {
  /// Kernel text that calls the function of this row of `elementwise.def`.
  func call(_ lane: Lane, _ operands: String) -> String { "row_\(name)_\(lane.suffix)(\(operands))" }

  /// Kernel text that calls the same function on scalars instead of registers. Compilers for CPUs reduce the call to a
  /// scalar operation.
  func callOnScalars(_ lane: Lane, _ operands: String...) -> String {
    "FIRST_\(lane.suffix)(\(call(lane, operands.map { "(\(lane.vector))(\($0))" }.joined(separator: ", "))))"
  }
}

extension DType {
  /// The type of a register of 4, 8 or 16 bytes that holds `count` elements.
  fileprivate func words(_ count: Int) -> String {
    switch count * byteCount {
    case 4: "u32"
    case 8: "uint2"
    default: "uint4"
    }
  }

  /// The operation that rounds numbers of the arithmetic type (lane) to this type; `nil` for integers, and for types in
  /// which programs compute.
  fileprivate var rounding: ElementwiseRow? {
    switch self {
    case .float16: .roundFloat16
    case .bfloat16: .roundBFloat16
    default: nil
    }
  }
}
