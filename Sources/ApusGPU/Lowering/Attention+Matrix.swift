import ApusDevice
import ApusSystem

/// An operand of attention whose rows (queries, keys, values, or gradients of outputs) a kernel for matrix units copies
/// to local memory.
private struct AttentionRows {
  /// The ending of the name of the placeholder for the copy, such as `KEYS` of `COPYKEYS`.
  let name: String
  let operand: Operand
  /// The number of elements of a row.
  let length: Int
  /// Code for the number of rows.
  let count: String
  /// Code for the head (of queries or keys) that is read.
  let head: String
  /// Code for the pointer to local memory.
  let memory: String
  /// The number of rows that are copied at a time; `first` is code for the index of the first of them.
  let extent: Int
  let first: String

  /// The number of elements of a row in local memory, with padding.
  var capacity: Int { [32, 64].first { $0 >= length } ?? 128 }
  var wordCount: Int { capacity / 2 * extent }
}

extension Attention {
  /// The columns of a block of scores: keys or, in matrix_keys.cl, queries. The block is so small that its scores and
  /// the sums fit into the registers. The backward pass also has the gradients of the scores, and long rows have more
  /// sums.
  fileprivate var columnsPerBlock: Int {
    (pass == .forward ? 64 : 32) / (max(geometry.size, geometry.width) <= 64 ? 1 : 2)
  }
}

extension PlanLowering {
  /// Whether kernels for matrix units compute the step. The sums of rows of more than 128 elements would not fit into
  /// the registers of a work-group.
  func usesMatrixUnits(_ step: Attention) -> Bool {
    let g = step.geometry
    return target.hasMatrixUnits && step.factorDtype.byteCount == 2 && max(g.size, g.width) <= 128
      && !KernelBuilder.isLarge(max(g.queries, g.keys))
  }

  /// Lowers attention to kernels for matrix units.
  mutating func lowerMatrix(_ step: Attention) {
    let g = step.geometry
    guard let forward = step.forward else { return launchMatrix("forward", step, forward: nil) }
    needWorkspace(g.batch * g.heads * g.queries * step.dtype.byteCount)
    launchMatrix("queries", step, forward: forward)
    launchMatrix("keys", step, forward: forward)
  }

