import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: Reduction) {
    let prologueBinding = Binding(domain: step.domain, arguments: step.arguments, results: [])
    var prologue = step.prologue
    prologue.outputs = []
    lower(step, prologue: bind(prologue, prologueBinding), maySplit: true)
  }

  /// Lowers a reduction whose arguments are at the locations in `prologue`.
  /// - Parameter maySplit: whether the reduction may be split into parts, whose results are stored in the workspace.
  private mutating func lower(_ step: Reduction, prologue prologueBound: BoundProgram, maySplit: Bool) {
    let epilogueBound = bind(step.epilogue.program, step.epilogue.binding)
    var shape = ReductionShape(step, prologue: prologueBound.layouts, epilogue: epilogueBound.layouts)
    guard shape.outputCount > 0 else { return }
    let isSerial = !isCPU && shape.isAlong && shape.reducedCount <= target.subgroup?.size ?? 64
    if isSerial { shape.runAcross() }
    shape.parts = maySplit ? parts(of: shape) : 1
    if isCPU, !shape.isAlong, shape.parts == 1 { shape.vectors = vectors(of: shape, reducers: step.reducers.count) }
    if let size = target.subgroup?.size, shape.isAlong, shape.reducedCount <= 32 * size {
      shape.itemsPerOutput = size
    }
    let emitter = ReductionEmitter(
      step: step, prologue: prologueBound, epilogue: epilogueBound, shape: shape,
      isLarge: KernelBuilder.isLarge(
        step.domain.elementCount + prologueBound.maximumOffset + shape.kept.reach + shape.reduced.reach),
      target: target, workspace: slots.workspace)
    let (first, groups) = emitter.accumulate()
    launch(first, groups: groups, localSize: isCPU ? 1 : 256)
    guard shape.parts > 1 else { return }
    needWorkspace(emitter.workspaceByteCount)
    let (second, combineGroups) = emitter.combine()
    launch(
      second, groups: combineGroups, localSize: isCPU ? 1 : 256,
      .part("sum of \(shape.parts) parts", read: emitter.workspaceByteCount, written: 8 * shape.outputCount))
  }

  /// Adds up `parts` partial results of a step, which follow each other in the workspace, and applies the step's
  /// epilogue.
  mutating func lowerSum(of parts: Int, lane: Lane, workspaceOffset: Int, _ epilogue: Epilogue) {
    let shape = epilogue.binding.domain
    let domain = shape.inserting(parts, at: 0)
    func lifted(_ layout: Layout) -> Layout {
      Layout(
        shape: layout.shape.inserting(1, at: 0), strides: layout.strides.inserting(0, at: 0), offset: layout.offset)
    }
    var binding = epilogue.binding
    binding.domain = shape.inserting(1, at: 0)
    binding.results = binding.results.map { Operand(value: $0.value, layout: lifted($0.layout)) }
    binding.arguments = binding.arguments.map { $0.laidOut(lifted) }
    let output = Program.Output(register: 0, dtype: lane.dtype)
    let step = Reduction(
      domain: domain, axes: [0], prologue: Program(inputs: [.tensor(lane.dtype)], outputs: [output]),
      arguments: [], reducers: [.sum], epilogue: Epilogue(program: epilogue.program, binding: binding))
    let source = BoundProgram(
      arguments: [.tensor(MemoryLocation(slot: slots.workspace, offset: workspaceOffset))], results: [],
      bankSlot: slots.bank, layouts: [Layout(contiguous: domain)])
    let sum = KernelWork.part(
      "sum of \(parts) parts", read: domain.byteCount(of: lane.dtype),
      written: shape.byteCount(of: lane.dtype))
    lower(part: sum) { $0.lower(step, prologue: source, maySplit: false) }
  }

  /// Returns the number of result vectors per work-item. With several vectors, a work-item reads more contiguous
  /// elements at a time. This requires that no vector is partial, that there are few reducers, and that enough
  /// work-items remain.
  private func vectors(of shape: ReductionShape, reducers: Int) -> Int {
    let all = shape.rows.count * shape.columns.extent / width
    return [4, 2].first { count in
      count * reducers <= 4 && shape.columns.extent % (count * width) == 0 && all >= 8 * count
    } ?? 1
  }

  /// Returns the number of parts. If there are few results of many elements each, the elements of each result are split
  /// into several parts to occupy the device, and a second launch combines the parts.
  private func parts(of shape: ReductionShape) -> Int {
    let total = shape.outputCount * shape.reducedCount
    let limit = shape.isAlong ? shape.reducedCount / 1024 : shape.reduced.count / 16
    if isCPU {
      let items =
        shape.isAlong ? shape.outputCount : shape.rows.count * ceilDivide(shape.columns.extent, width)
      guard items < 4, total >= 1 << 16 else { return 1 }
      return max(1, min(16, total >> 14, limit))
    }
    let items = shape.isAlong ? shape.outputCount * 256 : shape.outputCount
    guard items < 1 << 15, shape.reducedCount >= 1 << 9 else { return 1 }
    return max(1, min(64, (1 << 16) / items, limit))
  }
}

