import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: Attention) {
    if usesMatrixUnits(step) { return lowerMatrix(step) }
    let g = step.geometry
    guard let forward = step.forward, let gradient = step.gradient else {
      launch("forward", step, lines: g.batch * g.heads, along: g.queries) { lowering, template, builder in
        lowering.bind(step.value, as: "value", &template, &builder)
        lowering.masks(step, isAlongKeys: false, &template, &builder)
      }
      return
    }
    needWorkspace(g.batch * g.heads * g.queries * step.dtype.byteCount)
    for (name, lines, extent) in [("queries", g.heads, g.queries), ("keys", g.groups, g.keys)] {
      launch(name, step, lines: g.batch * lines, along: extent) { lowering, template, builder in
        lowering.bind(step.value, as: "value", &template, &builder)
        lowering.bind(gradient, as: "gradient", &template, &builder)
        let (pointer, offset) = lowering.bind(forward, isConstant: true, &builder)
        (template["forward"], template["forwardOffset"]) = (pointer, offset)
        template["dots"] = builder.pointer(
          step.dtype.lane.scalar, slot: lowering.slots.workspace, isConstant: name == "keys")
        lowering.masks(step, isAlongKeys: name == "keys", &template, &builder)
      }
    }
  }

  /// Emits a launch over `lines` heads: the query heads or the key heads of all examples of the batch. A work-item
  /// computes the results of one head for as many queries, or keys, as a register holds.
  private mutating func launch(
    _ name: String, _ step: Attention, lines: Int, along extent: Int,
    _ fill: (PlanLowering, inout KernelTemplate, inout KernelBuilder) -> Void
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let localSize = isCPU ? 1 : 64
    let parts = ceilDivide(extent, width)
    var builder = KernelBuilder(family: "attention_\(name)", target: target, isLarge: true)
    builder.fillsRegisters = true
    var template = KernelTemplate("attention/\(name).cl", lane, builder)
    bind(step.query, as: "query", &template, &builder)
    bind(step.key, as: "key", &template, &builder)
    fill(self, &template, &builder)
    let (result, resultOffset) = bind(step.result, isConstant: false, &builder)
    (template["result"], template["resultOffset"]) = (result, resultOffset)
    template["dtype"] = "\(step.dtype)"
    template["factor"] = "\(step.factorDtype)"
    template["localSize"] = String(localSize)
    template["block"] = String(keyBlock)
    template["capacity"] = String([32, 64, 128].first { $0 >= max(g.size, g.width) } ?? 256)
    for (name, value) in [
      ("items", lines * parts), ("parts", parts), ("heads", g.heads), ("groups", g.groups),
      ("share", g.headsPerGroup), ("queries", g.queries), ("keys", g.keys), ("size", g.size),
      ("width", g.width), ("outputCount", g.output.elementCount), ("queryCount", g.query.elementCount),
      ("keyCount", g.key.elementCount),
    ] {
      template[name] = builder.number(value)
    }
    template["scale"] = builder.constant(step.scale, lane)
    template["ahead"] = ahead(step, &builder)
    fillParts(step, isAlongKeys: name == "keys", &template)
    builder.append(template)
    launch(
      builder, groups: ceilDivide(lines * parts, localSize), localSize: localSize,
      step.pass == .forward ? .step() : .step(share: 0.5, named: name))
  }

  /// Returns code for the number `ahead`: a query attends to keys up to `ahead` positions after its own. If attention
  /// is not causal, `ahead` is at least the number of keys.
  func ahead(_ step: Attention, _ builder: inout KernelBuilder) -> String {
    let limit = step.geometry.queries + step.geometry.keys
    guard step.isCausal, let offset = step.offset else { return builder.number(step.isCausal ? 0 : limit) }
    let (pointer, index) = bind(offset, isConstant: true, &builder)
    let bound = builder.number(limit)
    builder.line("const i64 ahead = LARGER(-\(bound), SMALLER(\(bound), \(pointer)[\(index)]));")
    return "ahead"
  }

  /// Binds an operand with four axes: its pointer under `name`, and numbers for its offset and strides.
  private func bind(
    _ operand: Operand, as name: String, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let location = location(operand)
    template[name] = builder.pointer(plan.values[operand.value].dtype.storage, slot: location.slot)
    template[name + "Offset"] = builder.number(location.offset)
    for (axis, suffix) in ["Batch", "Head", "Row"].enumerated() {
      template[name + suffix] = builder.number(operand.layout.strides[axis])
    }
  }

  /// Fills in the offsets of a head's mask and bias, the code that applies the mask to a register of scores, the code
  /// that reads the bias of these scores (−0 without a bias), and the code of `dropout`.
  private func masks(
    _ step: Attention, isAlongKeys: Bool, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    var starts = ""
    (template["OPEN"], template["ADDED"]) = ("", "(\(step.dtype.lane.vector))(-0.0f)")
    for (name, operand, dtype) in [("OPEN", step.mask, DType.bool), ("ADDED", step.added, step.dtype)] {
      guard let operand else { continue }
      let location = location(operand)
      let pointer = builder.pointer(dtype.storage, slot: location.slot)
      let offset = builder.number(location.offset)
      let strides = operand.layout.strides.map { builder.number($0) }
      let start = "\(offset) + batch * \(strides[0]) + head * \(strides[1]) + first * \(strides[isAlongKeys ? 3 : 2])"
      starts += "const i64 at\(name) = \(start); "
      let (row, lanes) = isAlongKeys ? ("query", strides[3]) : ("key", strides[2])
      let along = strides[isAlongKeys ? 2 : 3]
      template[name] =
        (name == "OPEN" ? " & " : "")
        + "GATHER_\(dtype)(\(pointer), at\(name) + (\(row) + SMALLER(j, remaining - 1)) * \(along), \(lanes), count)"
    }
    template["MASK"] = starts
    dropout(step, isAlongKeys: isAlongKeys, &template, &builder)
  }

  /// Fills in the code of dropout. The code generates random words for the weights, computes the mask of the weights
  /// that are kept, and drops and scales weights and their gradients.
  private func dropout(
    _ step: Attention, isAlongKeys: Bool, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    for name in ["WORDS", "KEEP", "DROP", "DROPGRADIENT", "FACTOR"] { template[name] = "" }
    guard let dropout = step.dropout else { return }
    let lane = step.dtype.lane
    let factor = declare(dropout, lane, &builder)
    let keys = builder.number(step.geometry.keys)
    func kept(_ condition: String, _ name: String, _ factor: String) -> String {
      "\(name)[j] = CHOOSE_\(lane.suffix)(\(condition), \(name)[j]\(factor), (\(lane.vector))(0));"
    }
    if isAlongKeys {
      template["KEEP"] = """
        VI kept[\(keyBlock + 2)];
        UNROLL for (int j = 0; j < \(keyBlock); j += 3) {
          kept_rows((position + query + j) * \(keys) + first, \(keys), counter, seed, bound, kept + j);
        }
        """
      template["DROPGRADIENT"] = kept("kept[j]", "d", factor)
      template["DROP"] = kept("kept[j]", "p", factor)
      return
    }
    // Each element of a register belongs to one query. The random words for the keys of a query are consecutive.
    let queries = builder.number(step.geometry.queries)
    template["WORDS"] = """
      const VL word = ((VL)(line * \(queries) + first) + LANES_L) * (VL)((i64)\(keys));
      const VI skew = I_FROM_L(word & 3);
      VL wordBlock = word >> 2;
      VI last[4];
      kept_words(wordBlock, counter, seed, bound, last);
      """
    template["KEEP"] = """
      VI kept[\(keyBlock)];
      UNROLL for (int j = 0; j < \(keyBlock); j += 4) {
        wordBlock = wordBlock + 1;
        kept_fours(wordBlock, counter, seed, bound, skew, last, kept + j);
      }
      """
    template["DROP"] = kept("kept[j]", "p", "")
    template["DROPGRADIENT"] = kept("kept[j]", "d", factor)
    template["FACTOR"] = factor
  }

  /// Declares the numbers of dropout: `seed`, `counter` and `bound`. Returns code that multiplies by the dropout
  /// factor.
  func declare(_ dropout: Attention.Dropout, _ lane: Lane, _ builder: inout KernelBuilder) -> String {
    let bank = builder.commonPointer("i64", slot: slots.bank)
    for (name, entry) in [("seed", dropout.seed), ("counter", dropout.counter)] {
      let number = builder.number(entry)
      builder.declare("const VL \(name) = SCALAR_i64(\(bank), \(number));")
    }
    let bound = builder.number(dropout.bound)
    builder.declare("const VI bound = (VI)((int)\(bound));")
    return " * " + builder.constant(dropout.factor, lane)
  }

  /// Fills in the templates that several kernels use. They determine which results a work-item computes, and compute
  /// the dot products with a block of keys (or queries) and the sums over this block.
  private func fillParts(_ step: Attention, isAlongKeys: Bool, _ template: inout KernelTemplate) {
    let ahead = template["ahead"]!
    template["head"] = isAlongKeys ? "group" : "head"
    template["headCount"] = template[isAlongKeys ? "groups" : "heads"]
    template["extent"] = template[isAlongKeys ? "keys" : "queries"]
    template["row"] = isAlongKeys ? "query" : "key"
    template["distance"] = isAlongKeys ? "query + j + \(ahead) - first" : "first + \(ahead) - key - j"
    template["sign"] = isAlongKeys ? "-" : "+"
    template["RESCALE"] = step.pass == .forward ? " * factor" : ""
    template["ITEM"] = template.with(file: "attention/item.cl").text
    template["ATTENDS"] = template.with(file: "attention/attends.cl").text
    if isAlongKeys {
      template["SCORES"] = template.dots("p", of: "key", with: "query", "at")
      template["WEIGHTGRADIENTS"] = template.dots("d", of: "value", with: "gradient", "to")
      template["ADDQUERIES"] = template.weightedSum("keyTotal", of: "query", "at", weights: "d")
      template["ADDGRADIENTS"] = template.weightedSum("valueTotal", of: "gradient", "to", weights: "p")
      return
    }
    template["QUERYITEM"] = template.with(file: "attention/query_item.cl").text
    template["SCORES"] = template.dots("p", of: "query", with: "key", "at")
    if step.pass == .forward {
      template["ADDVALUES"] = template.weightedSum("total", of: "value", "at", weights: "p")
    } else {
      template["WEIGHTGRADIENTS"] = template.dots("d", of: "gradient", with: "value", "to")
      template["ADDKEYS"] = template.weightedSum("total", of: "key", "at", weights: "d")
    }
  }

  /// The number of keys (or queries) that a work-item processes at a time. The dot products with these keys fit into
  /// the registers, on CPUs and on GPUs. The number is a multiple of 4, because Philox generates random words in blocks
  /// of four.
  private var keyBlock: Int { isCPU ? 8 : 4 }
}

