import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: ScatterAdd) {
    // If the extent is 0, every index is out of range. The kernel of `lowerOwned`, which reads all indices, reports
    // this.
    guard step.outer * step.inner * max(step.extent, step.count) > 0 else { return }
    if isCPU || step.extent == 0 { lowerOwned(step) } else { lowerElements(step) }
  }

  /// A kernel under construction, with the values that all kernels of the family share.
  private struct Scatter {
    var builder: KernelBuilder
    var template: KernelTemplate
    var indices: Indices
  }

  private mutating func scatter(_ step: ScatterAdd, _ kernel: String, isLarge: Bool) -> Scatter {
    var builder = KernelBuilder(family: kernel, target: target, isLarge: isLarge)
    var template = KernelTemplate("index/\(kernel).cl", step.dtype.lane, builder)
    (template["source"], template["firstSource"]) = bind(step.source, isConstant: true, &builder)
    (template["result"], template["firstResult"]) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, location(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.commonPointer("int", slot: slots.fault, isConstant: false)
    template["FAULT"] = "\(fault)[0] = \(builder.number(noteIndices(step.indexList)));"
    template["type"] = step.dtype.description
    for (name, value) in [("inner", step.inner), ("extent", step.extent), ("count", step.count)] {
      template[name] = builder.number(value)
    }
    return Scatter(builder: builder, template: template, indices: indices)
  }

  // MARK: - On CPUs

  /// Emits a kernel in which a work-item owns some columns of the result, in all rows, and adds the source rows in
  /// order.
  private mutating func lowerOwned(_ step: ScatterAdd) {
    let lane = step.dtype.lane
    // The columns of all outer indices are distributed to about eight work-items, in multiples of the vector width if
    // possible.
    let wanted = max(1, min(8 / step.outer, step.inner / width))
    let piece = max(1, wanted == 1 ? step.inner : roundUp(step.inner / wanted, toMultipleOf: width))
    let pieces = ceilDivide(step.inner, piece)
    let units = step.outer * pieces
    let unitsPerItem = max(
      1, min(ceilDivide(units, 8), 8192 / max(1, (step.count + step.extent) * piece)))
    let isConverted = lane.dtype != step.dtype

    var scatter = scatter(step, "scatter_owned", isLarge: true)
    scatter.template["laneType"] = lane.dtype.description
    for (name, value) in [
      ("units", units), ("unitsPerItem", unitsPerItem), ("pieces", pieces), ("piece", piece),
    ] {
      scatter.template[name] = scatter.builder.number(value)
    }
    scatter.template["sums"] =
      isConverted
      ? scatter.builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
      : "\(scatter.template["result"]!) + \(scatter.template["firstResult"]!)"
    let sumsByteCount =
      isConverted ? roundUp(step.outer * step.extent * step.inner * lane.dtype.byteCount, toMultipleOf: 8) : 0
    let chains = ownedChains(step, &scatter, units: units, piece: piece, behind: sumsByteCount)
    (scatter.template["BEGIN"], scatter.template["FINISH"]) = (chains.begin, chains.finish)
    scatter.template["ADD"] = addition(step, scatter, chains.count)
    scatter.template["CONVERT"] = isConverted ? scatter.template.with(file: "index/owned_convert.cl").text : ""
    scatter.builder.append(scatter.template)
    launch(
      scatter.builder, groups: ceilDivide(units, unitsPerItem))
  }

  /// Returns code that adds the columns of source row `j` that a work-item owns, with `countTerm` after each term.
  private func addition(_ step: ScatterAdd, _ scatter: Scatter, _ countTerm: String) -> String {
    let indices = scatter.indices
    let isShared = indices.isShared
    var template = scatter.template.with(file: isShared ? "index/owned_add_row.cl" : "index/owned_add_elements.cl")
    template["TO"] = indices.at("outer", "j", isShared ? nil : "column")
    let order = "if (first == 0 && j > 0 && \(indices.at("outer", "(j - 1)", nil)) > to) \(template["FAULT"]!)"
    template["ORDER"] = step.isSorted ? order : ""
    template["COUNTTERM"] = countTerm
    return template.text
  }

  /// Returns code for cascades of sums in memory: the code before all terms, after each term, and after all terms.
  /// Reserves the workspace from byte `first` on. The reserved memory contains counts of terms, then block numbers,
  /// then the blocks. There is one count and one block number for each sum or, if the elements of a row share an index,
  /// for each piece of a row that a work-item owns. Each block has room for the upper levels of one sum or one row.
  private mutating func ownedChains(
    _ step: ScatterAdd, _ scatter: inout Scatter, units: Int, piece: Int, behind first: Int
  ) -> (begin: String, count: String, finish: String) {
    guard step.hasChains else {
      needWorkspace(first)
      return ("", "", "")
    }
    let lane = step.dtype.lane
    let isShared = scatter.indices.isShared
    // A sum gets a block when its first chain is full, so there are at most as many blocks as full chains.
    let most = step.count / Accumulators.chain
    let counts = isShared ? units * step.extent : step.outer * step.extent * step.inner
    let blocks = isShared ? step.outer * most * step.inner : units * piece * most
    needWorkspace(first + 8 * counts + blocks * step.chainLevels * lane.dtype.byteCount)
    let ints = scatter.builder.pointer("int", slot: slots.workspace, isConstant: false)
    let numbers = scatter.builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    func number(_ value: Int) -> String { scatter.builder.number(value) }
    var text = scatter.template
    text["counts"] = "(\(ints) + \(number(first / 4)))"
    text["blocks"] = "(\(ints) + \(number(first / 4 + counts)))"
    text["upper"] = "(\(numbers) + \(number((first + 8 * counts) / lane.dtype.byteCount)))"
    text["levels"] = number(step.chainLevels)
    text["chain"] = String(Accumulators.chain)
    let (extent, inner) = (text["extent"]!, text["inner"]!)
    text["firstBlock"] = isShared ? "outer * \(number(most))" : "unit * \(number(piece * most))"
    text["pitch"] = isShared ? inner : "1"
    text["offset"] = isShared ? "c" : "0"
    (text["from"], text["until"]) = isShared ? ("first", "last") : ("column", "(column + 1)")
    let at = isShared ? "unit * \(extent) + to" : "(outer * \(extent) + to) * \(inner) + column"
    text["at"] = at
    func forAll(_ file: String) -> String {
      var loop = text.with(file: isShared ? "index/owned_each_piece.cl" : "index/owned_each_element.cl")
      loop["USE"] = text.with(file: file).text
      return loop.text
    }
    return (
      "int used = 0;\n" + forAll("index/owned_begin.cl"),
      "const i64 at = \(at);\n" + text.with(file: "index/owned_chain.cl").text,
      forAll("index/owned_total.cl")
    )
  }

  // MARK: - On GPUs

  /// Emits a kernel in which a work-item computes one element of the result. The work-item searches all indices for the
  /// row of its element or, if the indices are sorted, finds the first of the indices that equal this row (a segment).
  private mutating func lowerElements(_ step: ScatterAdd) {
    let isLarge = KernelBuilder.isLarge(step.outer * step.inner * max(step.extent, step.count))
    var scatter = scatter(
      step, step.isSorted ? "segment_sum" : "scatter_searching", isLarge: isLarge)
    let total = step.outer * step.extent * step.inner
    scatter.template["total"] = scatter.builder.number(total)
    scatter.template["indices"] = scatter.indices.pointer
    scatter.template["firstIndex"] = scatter.indices.base
    fillChains(step, &scatter.template)
    for (name, stride) in zip(["outerStride", "stride", "columnStride"], scatter.indices.strides) {
      scatter.template[name] = stride
    }
    scatter.template["ELEMENT"] = scatter.template.with(file: "index/element.cl").text
    scatter.template["ADD"] = scatter.template.with(file: "index/add_row.cl").text
    scatter.builder.append(scatter.template)
    launch(
      scatter.builder, groups: ceilDivide(total, 256), localSize: 256)
  }

  /// Fills in the code that keeps the cascade of a sum in registers.
  private func fillChains(_ step: ScatterAdd, _ template: inout KernelTemplate) {
    for name in ["CHAINS", "ENDCHAIN", "FINISH"] { template[name] = "" }
    guard step.hasChains else { return }
    // The cascade has 4 or 8 levels, so that index lists of similar lengths share kernels.
    template["levels"] = step.count < 1 << 16 ? "4" : "8"
    template["chain"] = String(Accumulators.chain)
    template["CARRY"] = template.with(file: "scan/carry.cl").text
    template["CHAINS"] = template.with(file: "index/begin_chains.cl").text
    template["ENDCHAIN"] = template.with(file: "index/end_chain.cl").text
    template["FINISH"] = template.with(file: "index/finish_chains.cl").text
  }
}

extension ScatterAdd {
  /// Whether a sum may have more terms than a chain, in a floating-point type, where the order of additions matters.
  fileprivate var hasChains: Bool { dtype.lane.dtype.isFloatingPoint && count > Accumulators.chain }

  /// The number of levels above the chains, for a sum of all sources.
  fileprivate var chainLevels: Int { SumCascade.levels(of: count / Accumulators.chain) }
}
