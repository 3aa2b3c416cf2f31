import ApusDevice

extension PlanLowering {
  /// The location and strides of an index array.
  struct Indices {
    var pointer: String
    var base: String
    var strides: [String]
    /// Whether all elements of a row share one index.
    var isShared: Bool

    init(_ operand: Operand, _ location: MemoryLocation, _ dtype: DType, _ builder: inout KernelBuilder) {
      pointer = builder.pointer(dtype.storage, slot: location.slot)
      base = builder.number(location.offset)
      isShared = operand.layout.strides[2] == 0 || operand.layout.shape[2] == 1
      strides = operand.layout.strides.map { builder.number($0) }
    }

    /// Returns code that loads element (outer, j, column) of the index array; without a column, element (outer, j, 0).
    func at(_ outer: String, _ j: String, _ column: String?) -> String {
      let inner = column.map { " + (\($0)) * \(strides[2])" } ?? ""
      return "(i64)\(pointer)[\(base) + \(outer) * \(strides[0]) + \(j) * \(strides[1])\(inner)]"
    }
  }

  mutating func lower(_ step: Gather) {
    let rows = step.outer * step.count
    guard rows * step.inner > 0 else { return }
    let isLarge = KernelBuilder.isLarge(step.outer * step.inner * max(step.extent, step.count))
    var builder = KernelBuilder(family: "gather", target: target, isLarge: isLarge)
    builder.begin("const i64 start = 0;")
    var template = KernelTemplate("index/gather_row.cl", step.dtype.lane, builder)
    (template["source"], template["firstSource"]) = bind(step.source, isConstant: true, &builder)
    (template["result"], template["firstResult"]) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, location(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.commonPointer("int", slot: slots.fault, isConstant: false)
    template["FAULT"] = "\(fault)[0] = \(builder.number(noteIndices(step.indexList)));"
    template["type"] = step.dtype.description
    for (name, value) in [("count", step.count), ("extent", step.extent), ("inner", step.inner)] {
      template[name] = builder.number(value)
    }
    let isShared = indices.isShared
    template["FROM"] = indices.at("outer", "(row - outer * \(template["count"]!))", isShared ? nil : "column + lane")
    let groups = builder.overRows(
      rows, columns: step.inner, elementsPerGroup: isCPU ? 8192 : 1024,
      begin: { builder in
        builder.append(template)
        if isShared { builder.append(template.with(file: "index/gather_index.cl")) }
      },
      body: { builder in
        builder.append(template.with(file: isShared ? "index/gather_shared.cl" : "index/gather_elements.cl"))
      })
    launch(
      builder, groups: groups, localSize: isCPU ? 1 : 256)
  }

  /// Binds a contiguous value; returns the pointer and the offset of its first element.
  func bind(
    _ value: Int, isConstant: Bool, _ builder: inout KernelBuilder
  ) -> (pointer: String, offset: String) {
    let location = location(value: value)
    let dtype = plan.values[value].dtype
    let pointer = builder.pointer(dtype.storage, slot: location.slot, isConstant: isConstant)
    return (pointer, builder.number(location.offset))
  }
}