extension KernelBuilder {
  /// Adds a floating-point number that the kernel reads from the geometry; returns code for it.
  mutating func constant(_ number: Double, _ lane: Lane) -> String {
    "CONSTANT_\(lane.suffix)(\(self.number(Int(truncatingIfNeeded: Scalar.float(number).bits(lane)))))"
  }
}

extension KernelTemplate {
  /// Returns code that computes the dot products `name` of `vector` with a block of rows, and the offsets `at` of these
  /// rows. A row is the part of an operand for one position (of a query or key) in one head.
  fileprivate func dots(_ name: String, of vector: String, with rows: String, _ at: String) -> String {
    var part = block(of: rows, at, file: "attention/dots.cl")
    (part["dots"], part["vector"]) = (name, vector)
    return part.text
  }

  /// Returns code that adds the sum of a block of rows, weighted with `weights`, to `total`. The rows begin at the
  /// offsets `at`.
  fileprivate func weightedSum(_ total: String, of rows: String, _ at: String, weights: String) -> String {
    var part = block(of: rows, at, file: "attention/weighted_sum.cl")
    (part["total"], part["weights"]) = (total, weights)
    return part.text
  }

  /// Returns a template for a block of rows of an operand: `query`, `key`, `value` or `gradient`.
  private func block(of rows: String, _ at: String, file: String) -> KernelTemplate {
    var part = with(file: file)
    (part["memory"], part["start"], part["rowStride"]) = (self[rows], rows + "At", self[rows + "Row"])
    part["length"] = self[rows == "query" || rows == "key" ? "size" : "width"]
    part["at"] = at
    return part
  }
}
