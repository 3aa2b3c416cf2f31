import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: Attention) {
    let g = step.geometry
    guard let forward = step.forward, let gradient = step.gradient else {
      launch("forward", step, lines: g.batch * g.heads, along: g.queries) { lowering, template, builder in
        lowering.bind(step.value, as: "value", &template, &builder)
        lowering.mask(step, isAlongKeys: false, &template, &builder)
      }
      return
    }
    needWorkspace(g.batch * g.heads * g.queries * step.dtype.byteCount)
    for (name, lines, extent) in [("queries", g.heads, g.queries), ("keys", g.groups, g.keys)] {
      launch(name, step, lines: g.batch * lines, along: extent) { lowering, template, builder in
        lowering.bind(step.value, as: "value", &template, &builder)
        lowering.bind(gradient, as: "slope", &template, &builder)
        let (pointer, offset) = lowering.bind(forward, isConstant: true, &builder)
        (template["forward"], template["forwardOffset"]) = (pointer, offset)
        template["dots"] = builder.pointer(
          step.dtype.lane.scalar, slot: lowering.slots.workspace, isConstant: name == "keys")
        lowering.mask(step, isAlongKeys: name == "keys", &template, &builder)
      }
    }
  }

  /// A kernel of the family: as many lines as there are heads, cut into registers along queries or keys.
  private mutating func launch(
    _ name: String, _ step: Attention, lines: Int, along extent: Int,
    _ fill: (PlanLowering, inout KernelTemplate, inout KernelBuilder) -> Void
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let localSize = isCPU ? 1 : 64
    let parts = (extent + width - 1) / width
    var builder = KernelBuilder(family: "attention_\(name)", target: target, isLarge: true)
    var template = KernelTemplate("attention/\(name).cl")
    bind(step.query, as: "query", &template, &builder)
    bind(step.key, as: "key", &template, &builder)
    fill(self, &template, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    (template["result"], template["resultOffset"]) = (result, resultOffset)
    template["V"] = lane.vector
    template["lane"] = lane.suffix
    template["dtype"] = "\(step.dtype)"
    template["localSize"] = String(localSize)
    // What a register serves at a time; the rows in work fit the registers of either class.
    template["block"] = isCPU ? "8" : "4"
    template["room"] = String([32, 64, 128].first { $0 >= max(g.size, g.width) } ?? 256)
    for (name, value) in [
      ("items", lines * parts), ("parts", parts), ("heads", g.heads), ("groups", g.groups),
      ("share", g.heads / g.groups), ("queries", g.queries), ("keys", g.keys), ("size", g.size),
      ("width", g.width), ("outputCount", g.output.elementCount), ("queryCount", g.query.elementCount),
      ("keyCount", g.key.elementCount),
    ] {
      template[name] = builder.number(value)
    }
    let scale = builder.number(Int(truncatingIfNeeded: Scalar.float(step.scale).bits(lane)))
    template["scale"] = "CONSTANT_\(lane.suffix)(\(scale))"
    // The logarithm of nothing, under which every weight is 0, and which is no infinity that somebody might look for.
    let greatest = lane == .float32 ? Double(Float.greatestFiniteMagnitude) : .greatestFiniteMagnitude
    template["greatest"] = Scalar.float(greatest).text(lane)
    template["ahead"] = ahead(step, &builder)
    builder.append(template)
    launch(
      builder, groups: (lines * parts + localSize - 1) / localSize, localSize: localSize,
      detail: "attention \(name) \(g.batch)x\(g.heads)/\(g.groups) \(g.queries)x\(g.keys) of \(g.size), \(g.width)",
      flops: step.flops / (step.pass == .forward ? 1 : 2))
  }

  /// How many keys more than its own place a query attends to; all where nothing is causal.
  private func ahead(_ step: Attention, _ builder: inout KernelBuilder) -> String {
    let limit = step.geometry.queries + step.geometry.keys
    guard step.isCausal, let offset = step.offset else { return builder.number(step.isCausal ? 0 : limit) }
    let (pointer, place) = bind(offset, isConstant: true, &builder)
    let bound = builder.number(limit)
    builder.line("const i64 ahead = LARGER(-\(bound), SMALLER(\(bound), \(pointer)[\(place)]));")
    return "ahead"
  }

  /// An operand with four axes: the pointer under `name`, and numbers for its offset and strides.
  private func bind(
    _ operand: Operand, as name: String, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let place = place(operand)
    template[name] = builder.pointer(plan.values[operand.value].dtype.storage, slot: place.slot)
    template[name + "Offset"] = builder.number(place.offset)
    for (axis, suffix) in ["Batch", "Head", "Row"].enumerated() {
      template[name + suffix] = builder.number(operand.layout.strides[axis])
    }
  }

  /// Where the mask of a head begins, and the condition for the lanes of a register.
  private func mask(
    _ step: Attention, isAlongKeys: Bool, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    guard let mask = step.mask else {
      (template["MASK"], template["OPEN"]) = ("", "")
      return
    }
    let place = place(mask)
    let pointer = builder.pointer(DType.bool.storage, slot: place.slot)
    let offset = builder.number(place.offset)
    let strides = mask.layout.strides.map { builder.number($0) }
    let start = "\(offset) + batch * \(strides[0]) + head * \(strides[1]) + first * \(strides[isAlongKeys ? 3 : 2])"
    template["MASK"] = "const i64 maskAt = \(start);"
    let (row, lanes) = isAlongKeys ? ("query", strides[3]) : ("key", strides[2])
    let step = strides[isAlongKeys ? 2 : 3]
    template["OPEN"] =
      " & GATHER_bool(\(pointer), maskAt + (\(row) + SMALLER(j, held - 1)) * \(step), \(lanes), count)"
  }
}
