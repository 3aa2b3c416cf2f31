import ApusDevice

extension PlanLowering {
  /// The offset of an index and how it moves along the innermost axis.
  private struct Indices {
    var text: (_ offset: String) -> String
    var base: String
    var strides: [String]
    /// Whether all elements of a row share one index.
    var isShared: Bool

    init(_ operand: Operand, _ place: Place, _ dtype: DType, _ builder: inout KernelBuilder) {
      let pointer = builder.pointer(dtype.storage, slot: place.slot)
      text = { "(i64)\(pointer)[\($0)]" }
      base = builder.number(place.offset)
      isShared = operand.layout.strides[2] == 0 || operand.layout.shape[2] == 1
      strides = operand.layout.strides.map { builder.number($0) }
    }

    /// The index of element (outer, j, column).
    func at(_ outer: String, _ j: String, _ column: String?) -> String {
      let inner = column.map { " + (\($0)) * \(strides[2])" } ?? ""
      return text("\(base) + \(outer) * \(strides[0]) + \(j) * \(strides[1])\(inner)")
    }
  }

  mutating func lower(_ step: Gather) {
    let rows = step.outer * step.count
    guard rows * step.inner > 0 else { return }
    let isLarge =
      step.outer * step.inner * max(step.extent, step.count) >= 1 << 30
    var builder = KernelBuilder(family: "gather", target: target, isLarge: isLarge)
    builder.begin("const i64 start = 0;")
    let index = builder.index
    let (source, sourceOffset) = bind(step.source, isConstant: true, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, place(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.sharedPointer("int", slot: slots.fault, isConstant: false)
    let number = builder.number(noteFault())
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
      builder, groups: groups, localSize: isCPU ? 1 : 256,
      detail: "gather \(rows) of \(step.outer * step.extent), \(step.inner) each, \(step.dtype)",
      bytes: Double(2 * rows * step.inner * step.dtype.byteCount))
  }

  mutating func lower(_ step: ScatterAdd) {
    guard step.outer * step.extent * step.inner > 0 else { return }
    if isCPU { lowerOwned(step) } else { step.isSorted ? lowerSegments(step) : lowerSearching(step) }
  }

  private func detail(_ step: ScatterAdd) -> String {
    "scatter-add \(step.outer * step.count) to \(step.outer * step.extent), \(step.inner) each, \(step.dtype)"
  }

  private func bytes(_ step: ScatterAdd) -> Double {
    Double(step.outer * step.inner * (step.count * 2 + step.extent) * step.dtype.byteCount)
  }

  // MARK: - Scatter-add on CPUs

  private mutating func lowerOwned(_ step: ScatterAdd) {
    let lane = step.dtype.lane
    // Columns are shared out so that eight work-items have some, in whole registers where that can be.
    let wanted = max(1, min(8 / step.outer, step.inner / width))
    let piece = max(1, wanted == 1 ? step.inner : (step.inner / wanted + width - 1) / width * width)
    let pieces = (step.inner + piece - 1) / piece
    let units = step.outer * pieces
    let unitsPerItem = max(1, min((units + 7) / 8, 8192 / max(1, (step.count + step.extent) * piece)))
    let isConverted = lane.dtype != step.dtype

    var builder = KernelBuilder(family: "scatter_owned", target: target, isLarge: true)
    var template = KernelTemplate("index/scatter_owned.cl")
    let (source, sourceOffset) = bind(step.source, isConstant: true, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, place(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.sharedPointer("int", slot: slots.fault, isConstant: false)
    let number = builder.number(noteFault())
    template["T"] = lane.scalar
    template["laneType"] = lane.dtype.description
    template["zero"] = Scalar.integer(0).text(lane)
    template["index"] = builder.index
    for (name, value) in [
      ("units", units), ("unitsPerItem", unitsPerItem), ("pieces", pieces), ("piece", piece),
      ("inner", step.inner), ("extent", step.extent), ("count", step.count),
    ] {
      template[name] = builder.number(value)
    }
    let (inner, count, extent) = (template["inner"]!, template["count"]!, template["extent"]!)
    template["sums"] =
      isConverted
      ? builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
      : "\(result) + \(resultOffset)"
    var check = "if (to < 0 || to >= \(extent)) { if (first == 0) \(fault)[0] = \(number); continue; }"
    if step.isSorted {
      check += " if (first == 0 && j > 0 && \(indices.at("outer", "(j - 1)", nil)) > to) \(fault)[0] = \(number);"
    }
    let from = "\(sourceOffset) + (outer * \(count) + j) * \(inner)"
    let type = lane.dtype
    template["ADD"] =
      indices.isShared
      ? """
      const i64 to = \(indices.at("outer", "j", nil));
      \(check)
      for (i64 column = first; column < last; column += WIDTH) {
        const int held = (int)SMALLER(last - column, (i64)WIDTH);
        STORE_\(type)(sums, to * \(inner) + column, held, row_add_\(lane.suffix)(EXACT_\(type)(sums, to * \(inner) + column, held), LOAD_\(step.dtype)(\(source), \(from) + column, held)));
      }
      """
      : """
      for (i64 column = first; column < last; column += 1) {
        const i64 to = \(indices.at("outer", "j", "column"));
        \(check.replacing("first == 0", with: "true"))
        sums[to * \(inner) + column] += FIRST_\(lane.suffix)(SPLAT_\(step.dtype)(\(source), \(from) + column));
      }
      """
    template["CONVERT"] =
      isConverted
      ? """
      for (i64 row = 0; row < \(extent); row += 1) {
        for (i64 column = first; column < last; column += WIDTH) {
          const int held = (int)SMALLER(last - column, (i64)WIDTH);
          STORE_\(step.dtype)(\(result), \(resultOffset) + (outer * \(extent) + row) * \(inner) + column, held, EXACT_\(type)(sums, row * \(inner) + column, held));
        }
      }
      """ : ""
    builder.append(template)
    if isConverted { needWorkspace(step.outer * step.extent * step.inner * lane.dtype.byteCount) }
    launch(
      builder, groups: (units + unitsPerItem - 1) / unitsPerItem, detail: detail(step), bytes: bytes(step))
  }

  // MARK: - Scatter-add on GPUs

  /// Every element of the result looks through the indices for its own.
  private mutating func lowerSearching(_ step: ScatterAdd) {
    let lane = step.dtype.lane
    let isLarge = step.outer * step.inner * max(step.extent, step.count) >= 1 << 30
    var builder = KernelBuilder(family: "scatter_searching", target: target, isLarge: isLarge)
    builder.begin("const i64 start = 0;")
    let index = builder.index
    let (source, sourceOffset) = bind(step.source, isConstant: true, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, place(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.sharedPointer("int", slot: slots.fault, isConstant: false)
    let number = builder.number(noteFault())
    let (count, extent, inner) = (
      builder.number(step.count), builder.number(step.extent), builder.number(step.inner)
    )
    let groups = builder.overRows(
      step.outer * step.extent, columns: step.inner, elementsPerGroup: 256,
      begin: { builder in
        builder.line("const \(index) outer = row / \(extent);")
        builder.line("const \(index) own = row - outer * \(extent);")
      },
      body: { builder in
        builder.line("\(lane.vector) sum = \(Scalar.integer(0).text(lane));")
        builder.block("for (\(index) j = 0; j < \(count); j += 1)") { builder in
          builder.line("const i64 to = \(indices.at("outer", "j", "column"));")
          builder.line("if (own == 0 && (to < 0 || to >= \(extent))) \(fault)[0] = \(number);")
          builder.line(
            "if (to == own) sum = row_add_\(lane.suffix)(sum, LOAD_\(step.dtype)(\(source), "
              + "\(sourceOffset) + (outer * \(count) + j) * \(inner) + column, 1));")
        }
        builder.line(
          "STORE_\(step.dtype)(\(result), \(resultOffset) + row * \(inner) + column, 1, sum);")
      })
    launch(builder, groups: groups, localSize: 256, detail: detail(step), bytes: bytes(step))
  }

  /// Every element of the result finds where its indices begin, and goes on to where they end.
  private mutating func lowerSegments(_ step: ScatterAdd) {
    let lane = step.dtype.lane
    let isLarge = step.outer * step.inner * max(step.extent, step.count) >= 1 << 30
    var builder = KernelBuilder(family: "segment_sum", target: target, isLarge: isLarge)
    builder.begin("const i64 start = 0;")
    let index = builder.index
    let (source, sourceOffset) = bind(step.source, isConstant: true, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    let indices = Indices(
      step.indices, place(step.indices), plan.values[step.indices.value].dtype, &builder)
    let fault = builder.sharedPointer("int", slot: slots.fault, isConstant: false)
    let number = builder.number(noteFault())
    let (count, extent, inner) = (
      builder.number(step.count), builder.number(step.extent), builder.number(step.inner)
    )
    let groups = builder.overRows(
      step.outer * step.extent, columns: step.inner, elementsPerGroup: 256,
      begin: { builder in
        builder.lines(
          """
          const \(index) outer = row / \(extent);
          const \(index) own = row - outer * \(extent);
          if (column == 0) {
            const \(index) last = (\(index))(((i64)own + 1) * \(count) / \(extent));
            for (\(index) j = (\(index))((i64)own * \(count) / \(extent)); j < last; j += 1) {
              const i64 to = \(indices.at("outer", "j", nil));
              if (to < 0 || to >= \(extent)) \(fault)[0] = \(number);
              if (j > 0 && \(indices.at("outer", "(j - 1)", nil)) > to) \(fault)[0] = \(number);
            }
          }
          \(index) low = 0;
          for (\(index) high = \(count); low < high;) {
            const \(index) middle = low + (high - low) / 2;
            if (\(indices.at("outer", "middle", nil)) < own) low = middle + 1; else high = middle;
          }
          """)
      },
      body: { builder in
        builder.lines(
          """
          \(lane.vector) sum = \(Scalar.integer(0).text(lane));
          for (\(index) j = low; j < \(count) && \(indices.at("outer", "j", nil)) == own; j += 1) {
            sum = row_add_\(lane.suffix)(sum, LOAD_\(step.dtype)(\(source), \(sourceOffset) + (outer * \(count) + j) * \(inner) + column, 1));
          }
          STORE_\(step.dtype)(\(result), \(resultOffset) + row * \(inner) + column, 1, sum);
          """)
      })
    launch(builder, groups: groups, localSize: 256, detail: detail(step), bytes: bytes(step))
  }

  /// Binds a contiguous value; returns the pointer and the offset of its first element.
  func bind(
    _ value: Int, isConstant: Bool, _ builder: inout KernelBuilder
  ) -> (pointer: String, offset: String) {
    let place = place(value: value)
    let dtype = plan.values[value].dtype
    let pointer = builder.pointer(dtype.storage, slot: place.slot, isConstant: isConstant)
    return (pointer, builder.number(place.offset))
  }
}