/// Emits the kernels of one reduction.
private struct ReductionEmitter {
  let step: Reduction
  let prologue: BoundProgram
  let epilogue: BoundProgram
  let shape: ReductionShape
  let isLarge: Bool
  let target: KernelTarget
  let workspace: Int

  private var isCPU: Bool { target.kernelClass == .cpu }
  private var width: Int { target.width }

  /// The maximum number of chains that a register accumulates. A chain is at most `Accumulators.chain` terms that are
  /// added one after another. In a reduction along the innermost axis, a row is the elements along this axis; kernels
  /// for CPUs begin a new chain in each row, and in kernels for GPUs, a chain may continue in the next row.
  private var chains: Int {
    func count(_ terms: Int, _ length: Int) -> Int { ceilDivide(terms, length) }
    let rows = count(shape.reduced.count, shape.parts)
    if !shape.isAlong { return count(rows, Accumulators.chain) }
    if isCPU { return (splitsRows ? shape.reduced.count : rows) * count(rowLength, Accumulators.chain * width) }
    return count(count(shape.reducedCount, shape.parts), Accumulators.chain * shape.itemsPerOutput)
  }
  private var accumulators: Accumulators { Accumulators(step, chains: chains, sets: shape.vectors) }

  /// For a reduction along the innermost axis on a CPU, whether each row is split into parts; if not, a part has whole
  /// rows.
  private var splitsRows: Bool { shape.parts > 1 && shape.reduced.count < shape.parts }
  /// The number of elements of each row that belong to one part.
  private var rowLength: Int {
    splitsRows ? roundUp(shape.inner.extent / shape.parts + 1, toMultipleOf: width) : shape.inner.extent
  }

  /// The number of outputs that one work-item or group computes at a time.
  private var block: Int {
    if !isCPU { return 1 }
    if !shape.isAlong { return width * shape.vectors }
    return max(1, min(width, shape.outputCount / 8, shape.columns.extent))
  }
  private var blocksPerRow: Int { ceilDivide(shape.columns.extent, block) }
  private var blocks: Int { shape.rows.count * blocksPerRow }
  /// The number of blocks per work-item: more than one if a block is little work.
  private var blocksPerItem: Int {
    isCPU ? max(1, min(8192 / max(1, block * shape.reducedCount), ceilDivide(blocks, 8))) : 1
  }

  var workspaceByteCount: Int {
    accumulators.registers().count * shape.parts * shape.outputCount * 8
  }

  private func newBuilder(_ family: String) -> KernelBuilder {
    KernelBuilder(family: family, target: target, isLarge: isLarge)
  }

  // MARK: - The kernels

  /// Returns the kernel that computes the results or the partial results.
  func accumulate() -> (KernelBuilder, groups: Int) {
    var builder = newBuilder(shape.isAlong ? "reduction_along" : "reduction_across")
    var program = step.prologue
    program.outputs = []
    var text = ExpressionEmitter(
      program, prologue, rows: shape.reduced,
      columns: shape.isAlong ? shape.inner : shape.prologueColumns, &builder)
    let outer = BoundStridedLoop(shape.prologueLoop(shape.isAlong ? shape.kept : shape.rows), &builder)
    let frame = openFrame(&builder)
    let total = builder.number(shape.reduced.count)
    let inner = builder.number(shape.inner.extent)
    if isCPU || !shape.isAlong {
      builder.block(frame.loop) { builder in
        emitBlock(frame, &builder)
        if shape.isAlong {
          vectorsAlong(&text, outer, total: total, inner: inner, &builder)
        } else {
          text.beginOuter(outer, at: "row", &builder)
          accumulators.declare(&builder)
          let (first, end) = range(total, &builder)
          inChains(of: accumulators, "outer", from: first, to: end, step: "1", &builder) { builder in
            text.beginRow("outer", &builder)
            let registers = (0..<shape.vectors).flatMap { set in
              emit(text, column: column(ofSet: set), count: count, &builder)
            }
            accumulators.add(registers, positions: "(VL)((i64)outer)", &builder)
          }
          accumulators.combineLevels(&builder)
        }
        finish(&builder)
      }
      return (builder, frame.groups)
    }
    groupAlong(&text, outer, frame, total: total, inner: inner, &builder)
    return (builder, frame.groups)
  }

