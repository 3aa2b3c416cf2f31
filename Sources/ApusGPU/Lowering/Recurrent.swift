import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: Recurrent) {
    let g = step.geometry
    let (rows, vectors) = tile(step)
    let localSize = isCPU ? 1 : g.size <= 64 ? 64 : 256
    var builder = KernelBuilder(family: "recurrent_\(step.pass.rawValue)", target: target, isLarge: true)
    var template = KernelTemplate("recurrent/\(step.pass.rawValue).cl", step.dtype.lane, builder)
    template["dtype"] = "\(step.dtype)"
    template["gates"] = String(g.gates)
    template["states"] = String(g.states)
    template["rows"] = String(rows)
    template["vectors"] = String(vectors)
    template["localSize"] = String(localSize)
    template["keeps"] = step.keeps ? "1" : "0"
    for (name, value) in [
      ("times", g.times), ("batch", g.batch), ("size", g.size), ("isReversed", step.isReversed ? 1 : 0),
    ] {
      template[name] = builder.number(value)
    }
    bind(step.weight, as: "weight", &template, &builder)
    (template["result"], template["resultOffset"]) = bind(step.result, isConstant: false, &builder)
    template["HELD"] =
      step.mask.map { mask in
        let (flags, offset) = bind(mask, isConstant: true, &builder)
        return "\(flags)[\(offset) + row] != 0"
      } ?? "1"
    if step.pass == .forward { fillForward(step, &template, &builder) } else { fillBackward(step, &template, &builder) }
    let cell = g.kind == .lstm ? "lstm" : g.kind == .gru ? "gru" : "plain"
    template["CELL"] = template.with(file: "recurrent/\(step.pass.rawValue)_\(cell).cl").text
    builder.append(template)
    launch(
      builder, groups: (g.batch + rows - 1) / rows, localSize: localSize,
      detail: "recurrent \(g.kind) \(step.pass.rawValue) \(g.times)x\(g.batch) of \(g.size)", flops: step.flops)
  }

  /// How many sequences share a load of the weights, and how many registers of columns share a load of a state: all sums
  /// fit the registers, and on CPUs there are enough of them to hide the latency of a multiply-add. In the forward pass
  /// the gates are the registers of columns. Where the batch has too few sequences for every core, 4 share a load.
  /// Results do not depend on it.
  private func tile(_ step: Recurrent) -> (rows: Int, vectors: Int) {
    let g = step.geometry
    let registers = target.registerCount * 4 / step.dtype.lane.dtype.byteCount
    guard isCPU, registers >= 32 else { return (isCPU && g.gates == 1 ? 8 : 4, 1) }
    let vectors = step.pass == .forward ? 1 : [4, 2].first { g.size % ($0 * width) == 0 } ?? 1
    let rows = (step.pass == .forward ? g.gates : vectors) == 4 ? 6 : 8
    return (g.batch > rows * (target.computeUnits - 1) ? rows : 4, vectors)
  }

  private func fillForward(_ step: Recurrent, _ template: inout KernelTemplate, _ builder: inout KernelBuilder) {
    let lane = step.dtype.lane.suffix
    bind(step.states[0], as: "state", &template, &builder)
    if let input = step.input { bind(input, as: "input", &template, &builder) }
    if step.states.count == 2 { bind(step.states[1], as: "cell", &template, &builder) }
    template["function"] =
      step.geometry.kind == .tanh ? "tanh_\(lane)(sum)" : "row_maximum_\(lane)(sum, (\(step.dtype.lane.vector))(0))"
    let bias = step.bias.map { bind($0, isConstant: true, &builder) }
    for gate in 0..<3 {
      template["BIAS\(gate)"] =
        bias.map { " + LOAD_\(step.dtype)(\($0.0), \($0.1) + \(gate) * \(template["size"]!) + at, count)" } ?? ""
    }
  }

  private func fillBackward(_ step: Recurrent, _ template: inout KernelTemplate, _ builder: inout KernelBuilder) {
    let (dtype, zero) = (step.dtype, "(\(step.dtype.lane.vector))(0)")
    func load(_ value: Int?, _ at: String) -> String? {
      value.map {
        let (pointer, offset) = bind($0, isConstant: true, &builder)
        return "LOAD_\(dtype)(\(pointer), \(offset) + \(at), count)"
      }
    }
    if let forward = step.forward { bind(forward, as: "forward", &template, &builder) }
    // Only those that the cell reads: arguments of kernels are few.
    if step.geometry.kind == .gru { bind(step.states[0], as: "state", &template, &builder) }
    if step.geometry.kind == .lstm { bind(step.states[1], as: "cell", &template, &builder) }
    template["slopes"] = step.geometry.kind == .gru ? "carried + stateCount" : "ofInput"
    template["GRADIENT"] = load(step.gradient, "row * \(template["size"]!) + at").map { " + \($0)" } ?? ""
    template["LAST"] = load(step.lastGradients[0], "unit") ?? zero
    template["LASTCELL"] = (step.lastGradients.count == 2 ? load(step.lastGradients[1], "unit") : nil) ?? zero
    template["slope"] =
      step.geometry.kind == .tanh
      ? "dh * (1 - h * h)" : "CHOOSE_\(step.dtype.lane.suffix)(\(positive(step)), dh, \(zero))"
  }

  /// Where a state of a rectified unit is above 0, as a condition for all lanes.
  private func positive(_ step: Recurrent) -> String {
    "row_greater_\(step.dtype.lane.suffix)(h, (\(step.dtype.lane.vector))(0))"
  }

  /// A value: the pointer under `name`, and a number for its offset.
  private func bind(
    _ value: Int, as name: String, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    (template[name], template[name + "Offset"]) = bind(value, isConstant: true, &builder)
  }
}
