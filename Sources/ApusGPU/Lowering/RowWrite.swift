import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: RowWrite) {
    guard step.count * step.inner > 0 else { return }
    let isLarge = KernelBuilder.isLarge(step.inner * max(step.extent, step.count))
    var builder = KernelBuilder(family: "rowWrite", target: target, isLarge: isLarge)
    builder.begin("const i64 start = 0;")
    var template = KernelTemplate("index/row_write.cl", step.dtype.lane, builder)
    (template["source"], template["firstSource"]) = bind(step.rows, isConstant: true, &builder)
    (template["result"], template["firstResult"]) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(step.indices, location(step.indices), plan.values[step.indices.value].dtype, &builder)
    template["type"] = step.dtype.description
    for (name, value) in [("extent", step.extent), ("inner", step.inner)] {
      template[name] = builder.number(value)
    }
    let groups = builder.overRows(
      step.count, columns: step.inner, elementsPerGroup: isCPU ? 8192 : 1024,
      begin: { builder in builder.line("const i64 to = \(indices.at("0", "row", nil));") },
      body: { builder in builder.append(template) })
    launch(
      builder, groups: groups, localSize: isCPU ? 1 : 256)
  }
}