  /// Returns the kernel that combines the partial results.
  func combine() -> (KernelBuilder, groups: Int) {
    var builder = newBuilder("reduction_parts")
    var whole = self.shape
    whole.parts = 1
    whole.isAlong = false
    whole.vectors = 1
    let emitter = ReductionEmitter(
      step: step, prologue: prologue, epilogue: epilogue, shape: whole, isLarge: isLarge, target: target,
      workspace: workspace)
    let frame = emitter.openFrame(&builder)
    let parts = builder.number(shape.parts)
    let locations = partLocations(&builder)
    let sums = Accumulators(step, chains: ceilDivide(shape.parts, Accumulators.chain))
    builder.block(frame.loop) { builder in
      emitter.emitBlock(frame, &builder)
      sums.declare(&builder)
      inChains(of: sums, "part", from: "0", to: parts, step: "1", &builder) { builder in
        for (register, location) in zip(sums.registers(), locations) {
          builder.line(
            "const \(register.lane.vector) other_\(register.name) = LOAD_\(register.lane.dtype)("
              + "\(location.pointer), \(location.offset), count);")
        }
        sums.merge({ "other_\($0)" }, &builder)
      }
      sums.combineLevels(&builder)
      emitter.finish(&builder)
    }
    return (builder, frame.groups)
  }

  // MARK: - Blocks of results

  /// The code that assigns blocks of results to work-items.
  struct Frame {
    var loop: String
    var blocksPerRow: String
    var columns: String
    var block: String
    var groups: Int
  }

  private func openFrame(_ builder: inout KernelBuilder) -> Frame {
    let numbers = [blocks, blocksPerItem, blocksPerRow, shape.columns.extent, block].map {
      builder.number($0)
    }
    let index = builder.index
    let itemsPerBlock = shape.isAlong ? shape.itemsPerOutput : 1
    let groups = isCPU ? ceilDivide(blocks, blocksPerItem) : ceilDivide(blocks * itemsPerBlock, 256)
    let count = builder.number(groups)
    builder.line("const \(index) part = (\(index))GROUP_ID() / \(count);")
    builder.line("const \(index) item = (\(index))GROUP_ID() - part * \(count);")
    if isCPU {
      return Frame(
        loop:
          "for (\(index) unit = item * \(numbers[1]); unit < SMALLER((item + 1) * \(numbers[1]), \(numbers[0])); unit += 1)",
        blocksPerRow: numbers[2], columns: numbers[3], block: numbers[4], groups: groups * shape.parts)
    }
    let unit = itemsPerBlock == 256 ? "item" : "(item * 256 + LOCAL_ID()) / \(itemsPerBlock)"
    builder.line("const \(index) unit = \(unit);")
    return Frame(
      loop: "if (unit < \(numbers[0]))", blocksPerRow: numbers[2], columns: numbers[3], block: numbers[4],
      groups: groups * shape.parts)
  }

  /// Emits variables for the row, the first column and the number of columns of block `unit`.
  private func emitBlock(_ frame: Frame, _ builder: inout KernelBuilder) {
    let index = builder.index
    builder.line("const \(index) row = unit / \(frame.blocksPerRow);")
    builder.line("const \(index) column = (unit - row * \(frame.blocksPerRow)) * \(frame.block);")
    builder.line("const int count = (int)SMALLER(\(frame.columns) - column, \(frame.block));")
    builder.line("const \(index) output = row * \(frame.columns) + column;")
  }

  /// Returns the range of this part among `total` positions of the reduced axes (without a reduced innermost axis).
  private func range(_ total: String, _ builder: inout KernelBuilder) -> (first: String, end: String) {
    guard shape.parts > 1 else { return ("0", total) }
    let size = builder.number(ceilDivide(shape.reduced.count, shape.parts))
    return ("part * \(size)", "SMALLER((part + 1) * \(size), \(total))")
  }

  /// Emits a loop over terms, split into chains if the accumulators have chains.
  private func inChains(
    of accumulators: Accumulators, _ variable: String, from first: String, to end: String, step: String,
    _ builder: inout KernelBuilder, _ body: (inout KernelBuilder) -> Void
  ) {
    let index = builder.index
    inChains(of: accumulators, variable, from: first, to: end, step: step, &builder) { start, stop, builder in
      builder.block(
        "for (\(index) \(variable) = \(start); \(variable) < \(stop); \(variable) += \(step))", body)
    }
  }

