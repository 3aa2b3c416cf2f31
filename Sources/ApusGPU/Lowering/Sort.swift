import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: Sort) {
    let elements = step.rows * step.columns
    guard elements > 0 else { return }
    let block = 16
    var passes: [Int] = []
    var run = block
    while run < step.columns {
      passes.append(run)
      run *= 2
    }
    let result = location(value: step.result)
    let workspace = MemoryLocation(slot: slots.workspace, offset: 0)
    if !passes.isEmpty { needWorkspace(8 * elements) }
    // Passes alternate between workspace and result; the last pass writes the result.
    var isInResult = passes.count % 2 == 0
    launchBlocks(step, block: block, to: isInResult ? result : workspace)
    for run in passes {
      launchMerge(
        step, run: run, from: isInResult ? result : workspace, to: isInResult ? workspace : result)
      isInResult.toggle()
    }
  }

  private var localSize: Int { isCPU ? 1 : 256 }

  /// Returns a template with the code that reads the sort keys of two elements and compares them. NaN is larger than
  /// every number.
  private func filled(_ file: String, _ step: Sort, _ builder: inout KernelBuilder) -> KernelTemplate {
    var template = KernelTemplate(file, step.dtype.lane, builder)
    let (source, offset) = bind(step.source, isConstant: true, &builder)
    template["localSize"] = String(localSize)
    template["columns"] = builder.number(step.columns)
    let row = "\(offset) + row * \(template["columns"]!)"
    template["KEYPOSITION"] = element(step.dtype, source, "\(row) + position")
    template["KEYOTHER"] = element(step.dtype, source, "\(row) + other")
    func precedes(_ left: String, _ right: String) -> String {
      step.isDescending ? "PRECEDES_MAX(\(left), \(right))" : "PRECEDES_MAX(\(right), \(left))"
    }
    template["KEYPRECEDES"] = precedes("key", "before")
    template["OTHERPRECEDES"] = precedes("before", "key")
    return template
  }

  private mutating func launchBlocks(_ step: Sort, block: Int, to target: MemoryLocation) {
    var builder = KernelBuilder(family: "sort_blocks", target: self.target, isLarge: true)
    var template = filled("sort/blocks.cl", step, &builder)
    let runs = ceilDivide(step.columns, block)
    let items = step.rows * runs
    let pointer = builder.pointer("i64", slot: target.slot, isConstant: false)
    template["target"] = "\(pointer) + \(builder.number(target.offset))"
    template["block"] = String(block)
    template["runs"] = builder.number(runs)
    template["items"] = builder.number(items)
    builder.append(template)
    launch(
      builder, groups: ceilDivide(items, localSize), localSize: localSize)
  }

  private mutating func launchMerge(_ step: Sort, run: Int, from source: MemoryLocation, to target: MemoryLocation) {
    let elements = step.rows * step.columns
    let perItem = isCPU ? max(256, min(8192, elements / 16)) : 1
    let items = ceilDivide(elements, perItem)
    var builder = KernelBuilder(family: "sort_merge", target: self.target, isLarge: true)
    var template = filled("sort/merge.cl", step, &builder)
    let from = builder.pointer("i64", slot: source.slot)
    template["source"] = "\(from) + \(builder.number(source.offset))"
    let to = builder.pointer("i64", slot: target.slot, isConstant: false)
    template["target"] = "(\(to) + \(builder.number(target.offset)))"
    template["run"] = builder.number(run)
    template["elements"] = builder.number(elements)
    template["perItem"] = builder.number(perItem)
    builder.append(template)
    launch(
      builder, groups: ceilDivide(items, localSize), localSize: localSize,
      .part("runs of \(run)", read: elements * (8 + step.dtype.byteCount), written: 8 * elements))
  }
}
