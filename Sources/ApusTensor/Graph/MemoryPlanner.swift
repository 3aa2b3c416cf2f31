import ApusDevice

/// Emits the steps of ordered groups and gives every value a place: an input or output buffer, a donated
/// input, or a stretch of a slab that is free at that time.
struct MemoryPlanner {
  private let planner: Planner
  private var result = Plan()
  /// The plan's value of a node.
  private var valueOf: [Int: Int] = [:]
  private var lastUse: [Int: Int] = [:]
  private var slabs: [Slab] = []

  init(planner: Planner) { self.planner = planner }

  mutating func plan(_ order: [Int]) -> Plan {
    result.inputCount = planner.inputCount
    result.scalars = planner.scalars
    let steps = order.map { planner.step(of: planner.groups[$0]) }
    for (position, step) in steps.enumerated() {
      for node in step.values { lastUse[node] = position }
    }
    placeInputs()
    placeOutputs(steps)
    for (position, step) in steps.enumerated() {
      for node in step.results where valueOf[node] == nil { placeScratch(node, at: position) }
      for node in Set(step.values) where lastUse[node] == position { free(node) }
      let names = planner.groups[order[position]].nodes.map { planner.nodes[$0].op.name }
      result.steps.append(Plan.PlannedStep(step: step.renumbered { valueOf[$0]! }, names: names))
    }
    result.slabs = slabs.map(\.byteCount)
    return result
  }

  private mutating func add(_ node: Int, _ storage: Plan.Value.Storage) {
    let type = planner.nodes[node].type
    valueOf[node] = result.values.count
    result.values.append(
      Plan.Value(dtype: type.dtype, elementCount: type.shape.elementCount, storage: storage))
  }

  private mutating func placeInputs() {
    for (node, description) in planner.nodes.enumerated() {
      if case .leaf(let index) = description.kind { add(node, .input(index)) }
    }
  }

  // MARK: - Outputs

  /// Outputs take over donated inputs of their size that are read for the last time, element by
  /// element, by the step that writes the output.
  private mutating func placeOutputs(_ steps: [Step]) {
    var taken = Set<Int>()
    let writer = Dictionary(
      steps.enumerated().flatMap { position, step in step.results.map { ($0, position) } },
      uniquingKeysWith: { first, _ in first })
    let inputs = planner.nodes.indices.filter { node in
      guard case .leaf(let index) = planner.nodes[node].kind else { return false }
      return planner.donatable[index]
    }
    for (index, node) in planner.outputs.enumerated() {
      var output = Plan.Output(byteCount: max(byteCount(node), 1))
      let donor = inputs.first { input in
        !taken.contains(input) && planner.nodes[input].type == planner.nodes[node].type
          && canOverwrite(input, by: node, steps, writtenAt: writer[node]!)
      }
      if let donor, case .leaf(let input) = planner.nodes[donor].kind {
        taken.insert(donor)
        output.donatedInput = input
      }
      result.outputs.append(output)
      add(node, .output(index))
    }
  }

  private func canOverwrite(_ input: Int, by node: Int, _ steps: [Step], writtenAt position: Int) -> Bool {
    guard let last = lastUse[input] else { return true }
    guard last <= position else { return false }
    if last < position { return true }
    // In the step that writes the output: only reads of the same place, by the same program.
    return steps[position].bindings.allSatisfy { binding in
      let reads = binding.arguments.compactMap { argument -> Operand? in
        guard case .tensor(let operand) = argument, operand.value == input else { return nil }
        return operand
      }
      if reads.isEmpty { return true }
      return binding.results.contains { result in
        result.value == node && reads.allSatisfy { $0.layout.coincides(with: result.layout) }
      }
    } && !steps[position].coreReads.contains(input)
  }

  // MARK: - Scratch

  /// Memory of which parts are in use. Free stretches are kept in order.
  private struct Slab {
    var byteCount = 0
    var free: [Range<Int>] = []
  }

  private func byteCount(_ node: Int) -> Int {
    planner.nodes[node].shape.elementCount * planner.nodes[node].dtype.byteCount
  }

  private func alignedByteCount(_ node: Int) -> Int {
    let alignment = max(planner.info.alignment, 64)
    return max((byteCount(node) + alignment - 1) / alignment * alignment, alignment)
  }

  /// Best fit among free stretches, else the end of a slab, else a new slab.
  private mutating func placeScratch(_ node: Int, at position: Int) {
    let size = alignedByteCount(node)
    var best: (slab: Int, index: Int, waste: Int)?
    for (slab, candidate) in slabs.enumerated() {
      for (index, range) in candidate.free.enumerated() where range.count >= size {
        if best == nil || range.count - size < best!.waste { best = (slab, index, range.count - size) }
      }
    }
    if let best {
      let range = slabs[best.slab].free.remove(at: best.index)
      if range.count > size {
        slabs[best.slab].free.insert(range.lowerBound + size..<range.upperBound, at: best.index)
      }
      add(node, .scratch(slab: best.slab, byteOffset: range.lowerBound))
      return
    }
    let limit = planner.info.maximumAllocationByteCount
    var slab = slabs.firstIndex { $0.byteCount + size <= limit }
    if slab == nil {
      slabs.append(Slab())
      slab = slabs.count - 1
    }
    var offset = slabs[slab!].byteCount
    if let tail = slabs[slab!].free.last, tail.upperBound == offset {
      offset = tail.lowerBound
      slabs[slab!].free.removeLast()
    }
    slabs[slab!].byteCount = offset + size
    add(node, .scratch(slab: slab!, byteOffset: offset))
  }

  private mutating func free(_ node: Int) {
    guard let value = valueOf[node],
      case .scratch(let slab, let offset) = result.values[value].storage
    else { return }
    var range = offset..<offset + alignedByteCount(node)
    var free = slabs[slab].free
    let position = free.firstIndex { $0.lowerBound > range.lowerBound } ?? free.count
    if position < free.count, free[position].lowerBound == range.upperBound {
      range = range.lowerBound..<free[position].upperBound
      free.remove(at: position)
    }
    if position > 0, free[position - 1].upperBound == range.lowerBound {
      range = free[position - 1].lowerBound..<range.upperBound
      free.remove(at: position - 1)
      free.insert(range, at: position - 1)
    } else {
      free.insert(range, at: position)
    }
    slabs[slab].free = free
  }
}