  /// Emits a loop over chains of terms. `terms` emits the inner loop over the terms of a chain, from `start` to `stop`.
  /// If the accumulators have no chains, there is only a loop over all terms.
  private func inChains(
    of accumulators: Accumulators, _ variable: String, from first: String, to end: String, step: String,
    _ builder: inout KernelBuilder, terms: (_ start: String, _ stop: String, inout KernelBuilder) -> Void
  ) {
    let index = builder.index
    builder.line("const \(index) \(variable)End = \(end);")
    guard accumulators.hasChains else { return terms(first, "\(variable)End", &builder) }
    let chain = "\(Accumulators.chain) * \(step)"
    builder.block(
      "for (\(index) \(variable)Chain = \(first); \(variable)Chain < \(variable)End; \(variable)Chain += \(chain))"
    ) { builder in
      builder.line("const \(index) \(variable)Stop = SMALLER(\(variable)Chain + \(chain), \(variable)End);")
      terms("\(variable)Chain", "\(variable)Stop", &builder)
      accumulators.endChain(&builder)
    }
  }

  // MARK: - Along the innermost axis

  /// Emits code that computes one result after the other. A result is accumulated in a vector, whose elements are
  /// combined at the end.
  private func vectorsAlong(
    _ text: inout ExpressionEmitter, _ outer: BoundStridedLoop, total: String, inner: String,
    _ builder: inout KernelBuilder
  ) {
    let index = builder.index
    for register in accumulators.registers() {
      builder.line("\(register.lane.scalar) all_\(register.name)[WIDTH];")
    }
    let piece = splitsRows ? builder.number(rowLength) : ""
    let rows = splitsRows ? ("0", total) : range(total, &builder)
    let (first, end) = splitsRows ? ("part * \(piece)", "SMALLER((part + 1) * \(piece), \(inner))") : ("0", inner)
    builder.block("for (int one = 0; one < count; one += 1)") { builder in
      var text = text
      text.beginOuter(outer, at: "(output + one)", &builder)
      accumulators.declare(&builder)
      builder.line("const \(index) outerEnd = \(rows.1);")
      builder.block("for (\(index) outer = \(rows.0); outer < outerEnd; outer += 1)") { builder in
        text.beginRow("outer", &builder)
        func add(_ count: String, _ builder: inout KernelBuilder) {
          let registers = emit(text, column: "along", count: count, &builder)
          accumulators.add(
            registers, positions: "(SEQUENCE_i64(outer * \(inner) + along, 1))", count: count, &builder)
        }
        inChains(of: accumulators, "along", from: first, to: end, step: "WIDTH", &builder) { start, stop, builder in
          builder.line("\(index) along = \(start);")
          // Whole vectors need no mask.
          builder.block("for (; along + WIDTH <= \(stop); along += WIDTH)") { add("WIDTH", &$0) }
          builder.block("if (along < \(stop))") { builder in
            builder.line("const int remaining = (int)(\(stop) - along);")
            add("remaining", &builder)
          }
        }
      }
      accumulators.combineLevels(&builder)
      accumulators.fold(&builder)
      for register in accumulators.registers() {
        builder.line("all_\(register.name)[one] = FIRST_\(register.lane.suffix)(\(register.name));")
      }
    }
    for register in accumulators.registers() {
      builder.line("for (int one = count; one < WIDTH; one += 1) all_\(register.name)[one] = 0;")
      builder.line("const \(register.lane.vector) \(register.name) = VLOAD(all_\(register.name));")
    }
  }

