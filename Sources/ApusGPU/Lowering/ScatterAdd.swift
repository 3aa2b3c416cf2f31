import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: ScatterAdd) {
    guard step.outer * step.extent * step.inner > 0 else { return }
    if isCPU { lowerOwned(step) } else { lowerElements(step) }
  }

  private func detail(_ step: ScatterAdd) -> String {
    "scatter-add \(step.outer * step.count) to \(step.outer * step.extent), \(step.inner) each, \(step.dtype)"
  }

  private func bytes(_ step: ScatterAdd) -> Double {
    Double(step.outer * step.inner * (step.count * 2 + step.extent) * step.dtype.byteCount)
  }

  /// A kernel under construction, with the memory and the sizes that all kernels of the family know.
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
    let indices = Indices(step.indices, place(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.sharedPointer("int", slot: slots.fault, isConstant: false)
    template["FAULT"] = "\(fault)[0] = \(builder.number(noteFault()));"
    template["type"] = step.dtype.description
    for (name, value) in [("inner", step.inner), ("extent", step.extent), ("count", step.count)] {
      template[name] = builder.number(value)
    }
    return Scatter(builder: builder, template: template, indices: indices)
  }

  // MARK: - On CPUs

  /// A work-item owns some columns of all rows and goes through the sources in order.
  private mutating func lowerOwned(_ step: ScatterAdd) {
    let lane = step.dtype.lane
    // Columns are shared out so that eight work-items have some, in whole registers where that can be.
    let wanted = max(1, min(8 / step.outer, step.inner / width))
    let piece = max(1, wanted == 1 ? step.inner : (step.inner / wanted + width - 1) / width * width)
    let pieces = (step.inner + piece - 1) / piece
    let units = step.outer * pieces
    let unitsPerItem = max(1, min((units + 7) / 8, 8192 / max(1, (step.count + step.extent) * piece)))
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
    scatter.template["ADD"] = addition(step, scatter)
    scatter.template["CONVERT"] = isConverted ? conversion(step, scatter.template) : ""
    scatter.builder.append(scatter.template)
    if isConverted { needWorkspace(step.outer * step.extent * step.inner * lane.dtype.byteCount) }
    launch(
      scatter.builder, groups: (units + unitsPerItem - 1) / unitsPerItem, detail: detail(step), bytes: bytes(step))
  }

  /// Adds the columns of source `j` that a work-item owns.
  private func addition(_ step: ScatterAdd, _ scatter: Scatter) -> String {
    let (template, indices) = (scatter.template, scatter.indices)
    let (lane, type) = (step.dtype.lane.suffix, step.dtype.lane.dtype)
    let (inner, fault) = (template["inner"]!, template["FAULT"]!)
    func check(_ reports: String) -> String {
      "if (to < 0 || to >= \(template["extent"]!)) { if (\(reports)) \(fault) continue; }"
    }
    let source = "\(template["source"]!), \(template["firstSource"]!) + (outer * \(template["count"]!) + j) * \(inner)"
    guard indices.isShared else {
      return """
        for (i64 column = first; column < last; column += 1) {
          const i64 to = \(indices.at("outer", "j", "column"));
          \(check("true"))
          sums[to * \(inner) + column] += FIRST_\(lane)(SPLAT_\(step.dtype)(\(source) + column));
        }
        """
    }
    let order = "if (first == 0 && j > 0 && \(indices.at("outer", "(j - 1)", nil)) > to) \(fault)"
    return """
      const i64 to = \(indices.at("outer", "j", nil));
      \(check("first == 0"))
      \(step.isSorted ? order : "")
      for (i64 column = first; column < last; column += WIDTH) {
        const int held = (int)SMALLER(last - column, (i64)WIDTH);
        STORE_\(type)(sums, to * \(inner) + column, held, row_add_\(lane)(EXACT_\(type)(sums, to * \(inner) + column, held), LOAD_\(step.dtype)(\(source) + column, held)));
      }
      """
  }

  /// Rounds the sums of the columns that a work-item owns to the type of the result.
  private func conversion(_ step: ScatterAdd, _ template: KernelTemplate) -> String {
    let (inner, extent) = (template["inner"]!, template["extent"]!)
    let result = "\(template["result"]!), \(template["firstResult"]!) + (outer * \(extent) + row) * \(inner)"
    return """
      for (i64 row = 0; row < \(extent); row += 1) {
        for (i64 column = first; column < last; column += WIDTH) {
          const int held = (int)SMALLER(last - column, (i64)WIDTH);
          STORE_\(step.dtype)(\(result) + column, held, EXACT_\(step.dtype.lane.dtype)(sums, row * \(inner) + column, held));
        }
      }
      """
  }

  // MARK: - On GPUs

  /// A work-item makes one element of the result: it looks through all indices for its own or, where they ascend, finds
  /// where its own begin.
  private mutating func lowerElements(_ step: ScatterAdd) {
    let isLarge = step.outer * step.inner * max(step.extent, step.count) >= 1 << 30
    var scatter = scatter(step, step.isSorted ? "segment_sum" : "scatter_searching", isLarge: isLarge)
    let total = step.outer * step.extent * step.inner
    scatter.template["total"] = scatter.builder.number(total)
    scatter.template["indices"] = scatter.indices.pointer
    scatter.template["firstIndex"] = scatter.indices.base
    for (name, stride) in zip(["outerStride", "stride", "columnStride"], scatter.indices.strides) {
      scatter.template[name] = stride
    }
    scatter.builder.append(scatter.template)
    launch(
      scatter.builder, groups: (total + 255) / 256, localSize: 256, detail: detail(step), bytes: bytes(step))
  }
}
