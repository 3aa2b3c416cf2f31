import ApusDevice
import ApusSystem

/// Emits one step for each group of fused nodes, in the given order, and assigns storage to every value. The storage is
/// an input or output buffer, a donated input (one that the plan may overwrite), or a range of a slab. A slab is memory
/// that scratch values share; the range is free when the value is written.
struct MemoryPlanner {
  private let planner: Planner
  /// In the body of a loop, the inputs that the first outputs overwrite: output `i` overwrites input
  /// `carriedInputs[i]`.
  private let carriedInputs: [Int]
  /// Outputs that cannot be computed in their final buffer and are copied to it at the end.
  private var late: [(node: Int, output: Int)] = []
  private var result = Plan()
  /// The index of a node's value in the plan.
  private var valueOf: [Int: Int] = [:]
  private var lastUse: [Int: Int] = [:]
  private var slabs: [Slab] = []

  init(planner: Planner, carriedInputs: [Int]) {
    self.planner = planner
    self.carriedInputs = carriedInputs
  }

  mutating func plan(_ order: [Int]) -> Plan {
    result.inputCount = planner.inputCount
    result.scalars = planner.scalars
    let steps = order.map { planner.step(of: planner.groups[$0]) }
    for (position, step) in steps.enumerated() {
      for node in step.values { lastUse[node] = position }
    }
    placeInputs()
    placeOutputs(steps, checkedStepCount: (order.lastIndex { planner.isChecking($0) } ?? -1) + 1)
    for (position, step) in steps.enumerated() {
      for node in step.results where valueOf[node] == nil { placeScratch(node, at: position) }
      if case .rowWrite(let step) = step { copy(valueOf[step.base]!, to: valueOf[step.result]!) }
      for node in Set(step.values) where lastUse[node] == position { free(node) }
      let names = planner.groups[order[position]].nodes.map { planner.nodes[$0].name }
      result.steps.append(Plan.PlannedStep(step: step.renumbered { valueOf[$0]! }, names: names))
    }
    copyLateOutputs()
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

  /// Places each output over a suitable donated input of the same type, else in a new buffer. An input is suitable if
  /// its last read comes before the step that writes the output. An input whose last read is in this step is suitable
  /// if the step reads each element before it writes the output's element at the same position.
  ///
  /// - Parameter checkedStepCount: the number of leading steps whose outputs take no donated inputs: all steps up to
  ///   the last one that may fail on an invalid index. A run that fails on an invalid index must leave all inputs
  ///   unchanged.
  private mutating func placeOutputs(_ steps: [Step], checkedStepCount: Int) {
    var donors = Donors(planner, lastUse: lastUse)
    let writer = Dictionary(
      steps.enumerated().flatMap { position, step in step.results.map { ($0, position) } },
      uniquingKeysWith: { first, _ in first })
    var reads: [Int: StepReads] = [:]
    for (index, node) in planner.outputs.enumerated() {
      let position = writer[node]!
      if reads[position] == nil { reads[position] = StepReads(steps[position]) }
      let type = planner.nodes[node].type
      if index < carriedInputs.count {
        placeCarried(node, output: index, writtenAt: position, reads[position]!, end: steps.count)
        continue
      }
      let inPlace = reads[position]!.overwritable(by: node).first { input in
        donors.isFree(input) && planner.nodes[input].type == type && lastUse[input] == position
      }
      var output = Plan.Output(byteCount: max(byteCount(node), 1))
      if position >= checkedStepCount, let donor = inPlace ?? donors.unused(type, before: position),
        case .leaf(let input) = planner.nodes[donor].kind
      {
        donors.take(donor)
        output.donatedInput = input
      }
      result.outputs.append(output)
      add(node, .output(index))
    }
  }

  /// Places an output of a loop's body that overwrites an input. The output is written directly over the input if the
  /// last read of the input allows this, as in `placeOutputs`. Otherwise it is computed elsewhere and copied over the
  /// input at the end.
  private mutating func placeCarried(
    _ node: Int, output: Int, writtenAt position: Int, _ reads: StepReads, end: Int
  ) {
    let input = carriedInputs[output]
    result.outputs.append(Plan.Output(byteCount: max(byteCount(node), 1), donatedInput: input))
    let leaf = planner.nodes.firstIndex { if case .leaf(input) = $0.kind { true } else { false } }!
    let lastRead = lastUse[leaf] ?? -1
    if lastRead < position || lastRead == position && reads.overwritable(by: node).contains(leaf) {
      add(node, .output(output))
    } else {
      lastUse[node] = end
      late.append((node, output))
    }
  }

  private mutating func copyLateOutputs() {
    for (node, output) in late {
      let source = valueOf[node]!
      let value = result.values[source]
      result.values.append(
        Plan.Value(dtype: value.dtype, elementCount: value.elementCount, storage: .output(output)))
      copy(source, to: result.values.count - 1)
    }
  }

  /// Copies a value of the plan, unless source and target share storage.
  private mutating func copy(_ source: Int, to target: Int) {
    let value = result.values[source]
    if value.storage == result.values[target].storage { return }
    if case .input(let input) = value.storage, case .output(let output) = result.values[target].storage,
      result.outputs[output].donatedInput == input
    {
      return
    }
    let step = Step.elementwise(Elementwise(copying: source, to: target, as: value))
    result.steps.append(Plan.PlannedStep(step: step, names: ["copy"]))
  }

  /// Inputs that the plan may overwrite.
  private struct Donors {
    private var free: Set<Int> = []
    private let lastUse: [Int: Int]
    /// The donors of each type, in descending order of their last use.
    private var byType: [TensorType: [Int]] = [:]

    init(_ planner: Planner, lastUse: [Int: Int]) {
      self.lastUse = lastUse
      for (node, description) in planner.nodes.enumerated() {
        guard case .leaf(let index) = description.kind, planner.donatable[index] else { continue }
        free.insert(node)
        byType[description.type, default: []].append(node)
      }
      for type in byType.keys { byType[type]!.sort { (lastUse[$0] ?? -1, $0) > (lastUse[$1] ?? -1, $1) } }
    }

    func isFree(_ input: Int) -> Bool { free.contains(input) }

    mutating func take(_ input: Int) { free.remove(input) }

    /// A free input of `type` that neither step `position` nor a later step reads.
    mutating func unused(_ type: TensorType, before position: Int) -> Int? {
      while let candidate = byType[type]?.last {
        if free.contains(candidate) { return lastUse[candidate] ?? -1 < position ? candidate : nil }
        byType[type]!.removeLast()
      }
      return nil
    }
  }

  /// The reads of a step, to find the values that it may overwrite.
  private struct StepReads {
    private let bindings: [Binding]
    private let coreReads: Set<Int>
    /// For a `RowWrite`, the array in which rows are replaced; the result may reuse the buffer of this array.
    private var base: Int?
    /// For each value, the bindings that read it (`readers`) and the binding that writes it (`writer`). A binding is an
    /// elementwise program's arguments and results.
    private var readers: [Int: Set<Int>] = [:]
    private var writer: [Int: Int] = [:]

    init(_ step: Step) {
      bindings = step.bindings
      coreReads = Set(step.coreReads)
      if case .rowWrite(let step) = step, step.base != step.rows, step.base != step.indices.value { base = step.base }
      for (index, binding) in bindings.enumerated() {
        for case .tensor(let operand) in binding.arguments { readers[operand.value, default: []].insert(index) }
        for result in binding.results { writer[result.value] = index }
      }
    }

    /// The values that `node` may overwrite. For a `RowWrite`, this is `base`. For other steps, only the program that
    /// writes `node` reads these values, and it reads each of their elements before it writes the element of `node` at
    /// the same position.
    func overwritable(by node: Int) -> [Int] {
      if let base { return [base] }
      guard let index = writer[node], let result = bindings[index].results.first(where: { $0.value == node })
      else { return [] }
      var operands: [Int: Bool] = [:]
      var order: [Int] = []
      for case .tensor(let operand) in bindings[index].arguments {
        if operands[operand.value] == nil { order.append(operand.value) }
        operands[operand.value, default: true] =
          operands[operand.value, default: true] && operand.layout.coincides(with: result.layout)
      }
      return order.filter { operands[$0]! && readers[$0] == [index] && !coreReads.contains($0) }
    }
  }

  // MARK: - Scratch

  /// A region of memory that scratch values share. Free ranges are sorted by offset.
  private struct Slab {
    var byteCount = 0
    var free: [Range<Int>] = []
  }

  private func byteCount(_ node: Int) -> Int {
    planner.nodes[node].shape.byteCount(of: planner.nodes[node].dtype)
  }

  private func alignedByteCount(_ node: Int) -> Int {
    let alignment = max(planner.info.alignment, 64)
    return max(roundUp(byteCount(node), toMultipleOf: alignment), alignment)
  }

  /// Places a value in the best-fitting free range, else at the end of a slab, else in a new slab.
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