  private mutating func launchMatrix(_ name: String, _ step: Attention, forward: Int?) {
    let g = step.geometry
    let isAlongKeys = name == "keys"
    let (heads, extent) = isAlongKeys ? (g.groups, g.keys) : (g.heads, g.queries)
    let tiles = ceilDivide(extent, 64)
    var builder = KernelBuilder(family: "attention_matrix_\(name)", target: target, isLarge: true)
    builder.fillsRegisters = true
    var template = KernelTemplate("attention/matrix_\(name).cl", step.dtype.lane, builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    (template["result"], template["resultOffset"]) = (result, resultOffset)
    for (name, value) in [
      ("tiles", tiles), ("heads", g.heads), ("groups", g.groups), ("share", g.headsPerGroup), ("queries", g.queries),
      ("keys", g.keys), ("size", g.size), ("width", g.width), ("outputCount", g.output.elementCount),
      ("queryCount", g.query.elementCount), ("keyCount", g.key.elementCount),
    ] {
      template[name] = builder.number(value)
    }
    template["factor"] = "\(step.factorDtype)"
    template["scale"] = builder.constant(step.scale, step.dtype.lane)
    template["ahead"] = ahead(step, &builder)
    if let forward {
      (template["forward"], template["forwardOffset"]) = bind(forward, isConstant: true, &builder)
      template["dots"] = builder.pointer("float", slot: slots.workspace, isConstant: isAlongKeys)
    }
    // In causal attention, the last queries attend to the most keys, so their work-groups start first.
    let group = "GROUP_ID() % \(template["tiles"]!)"
    template["tile"] = isAlongKeys ? group : "\(template["tiles"]!) - 1 - \(group)"
    template["head"] = isAlongKeys ? "group" : "head"
    template["headCount"] = template[isAlongKeys ? "groups" : "heads"]
    template["ITEM"] = template.with(file: "attention/matrix_item.cl").text
    insertMasks(step, isAlongKeys: isAlongKeys, &template, &builder)
    insertRows(step, isAlongKeys: isAlongKeys, &template, &builder)
    template.insertMatrixStores(name, dropoutFactor: template["FACTOR"]!)
    builder.append(template)
    launch(
      builder, groups: g.batch * heads * tiles, localSize: 128,
      step.pass == .forward ? .step() : .step(share: 0.5, named: name))
  }

  /// Inserts the copies of all operands to local memory, and the products of their rows.
  private func insertRows(
    _ step: Attention, isAlongKeys: Bool, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let g = step.geometry
    let columns = step.columnsPerBlock
    template["columns"] = String(columns)
    let (queries, keys) = (template["queries"]!, template["keys"]!)
    let group = isAlongKeys ? "group" : "(head / \(template["share"]!))"
    func rows(_ name: String, _ operand: Operand, _ length: Int, isKey: Bool, _ memory: String) -> AttentionRows {
      let isOwn = isKey == isAlongKeys
      return AttentionRows(
        name: name, operand: operand, length: length, count: isKey ? keys : queries, head: isKey ? group : "head",
        memory: memory, extent: isOwn ? 64 : columns, first: isOwn ? "first" : "start")
    }
    let query = rows("QUERIES", step.query, g.size, isKey: false, isAlongKeys ? "queries" : "tiles")
    let key = rows("KEYS", step.key, g.size, isKey: true, isAlongKeys ? "tiles" : "keys")
    let value = rows("VALUES", step.value, g.width, isKey: true, "values")
    let gradient = step.gradient.map { rows("GRADIENTS", $0, g.width, isKey: false, "gradients") }
    let all = [query, key, value] + [gradient].compactMap(\.self)
    // The rows whose results the work-group computes are copied once. The blocks of the other rows are double-buffered:
    // two blocks are in local memory at a time.
    let words = all.reduce(0) { $0 + $1.wordCount * ($1.first == "first" ? 1 : 2) }
    builder.localArray("tiles", type: "u32", byteCount: 4, count: words)
    for rows in all { template["COPY\(rows.name)"] = copy(of: rows, step.factorDtype, template, &builder) }
    template["rowWords"] = String((isAlongKeys ? key : query).wordCount)
    template["keyWords"] = String(key.wordCount)
    template["queryWords"] = String(query.wordCount)
    template["valueWords"] = String(value.wordCount)
    (template["keySteps"], template["valueSteps"]) = (String(ceilDivide(g.size, 16)), String(ceilDivide(g.width, 16)))
    template["SCORES"] = template.products("p", isAlongKeys ? key : query, isAlongKeys ? query : key)
    guard let gradient else {
      template["ADDVALUES"] = template.sums("total", value, weights: "p")
      return
    }
    template["gradientWords"] = String(gradient.wordCount)
    template["WEIGHTGRADIENTS"] = template.products("d", isAlongKeys ? value : gradient, isAlongKeys ? gradient : value)
    template["ADDKEYS"] = template.sums("total", key, weights: "d")
    template["ADDQUERIES"] = template.sums("keyTotal", query, weights: "d")
    template["ADDGRADIENTS"] = template.sums("valueTotal", gradient, weights: "p")
    template["element"] = "(at * \(gradient.capacity / 8) + (c / 8 ^ \(gradient.phase))) * 8 + c % 8"
  }

  /// Returns code that copies rows of an operand to local memory.
  private func copy(
    of rows: AttentionRows, _ dtype: DType, _ template: KernelTemplate, _ builder: inout KernelBuilder
  ) -> String {
    let location = location(rows.operand)
    let strides = rows.operand.layout.strides
    let pointer = builder.pointer(dtype.storage, slot: location.slot)
    let numbers = ([location.offset] + strides.prefix(3)).map { builder.number($0) }
    let length = builder.number(rows.length)
    let head = "\(numbers[0]) + batch * \(numbers[1]) + \(rows.head) * \(numbers[2])"
    let at = "\(head) + position * \(numbers[3]) + chunk * 8"
    var part = template.with(file: "attention/matrix_copy.cl")
    (part["extent"], part["from"], part["to"]) = (String(rows.extent), rows.first, rows.memory)
    (part["chunks"], part["phase"]) = (String(rows.capacity / 8), rows.phase)
    let isAligned = ([location.offset] + strides.prefix(3)).allSatisfy { $0 % 8 == 0 }
    // An unrolled loop over chunks would take many registers if it copies single elements.
    part["unroll"] = isAligned ? "UNROLL" : "NO_UNROLL"
    let isPartial = rows.extent * rows.capacity / 8 < 128
    part["COPY"] =
      (isPartial ? "if (at >= \(rows.extent)) continue;\n" : "")
      + (isAligned
        ? """
        const int valid = position < \(rows.count) ? LARGER(0, SMALLER(8, (int)\(length) - chunk * 8)) : 0;
        COPY_ASYNC(to, valid > 0 ? &\(pointer)[\(at)] : \(pointer), valid * 2);
        """
        : """
        UNROLL for (int q = 0; q < 8; q += 1) {
          const int exists = position < \(rows.count) && chunk * 8 + q < \(length);
          ((u16 *)to)[q] = exists ? \(pointer)[\(at) + q] : (u16)0;
        }
        """)
    return part.text
  }

  /// Inserts the test whether a query attends to a key, the bias that is added to a score (−0 without a bias), and the
  /// code of dropout.
  private func insertMasks(
    _ step: Attention, isAlongKeys: Bool, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let (queries, keys, ahead) = (template["queries"]!, template["keys"]!, template["ahead"]!)
    // A tile may extend beyond the last query and the last key, where a mask has no elements, so the indices are
    // clamped.
    let place = [("query", queries), ("key", keys)].map { "SMALLER(\($0), (int)\($1) - 1)" }
    var starts = ""
    func element(_ operand: Operand?, _ name: String, _ dtype: DType) -> String? {
      guard let operand else { return nil }
      let location = location(operand)
      let pointer = builder.pointer(dtype.storage, slot: location.slot)
      let offset = builder.number(location.offset)
      let strides = operand.layout.strides.map { builder.number($0) }
      starts += "const i64 at\(name) = \(offset) + batch * \(strides[0]) + head * \(strides[1]);\n"
      return "SPLAT_\(dtype)(\(pointer), at\(name) + \(place[0]) * \(strides[2]) + \(place[1]) * \(strides[3]))"
    }
    let mask = element(step.mask, "Open", .bool)
    template["ADDED"] = element(step.added, "Added", step.dtype) ?? "-0.0f"
    template["MASK"] = starts
    let isNear = "isWhole || (query < \(queries) && key < \(keys) && key <= query + \(ahead))"
    template["OPEN"] = "((\(isNear))\(mask.map { " && \($0) != 0" } ?? ""))"
    for name in ["KEEP", "DROP", "DROPGRADIENT", "FACTOR"] { template[name] = "" }
    guard let dropout = step.dropout else { return }
    let factor = declare(dropout, step.dtype.lane, &builder)
    let column = "start + j * 8 + lane % 4 * 2"
    let words =
      isAlongKeys
      ? """
      UNROLL for (int i = 0; i < 4; i += 1) {
        flags[i] = kept_word((position + \(column) + i % 2) * \(keys) + row + i / 2 * 8, counter, seed, bound);
      }
      """
      : """
      kept_pair((line * \(queries) + row) * \(keys) + \(column), counter, seed, bound, flags);
      kept_pair((line * \(queries) + row + 8) * \(keys) + \(column), counter, seed, bound, flags + 2);
      """
    // The loop over blocks of 8 columns is not unrolled: generating the random words of several blocks at the same time
    // would need many registers.
    template["KEEP"] = """
      u32 kept = 0;
      NO_UNROLL for (int j = 0; j < \(step.columnsPerBlock / 8); j += 1) {
        VI flags[4];
        \(words)
        UNROLL for (int i = 0; i < 4; i += 1) kept |= (u32)flags[i] << (4 * j + i);
      }
      """
    template["DROPGRADIENT"] = "d[j][i] = kept >> (4 * j + i) & 1 ? d[j][i]\(factor) : 0;"
    template["DROP"] = "p[j][i] = kept >> (4 * j + i) & 1 ? p[j][i]\(isAlongKeys ? factor : "") : 0;"
    template["FACTOR"] = factor
  }
}

extension AttentionRows {
  /// Code for the swizzle of row `at`: the number whose bitwise XOR with the index of a chunk is the chunk's position.
  fileprivate var phase: String { capacity == 32 ? "(at / 2 % 4)" : "(at % 8)" }
}

extension KernelTemplate {
  /// Returns code that computes `sums`, the dot products of the work-group's own rows and a block of other rows.
  fileprivate func products(_ sums: String, _ own: AttentionRows, _ others: AttentionRows) -> String {
    var part = block(others, file: "attention/matrix_products.cl")
    (part["sums"], part["rows"]) = (sums, own.memory)
    return part.text
  }

