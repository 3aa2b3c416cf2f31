import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: Recurrent) {
    let g = step.geometry
    let tile = tile(step)
    let localSize = isCPU ? 1 : g.size <= 64 ? 64 : 256
    let panels = packedWeights(of: step, tile)
    var builder = KernelBuilder(family: "recurrent_\(step.pass.rawValue)", target: target, isLarge: true)
    builder.fillsRegisters = true
    var template = KernelTemplate("recurrent/\(step.pass.rawValue).cl", step.dtype.lane, builder)
    template["dtype"] = "\(step.dtype)"
    template["gates"] = String(g.gates)
    template["gatesAtOnce"] = String(tile.gates)
    template["PARTS"] =
      tile.gates == g.gates
      ? "const int part = 0;" : "NO_UNROLL for (int part = 0; part < \(g.gates); part += \(tile.gates))"
    template["states"] = String(g.states)
    template["rows"] = String(tile.rows)
    template["vectors"] = String(tile.vectors)
    template["localSize"] = String(localSize)
    template["keeps"] = step.keeps ? "1" : "0"
    for (name, value) in [
      ("times", g.times), ("batch", g.batch), ("size", g.size), ("isReversed", step.isReversed ? 1 : 0),
    ] {
      template[name] = builder.number(value)
    }
    template["rowsPerGroup"] =
      tile.rowsPerGroup == tile.rows ? String(tile.rows) : builder.number(tile.rowsPerGroup)
    fillWeight(step, panels, &template, &builder)
    (template["result"], template["resultOffset"]) = bind(step.result, isConstant: false, &builder)
    template["VALID"] =
      step.mask.map { mask in
        let (flags, offset) = bind(mask, isConstant: true, &builder)
        return "\(flags)[\(offset) + row] != 0"
      } ?? "1"
    if step.pass == .forward { fillForward(step, &template, &builder) } else { fillBackward(step, &template, &builder) }
    let cell = g.kind == .lstm ? "lstm" : g.kind == .gru ? "gru" : "plain"
    template["CELL"] = template.with(file: "recurrent/\(step.pass.rawValue)_\(cell).cl").text
    builder.append(template)
    launch(
      builder, groups: ceilDivide(g.batch, tile.rowsPerGroup), localSize: localSize)
  }

  /// How the work of a recurrent kernel is divided. Results do not depend on the division.
  private struct RecurrentTile {
    /// The number of sequences that share a load of the weights.
    var rows: Int
    /// The number of sequences that a work-group computes, `rows` at a time.
    var rowsPerGroup: Int
    /// In the backward pass, the number of registers, each with the sums of `width` columns, that are updated from one
    /// load of a gradient.
    var vectors = 1
    /// In the forward pass, the number of gates that are computed from one load of a state.
    var gates: Int
  }

  /// Returns a tile whose sums fit into the registers. On a CPU with many registers, a tile has 6 or 8 sequences, so that
  /// there are enough sums to hide the latency of a multiply-add; it has 4 if such tiles would be too few to give every
  /// core one. On a GPU, it has 4 sequences.
  private func tile(_ step: Recurrent) -> RecurrentTile {
    let g = step.geometry
    guard isCPU else { return RecurrentTile(rows: 4, rowsPerGroup: 4, gates: g.gates) }
    guard hasManyRegisters(step) else { return narrowTile(step) }
    let vectors = step.pass == .forward ? 1 : [4, 2].first { g.size % ($0 * width) == 0 } ?? 1
    let most = (step.pass == .forward ? g.gates : vectors) == 4 ? 6 : 8
    let rows = g.batch > most * (target.computeUnits - 1) ? most : 4
    return RecurrentTile(rows: rows, rowsPerGroup: rows, vectors: vectors, gates: g.gates)
  }

  /// Returns a tile for few registers: the sums of one gate fit into them. Each core has one work-group. The group
  /// multiplies all its sequences by one panel of weights before the next panel, so that the panel stays in a cache
  /// close to the core. All batches with more than two tiles per core have tiles with the same number of sequences, and so the same
  /// kernel.
  private func narrowTile(_ step: Recurrent) -> RecurrentTile {
    let g = step.geometry
    let registers = registers(of: step)
    let most = registers >= 8 ? 6 : registers >= 4 ? 2 : 1
    let share = max(1, ceilDivide(g.batch, target.computeUnits))
    let blocks = ceilDivide(share, most)
    let rows = blocks > 2 ? most : ceilDivide(share, blocks)
    return RecurrentTile(
      rows: rows, rowsPerGroup: blocks * rows, gates: rows * g.gates <= most ? g.gates : 1)
  }

  /// Whether the registers hold at least 32 vectors of the arithmetic type, as with AVX-512 and `float32`.
  private func hasManyRegisters(_ step: Recurrent) -> Bool { registers(of: step) >= 32 }

  /// Returns the number of vectors of `width` elements of the arithmetic type that fit into the registers of a core.
  private func registers(of step: Recurrent) -> Int {
    target.registerCount * DType.float32.byteCount / step.dtype.lane.dtype.byteCount
  }

  /// Packs the weights into panels as wide as a load, in the workspace; returns `nil` if the kernel reads them in
  /// place. In place, the rows of a panel are often a large power of two apart, and a cache keeps few of them. A copy
  /// moves as many bytes as two passes over the weights, so only weights that each work-group reads at least
  /// 8 times are packed.
  private mutating func packedWeights(of step: Recurrent, _ tile: RecurrentTile) -> Matrix? {
    let g = step.geometry
    let columns = step.pass == .forward ? g.gates * g.size : g.size
    let readings = g.times * (tile.rowsPerGroup / tile.rows)
    guard isCPU, !hasManyRegisters(step), readings >= 8, columns > width, g.size % width == 0 else { return nil }
    let location = location(value: step.weight)
    let weight = Matrix(slot: location.slot, offset: location.offset, batch: [], rowStride: columns, columnStride: 1)
    var workspace = 0
    let rows = step.pass == .forward ? g.size : g.gates * g.size
    let panels = pack(weight, step.dtype, batch: [], rows: rows, columns: columns, panel: width, &workspace)
    needWorkspace(workspace)
    return panels
  }

  /// Fills in the load of a register of weights in row `k`. In the forward pass, these are the weights of gate
  /// `part + g` for the elements from `at` on; in the backward pass, register `v` of the columns from `at` on.
  private func fillWeight(
    _ step: Recurrent, _ panels: Matrix?, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let (size, gates) = (template["size"]!, step.geometry.gates)
    guard let panels else {
      let (pointer, offset) = bind(step.weight, isConstant: true, &builder)
      let at =
        step.pass == .forward ? "(k * \(gates) + part + g) * \(size) + at" : "k * \(size) + at + v * WIDTH"
      template["WEIGHT"] = "LOAD_\(step.dtype)(\(pointer), \(offset) + \(at), count)"
      return
    }
    let pointer = builder.pointer(step.dtype.lane.scalar, slot: panels.slot)
    let at =
      step.pass == .forward
      ? "((part + g) * \(size) + at) * \(size) + k * WIDTH" : "at * \(gates) * \(size) + k * WIDTH"
    template["WEIGHT"] = "VLOAD(\(pointer) + \(builder.number(panels.offset)) + \(at))"
  }

  private func fillForward(_ step: Recurrent, _ template: inout KernelTemplate, _ builder: inout KernelBuilder) {
    bind(step.states[0], as: "state", &template, &builder)
    if let input = step.input { bind(input, as: "input", &template, &builder) }
    if step.states.count == 2 { bind(step.states[1], as: "cell", &template, &builder) }
    template["function"] = (step.geometry.kind == .tanh ? ElementwiseRow.tanh : .relu).call(step.dtype.lane, "sum")
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
    // Only the states that the cell reads are bound, because the number of kernel arguments is limited.
    if step.geometry.kind == .gru { bind(step.states[0], as: "state", &template, &builder) }
    if step.geometry.kind == .lstm { bind(step.states[1], as: "cell", &template, &builder) }
    template["product"] = step.geometry.kind == .gru ? "carried + stateCount" : "ofInput"
    template["GRADIENT"] = load(step.gradient, "row * \(template["size"]!) + at").map { " + \($0)" } ?? ""
    template["LAST"] = load(step.lastGradients[0], "unit") ?? zero
    template["LASTCELL"] = (step.lastGradients.count == 2 ? load(step.lastGradients[1], "unit") : nil) ?? zero
    template["function"] = (step.geometry.kind == .tanh ? ElementwiseRow.tanhGradient : .reluGradient).call(
      step.dtype.lane, "dh, h")
  }

  /// Sets the placeholder `name` to the pointer of a value, and `nameOffset` to the offset.
  private func bind(
    _ value: Int, as name: String, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    (template[name], template[name + "Offset"]) = bind(value, isConstant: true, &builder)
  }
}
