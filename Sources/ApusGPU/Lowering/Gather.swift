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
    let index = builder.index
    let (source, sourceOffset) = bind(step.source, isConstant: true, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, location(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.commonPointer("int", slot: slots.fault, isConstant: false)
    let number = builder.number(noteIndices(step.indexList))
    let (count, extent, inner) = (
      builder.number(step.count), builder.number(step.extent), builder.number(step.inner)
    )
    let check = "if (from < 0 || from >= \(extent)) \(fault)[0] = \(number);"
    let groups = builder.overRows(
      rows, columns: step.inner, elementsPerGroup: isCPU ? 8192 : 1024,
      begin: { builder in
        builder.line("const \(index) outer = row / \(count);")
        builder.line("const \(index) to = \(resultOffset) + row * \(inner);")
        builder.line("const \(index) base = \(sourceOffset) + outer * \(extent) * \(inner);")
        guard indices.isShared else { return }
        builder.line("const i64 from = \(indices.at("outer", "(row - outer * \(count))", nil));")
        builder.line("\(check)")
      },
      body: { builder in
        if indices.isShared {
          builder.line(
            "if (from >= 0 && from < \(extent)) STORE_\(step.dtype)(\(result), to + column, count, "
              + "LOAD_\(step.dtype)(\(source), base + (\(index))from * \(inner) + column, count));")
          return
        }
        builder.block("for (int lane = 0; lane < count; lane += 1)") { builder in
          builder.line(
            "const i64 from = \(indices.at("outer", "(row - outer * \(count))", "column + lane"));")
          builder.line(check)
          builder.line(
            "else \(result)[to + column + lane] = \(source)[base + (\(index))from * \(inner) + column + lane];")
        }
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