  /// Returns code that adds the matrix product of `weights` and a block of rows to `total`.
  fileprivate func sums(_ total: String, _ others: AttentionRows, weights: String) -> String {
    var part = block(others, file: "attention/matrix_sums.cl")
    (part["total"], part["weights"]) = (total, weights)
    return part.text
  }

  private func block(_ rows: AttentionRows, file: String) -> KernelTemplate {
    var part = with(file: file)
    (part["others"], part["chunks"], part["phase"]) = (rows.memory, String(rows.capacity / 8), rows.phase)
    part["steps"] = String(ceilDivide(rows.length, 16))
    return part
  }

  /// Inserts the stores of the results of the kernel `name`.
  fileprivate mutating func insertMatrixStores(_ name: String, dropoutFactor: String) {
    func store(_ total: String, length: String, steps: String, count: String, after counts: [String], _ value: String)
      -> String
    {
      var part = with(file: "attention/matrix_store.cl")
      (part["total"], part["VALUE"], part["count"], part["length"]) = (total, value, self[count], self[length])
      part["steps"] = self[steps]
      part["start"] = (["resultOffset"] + counts).map { self[$0]! }.joined(separator: " + ")
      return part.text
    }
    if name == "keys" {
      self["STOREKEYS"] = store(
        "keyTotal", length: "size", steps: "keySteps", count: "keys", after: ["queryCount"], "sum")
      self["STOREVALUES"] = store(
        "valueTotal", length: "width", steps: "valueSteps", count: "keys", after: ["queryCount", "keyCount"], "sum")
      return
    }
    let isForward = name == "forward"
    self["STORE"] = store(
      "total", length: isForward ? "width" : "size", steps: isForward ? "valueSteps" : "keySteps", count: "queries",
      after: [], isForward ? "row_divide_f32(sum, divisor[h])\(dropoutFactor)" : "sum")
  }
}
