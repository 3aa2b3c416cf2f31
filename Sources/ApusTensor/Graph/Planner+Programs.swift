import ApusDevice

extension Planner {
  /// The memory layout of a node's elements, broadcast to `shape`.
  func layout(of node: Int, over shape: Shape) -> Layout {
    var layout = Layout(contiguous: nodes[node].shape)
    if case .view(let transforms) = nodes[node].kind {
      layout = transforms.layout(over: nodes[nodes[node].inputs[0]].shape)!
    }
    return layout.shape == shape ? layout : layout.broadcast(to: shape)
  }

  /// A read of a node's memory; a view reads the memory of its base. The operand's `value` is the index of the node
  /// whose memory is read.
  func operand(_ node: Int, over shape: Shape) -> Operand {
    var value = node
    if case .view = nodes[node].kind { value = nodes[node].inputs[0] }
    return Operand(value: value, layout: layout(of: node, over: shape))
  }

  /// The step of a group of fused nodes; the group's anchor is its node that is not elementwise, if there is one. The
  /// step refers to each value by the index of its node.
  func step(of group: Group) -> Step {
    guard let anchor = group.anchor else {
      let parts = group.segments.map { elementwise($0) }
      return .elementwise(Elementwise(program: parts[0].program, segments: parts.map(\.binding)))
    }
    let node = nodes[anchor]
    switch node.kind {
    case .reduction(let reducer): return .reduction(reduction(anchor, reducer, group))
    case .loop: return step(ofLoop: anchor)
    case .custom: return step(ofCustom: anchor)
    case .step(let lowering):
      let inputs = node.inputs.map { input -> Operand in
        if case .scalar = nodes[input].kind { return Operand(value: -1, layout: Layout(contiguous: [])) }
        return operand(input, over: nodes[input].shape)
      }
      let numbers = node.inputs.map { input -> Int in
        if case .scalar(let entry) = nodes[input].kind { return entry }
        return -1
      }
      let epilogue = lowering.epilogueDomain.map { domain in
        self.epilogue(of: anchor, members: group.segments[0], domain: domain(node))
      }
      let step = lowering.build(
        node,
        StepOperands(
          inputs: inputs, scalars: numbers, dtypes: node.inputs.map { nodes[$0].dtype },
          epilogue: epilogue, result: anchor))
      return checking.contains(anchor) ? step : step.withKnownIndices()
    default: fatalError("planner: \(node.op.name) is not a step")
    }
  }

  /// The program of elementwise nodes of one shape.
  func elementwise(_ members: [Int]) -> (program: Program, binding: Binding) {
    var builder = ProgramBuilder()
    var registers: [Int: Int] = [:]
    let shape = nodes[members[0]].shape
    emit(members, &builder, &registers)
    let stored = stored(members, inside: Set(members))
    return (
      builder.program(storing: stored.map { (registers[$0]!, nodes[$0].dtype) }),
      Binding(
        domain: shape, arguments: builder.arguments,
        results: stored.map { Operand(value: $0, layout: Layout(contiguous: shape)) })
    )
  }

  /// The epilogue of `anchor`: a program that computes `members` from the anchor's result at each element of `domain`.
  /// - Parameter correction: returns the register of the corrected result, from the register of the step's result.
  private func epilogue(
    of anchor: Int, members: [Int], domain: Shape, correction: (inout ProgramBuilder, Int) -> Int = { $1 }
  ) -> Epilogue {
    var builder = ProgramBuilder()
    let lane = nodes[anchor].dtype.lane
    let core = correction(&builder, builder.input(.core(lane), .core(0)))
    var registers = [anchor: builder.narrow(core, to: nodes[anchor].dtype)]
    emit(members, &builder, &registers)
    let stored = stored([anchor] + members, inside: Set([anchor] + members))
    return Epilogue(
      program: builder.program(storing: stored.map { (registers[$0]!, nodes[$0].dtype) }),
      binding: Binding(
        domain: domain,
        arguments: builder.arguments.map { $0.laidOut { $0.reshaped(to: domain)! } },
        results: stored.map { Operand(value: $0, layout: Layout(contiguous: domain)) }))
  }

  private func reduction(_ anchor: Int, _ reducer: Lowering.Reducer, _ group: Group) -> Reduction {
    let input = nodes[anchor].inputs[0]
    let domain = nodes[input].shape
    let axes = Array(nodes[anchor].attributes.integers.dropFirst())
    var builder = ProgramBuilder()
    var registers: [Int: Int] = [:]
    emit(group.prologue, &builder, &registers)
    let register = self.register(of: input, for: domain, &builder, &registers)
    let lane = nodes[input].dtype.lane
    var kept = domain
    for axis in axes { kept[axis] = 1 }
    guard case .row(let row) = reducer else {
      return squaresOfCentered(anchor, of: register, group, domain, kept, axes, &builder)
    }
    return Reduction(
      domain: domain, axes: axes, prologue: builder.program(storing: [(register, lane.dtype)]),
      arguments: builder.arguments, reducers: [row],
      epilogue: epilogue(of: anchor, members: group.segments[0], domain: kept))
  }