  /// Emits code for one result per group or sub-group of work-items, whose registers are combined in a tree.
  private func groupAlong(
    _ text: inout ExpressionEmitter, _ outer: BoundStridedLoop, _ frame: Frame, total: String, inner: String,
    _ builder: inout KernelBuilder
  ) {
    let index = builder.index
    let items = shape.itemsPerOutput
    let elements = shape.reduced.count * shape.inner.extent
    let size = builder.number(ceilDivide(elements, shape.parts))
    builder.line("const int lid = LOCAL_ID()\(items == 256 ? "" : " % \(items)");")
    func body(_ builder: inout KernelBuilder) {
      emitBlock(frame, &builder)
      text.beginOuter(outer, at: "output", &builder)
      accumulators.declare(&builder)
      inChains(
        of: accumulators, "position", from: "part * \(size) + lid",
        to: "SMALLER((part + 1) * \(size), \(total) * \(inner))", step: "\(items)", &builder
      ) { builder in
        // A division takes longer than all else in this loop.
        builder.line("const \(index) outer = \(shape.reduced.rank == 0 ? "0" : "position / \(inner)");")
        builder.line("const \(index) along = position - outer * \(inner);")
        text.beginRow("outer", &builder)
        let registers = emit(text, column: "along", count: "1", &builder)
        accumulators.add(registers, positions: "(VL)((i64)position)", &builder)
      }
      accumulators.combineLevels(&builder)
      if items == 256 { combineShared(&builder) }
      if let subgroup = target.subgroup { combineSubgroup(subgroup.size, &builder) }
      builder.block("if (lid == 0)") { builder in finish(&builder) }
    }
    // Barriers must be outside of conditionals.
    if items == 256 { body(&builder) } else { builder.block(frame.loop, body) }
  }

  /// Combines the registers of a group in local memory, until only the registers of the first sub-group remain or,
  /// without sub-groups, of the first work-item.
  private func combineShared(_ builder: inout KernelBuilder) {
    for register in accumulators.registers() {
      builder.localArray("all_\(register.name)", of: register.lane, count: 256)
      builder.line("all_\(register.name)[lid] = \(register.name);")
    }
    builder.line("BARRIER();")
    builder.block("for (int span = 128; span >= \(target.subgroup?.size ?? 1); span /= 2)") { builder in
      builder.block("if (lid < span)") { builder in
        for register in accumulators.registers() {
          builder.line("const \(register.lane.vector) other_\(register.name) = all_\(register.name)[lid + span];")
        }
        accumulators.merge({ "other_\($0)" }, &builder)
        for register in accumulators.registers() {
          builder.line("all_\(register.name)[lid] = \(register.name);")
        }
      }
      builder.line("BARRIER();")
    }
  }

  /// Combines the registers of each sub-group.
  private func combineSubgroup(_ size: Int, _ builder: inout KernelBuilder) {
    builder.usesSubgroups = true
    builder.block("for (int span = \(size / 2); span > 0; span /= 2)") { builder in
      for register in accumulators.registers() {
        builder.line(
          "const \(register.lane.vector) other_\(register.name) = SHIFT_\(register.lane.scalar)(\(register.name), span);"
        )
      }
      accumulators.merge({ "other_\($0)" }, &builder)
    }
  }

  // MARK: - Results of blocks

  private func emit(
    _ text: ExpressionEmitter, column: String, count: String, _ builder: inout KernelBuilder
  ) -> [String] {
    text.registers(column: column, count: count, outputs: step.prologue.outputs, &builder)
  }

  /// Emits the end of a block: the epilogue, or the store of partial results.
  private func finish(_ builder: inout KernelBuilder) {
    guard shape.parts == 1 else {
      // Reductions that are split into parts have one vector per block.
      for (register, location) in zip(accumulators.registers(), partLocations(&builder)) {
        builder.line(
          "STORE_\(register.lane.dtype)(\(location.pointer), \(location.offset), count, \(register.name));")
      }
      return
    }
    var text = ExpressionEmitter(
      step.epilogue.program, epilogue, rows: shape.epilogueLoop(shape.rows),
      columns: shape.epilogueColumns, &builder)
    text.beginRow("row", &builder)
    for set in 0..<shape.vectors {
      builder.block("") { builder in
        text.emit(column: column(ofSet: set), count: count, cores: accumulators.cores(ofSet: set), &builder)
      }
    }
  }

  /// The first column of vector `set` of a block, and the number of results in each vector.
  private func column(ofSet set: Int) -> String { set == 0 ? "column" : "(column + \(set) * WIDTH)" }
  private var count: String { shape.vectors == 1 ? "count" : "WIDTH" }

  /// Returns the locations of each register's partial results in the workspace: `[register][part][output]`.
  private func partLocations(_ builder: inout KernelBuilder) -> [(pointer: String, offset: String)] {
    let count = builder.number(shape.outputCount)
    let size = shape.parts * shape.outputCount
    return accumulators.registers().enumerated().map { index, register in
      let pointer = builder.commonPointer("i64", slot: workspace, isConstant: false)
      let base = builder.number(size * index)
      return (
        "((GLOBAL \(register.lane.scalar) *)(\(pointer) + \(base)))", "part * \(count) + output"
      )
    }
  }
}
