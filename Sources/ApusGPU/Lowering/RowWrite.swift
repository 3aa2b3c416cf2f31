import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: RowWrite) {
    guard step.count * step.inner > 0 else { return }
    let isLarge = KernelBuilder.isLarge(step.inner * max(step.extent, step.count))
    var builder = KernelBuilder(family: "rowWrite", target: target, isLarge: isLarge)
    builder.begin("const i64 start = 0;")
    let index = builder.index
    let (rows, rowsOffset) = bind(step.rows, isConstant: true, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(step.indices, location(step.indices), plan.values[step.indices.value].dtype, &builder)
    let (extent, inner) = (builder.number(step.extent), builder.number(step.inner))
    let groups = builder.overRows(
      step.count, columns: step.inner, elementsPerGroup: isCPU ? 8192 : 1024,
      begin: { builder in builder.line("const i64 to = \(indices.at("0", "row", nil));") },
      body: { builder in
        builder.line(
          "if (to >= 0 && to < \(extent)) STORE_\(step.dtype)(\(result), "
            + "\(resultOffset) + (\(index))to * \(inner) + column, count, "
            + "LOAD_\(step.dtype)(\(rows), \(rowsOffset) + row * \(inner) + column, count));")
      })
    launch(
      builder, groups: groups, localSize: isCPU ? 1 : 256)
  }
}
