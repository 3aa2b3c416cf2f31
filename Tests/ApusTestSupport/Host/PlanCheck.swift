import ApusDevice

extension Plan {
  /// The first defect of the plan, or `nil`. Defects are, for example, values outside of their memory, layouts that do
  /// not fit their step, reads of values that are not yet written or already overwritten, and results that overwrite
  /// values that the same step still reads.
  public var problem: String? {
    var check = PlanCheck(self)
    return check.firstProblem()
  }
}

/// Follows a plan step by step and tracks which values are intact: written, and not overwritten since.
private struct PlanCheck {
  private let plan: Plan
  private var isIntact: [Bool]

  init(_ plan: Plan) {
    self.plan = plan
    isIntact = plan.values.map {
      if case .input = $0.storage { return true }
      return false
    }
  }

  mutating func firstProblem() -> String? {
    for (index, value) in plan.values.enumerated() {
      let place = place(of: value)
      let size = sizes(of: value)
      if place.bytes.lowerBound < 0 || place.bytes.upperBound > size {
        return "value \(index) takes bytes \(place.bytes) of \(size)"
      }
    }
    for (position, planned) in plan.steps.enumerated() {
      if let problem = problem(of: planned.step) {
        return "step \(position) (\(planned.names.joined(separator: " "))): \(problem)"
      }
    }
    for index in plan.outputs.indices {
      let isWritten = plan.values.indices.contains {
        isIntact[$0] && plan.values[$0].storage == .output(index)
      }
      if !isWritten { return "output \(index) is not written" }
    }
    return nil
  }

  // MARK: - Memory

  private enum Block: Hashable {
    case input(Int)
    case output(Int)
    case slab(Int)
  }

  private func place(of value: Plan.Value) -> (block: Block, bytes: Range<Int>) {
    switch value.storage {
    case .input(let index): return (.input(index), 0..<value.byteCount)
    case .output(let index):
      if let input = plan.outputs[index].donatedInput { return (.input(input), 0..<value.byteCount) }
      return (.output(index), 0..<value.byteCount)
    case .scratch(let slab, let offset): return (.slab(slab), offset..<offset + value.byteCount)
    }
  }

  /// The size in bytes of the memory block that contains a value. The block of an input has the size of the value.
  private func sizes(of value: Plan.Value) -> Int {
    switch value.storage {
    case .input: value.byteCount
    case .output(let index): plan.outputs[index].byteCount
    case .scratch(let slab, _): plan.slabs[slab]
    }
  }

  private func overlap(_ one: Int, _ other: Int) -> Bool {
    let (first, second) = (place(of: plan.values[one]), place(of: plan.values[other]))
    return first.block == second.block && first.bytes.overlaps(second.bytes)
  }

  // MARK: - Steps

  private mutating func problem(of step: Step) -> String? {
    let accesses = StepAccesses(step)
    if let mismatch = accesses.mismatch { return mismatch }
    for read in accesses.reads {
      let count = plan.values[read.value].elementCount
      if !read.stays(inside: count) { return "reads outside of value \(read.value) of \(count) elements" }
      if !isIntact[read.value] { return "reads value \(read.value), which is not written yet or already overwritten" }
    }
    for write in accesses.writes {
      let count = plan.values[write.value].elementCount
      if !write.stays(inside: count) { return "writes outside of value \(write.value) of \(count) elements" }
      if case .input = plan.values[write.value].storage { return "writes input value \(write.value)" }
      for read in accesses.reads where overlap(write.value, read.value) {
        let isInPlace =
          write.segment >= 0 && write.segment == read.segment
          && (read.layout.map { write.layout?.coincides(with: $0) ?? false } ?? false)
          && place(of: plan.values[write.value]).bytes.lowerBound == place(of: plan.values[read.value]).bytes.lowerBound
          && plan.values[write.value].dtype.byteCount == plan.values[read.value].dtype.byteCount
        if !isInPlace { return "writes value \(write.value) over value \(read.value), which it reads" }
      }
      for other in accesses.writes where other.value != write.value && overlap(write.value, other.value) {
        return "writes values \(write.value) and \(other.value) to overlapping memory"
      }
    }
    for write in accesses.writes {
      for value in plan.values.indices where value != write.value && overlap(value, write.value) {
        isIntact[value] = false
      }
      isIntact[write.value] = true
    }
    return nil
  }
}

/// The reads and writes of a step.
struct StepAccesses {
  struct Access {
    var value: Int
    /// `nil` for the whole value, in order.
    var layout: Layout?
    /// Identifies the code that makes the access. For code that runs element by element, this is the index of a segment
    /// (a domain with its arrays) of an elementwise step, or 0 for the epilogue of a step and for a `rowWrite` step.
    /// For accesses in any other order, it is −1. Code that runs element by element may overwrite elements that it has
    /// read itself. Segments may run at the same time, so a segment must not overwrite what another segment reads.
    var segment = -1