  /// Computes `Σx² − (Σx)²/n` over the `n` elements that are reduced to one result, with both sums in one pass. The
  /// mean was subtracted from `x` before. `(Σx)²/n` corrects for the rounding error of that mean (Chan, Golub, LeVeque,
  /// 1983). If the difference is within rounding error, as for equal elements, the result is 0.
  private func squaresOfCentered(
    _ anchor: Int, of register: Int, _ group: Group, _ domain: Shape, _ kept: Shape, _ axes: [Int],
    _ builder: inout ProgramBuilder
  ) -> Reduction {
    let dtype = nodes[nodes[anchor].inputs[0]].dtype
    let lane = dtype.lane
    let square = builder.emit(.multiply, lane: lane, [register, register])
    let count = Swift.max(1, domain.elementCount / Swift.max(1, kept.elementCount))
    return Reduction(
      domain: domain, axes: axes,
      prologue: builder.program(storing: [(square, lane.dtype), (register, lane.dtype)]),
      arguments: builder.arguments, reducers: [.sum, .sum],
      epilogue: epilogue(of: anchor, members: group.segments[0], domain: kept) { builder, squares in
        let sum = builder.input(.core(lane), .core(1))
        let share = builder.constant(.float(1 / Double(count)), lane.dtype)
        let mean = builder.emit(.multiply, lane: lane, [sum, share])
        let surplus = builder.emit(.multiply, lane: lane, [mean, sum])
        let difference = builder.emit(.subtract, lane: lane, [squares, surplus])
        let rounding = builder.emit(.multiply, lane: lane, [squares, builder.constant(.float(0x1p-18), lane.dtype)])
        let isRounding = builder.emit(.lessOrEqual, lane: lane, result: .int32, [difference, rounding])
        let zero = builder.constant(.float(0), lane.dtype)
        return builder.emit(.select, lane: lane, [isRounding, zero, difference])
      })
  }

  // MARK: - Registers

  /// The members that the program must store: outputs, `materialize` nodes, and values that are read outside of the
  /// program and not recomputed there.
  func stored(_ members: [Int], inside: Set<Int>) -> [Int] {
    members.filter { member in
      isOutput[member] || nodes[member].op === Op.materialize
        || users[member].contains { !inside.contains($0) && !(isUniform(member) && isComputedInline($0)) }
    }
  }

  /// Whether a user of a uniform value (the same at all elements) recomputes the value instead of loading it.
  private func isComputedInline(_ user: Int) -> Bool {
    switch nodes[user].kind {
    case .step, .loop, .custom: return false
    default: return true
    }
  }

  private func emit(_ members: [Int], _ builder: inout ProgramBuilder, _ registers: inout [Int: Int]) {
    for member in members {
      registers[member] = instructions(of: member, over: nodes[member].shape, &builder, &registers)
    }
  }

  private func instructions(
    of node: Int, over shape: Shape, _ builder: inout ProgramBuilder, _ registers: inout [Int: Int]
  ) -> Int {
    guard case .elementwise(let emit) = nodes[node].kind else {
      fatalError("planner: \(nodes[node].op.name) is not elementwise")
    }
    var inputs: [Int] = []
    for input in nodes[node].inputs {
      inputs.append(register(of: input, for: shape, &builder, &registers))
    }
    return emit(&builder, nodes[node], inputs)
  }

  /// The register of an input. The program computes the input, loads it from memory, or reads it from the scalar bank:
  /// the numbers that are passed to each run of the plan.
  private func register(
    of input: Int, for shape: Shape, _ builder: inout ProgramBuilder, _ registers: inout [Int: Int]
  ) -> Int {
    if let register = registers[input] { return register }
    let node = nodes[input]
    var result: Int
    switch node.kind {
    case .scalar(let entry):
      result = builder.narrow(
        builder.input(.scalar(node.dtype.lane), .scalar(entry)), to: node.dtype)
    case .constant(let value): result = builder.constant(value, node.dtype)
    case .view where isUniform(input):
      result = register(of: node.inputs[0], for: shape, &builder, &registers)
    case .elementwise where isRecomputed[input] || isUniform(input) && node.op !== Op.materialize:
      result = instructions(of: input, over: shape, &builder, &registers)
    case _ where isIndex(input):
      return builder.input(.index(node.dtype.lane), .index(layout(of: input, over: shape)))
    default:
      return builder.input(.tensor(node.dtype), .tensor(operand(input, over: shape)))
    }
    registers[input] = result
    return result
  }
}