    func stays(inside count: Int) -> Bool {
      guard let layout, layout.shape.elementCount > 0 else { return true }
      var (lowest, highest) = (layout.offset, layout.offset)
      for axis in 0..<layout.shape.rank {
        let reach = (layout.shape[axis] - 1) * layout.strides[axis]
        lowest += min(reach, 0)
        highest += max(reach, 0)
      }
      return lowest >= 0 && highest < count
    }
  }

  var reads: [Access] = []
  var writes: [Access] = []
  /// Describes a layout that does not fit the domain of its program, or a defect of a loop; `nil` if there is neither.
  private(set) var mismatch: String?

  init(_ step: Step) {
    switch step {
    case .elementwise(let step):
      for (index, segment) in step.segments.enumerated() { add(segment, segment: index) }
    case .reduction(let step):
      add(step.arguments, over: step.domain, segment: -1)
      add(step.epilogue.binding)
    case .scan(let step): (reads, writes) = ([Access(value: step.source)], [Access(value: step.result)])
    case .matmul(let step):
      reads = [Access(value: step.a.value, layout: step.a.layout), Access(value: step.b.value, layout: step.b.layout)]
      add(step.epilogue.binding)
    case .convolution(let step):
      reads = [Access(value: step.left), Access(value: step.right)]
      add(step.epilogue.binding)
    case .pooling(let step):
      reads = [Access(value: step.left)] + (step.right.map { [Access(value: $0)] } ?? [])
      add(step.epilogue.binding)
    case .attention(let step):
      reads =
        step.operands.map { Access(value: $0.value, layout: $0.layout) } + step.wholeReads.map { Access(value: $0) }
      writes = [Access(value: step.result)]
    case .recurrent(let step):
      (reads, writes) = (step.reads.map { Access(value: $0) }, [Access(value: step.result)])
    case .copy(let step):
      reads = step.pieces.map { Access(value: $0.source.value, layout: $0.source.layout) }
      writes = [Access(value: step.result)] + step.pieces.map { Access(value: step.result, layout: $0.destination) }
    case .gather(let step):
      reads = [Access(value: step.source), Access(value: step.indices.value, layout: step.indices.layout)]
      writes = [Access(value: step.result)]
    case .scatterAdd(let step):
      reads = [Access(value: step.source), Access(value: step.indices.value, layout: step.indices.layout)]
      writes = [Access(value: step.result)]
    case .rowWrite(let step):
      let layout = Layout(contiguous: [step.extent, step.inner])
      reads = [
        Access(value: step.rows), Access(value: step.indices.value, layout: step.indices.layout),
        Access(value: step.base, layout: layout, segment: 0),
      ]
      writes = [Access(value: step.result, layout: layout, segment: 0)]
    case .sort(let step): (reads, writes) = ([Access(value: step.source)], [Access(value: step.result)])
    case .loop(let step):
      reads = step.reads.map { Access(value: $0) }
      for case .element(let operand) in step.inputs {
        reads.append(Access(value: operand.value, layout: operand.layout))
      }
      writes = step.writes.map { Access(value: $0) }
      mismatch = step.body.problem.map { "the body: \($0)" } ?? Self.mismatch(step)
    case .custom(let step):
      (reads, writes) = (step.inputs.map { Access(value: $0) }, step.results.map { Access(value: $0) })
    }
  }

  /// Describes a defect of a loop: the loop and its body have different numbers of inputs, outputs, carried values or
  /// slabs, or the body does not overwrite a carried value in place. `nil` if there is no such defect.
  private static func mismatch(_ step: Loop) -> String? {
    guard step.inputs.count == step.body.inputCount, step.outputs.count == step.body.outputs.count,
      step.initial.count == step.carried.count, step.slabs.count == step.body.slabs.count
    else { return "a loop and its body differ in inputs, outputs, carried values or slabs" }
    for (target, output) in zip(step.outputs, step.body.outputs) {
      if case .carried(let number) = target, output.donatedInput.map({ step.inputs[$0] }) != .carried(number) {
        return "carried value \(number) is not overwritten"
      }
    }
    return nil
  }

  private mutating func add(_ arguments: [Argument], over domain: Shape, segment: Int) {
    for shape in arguments.compactMap(\.layout?.shape) where shape != domain {
      mismatch = "reads \(shape) over \(domain)"
    }
    for case .tensor(let operand) in arguments {
      reads.append(Access(value: operand.value, layout: operand.layout, segment: segment))
    }
  }

  private mutating func add(_ binding: Binding, segment: Int = 0) {
    add(binding.arguments, over: binding.domain, segment: segment)
    for result in binding.results {
      if result.layout.shape != binding.domain { mismatch = "writes \(result.layout.shape) over \(binding.domain)" }
      writes.append(Access(value: result.value, layout: result.layout, segment: segment))
    }
  }
}
