import ApusDevice

/// A matrix in memory.
struct Matrix {
  var slot: Int
  var offset: Int
  /// The strides of the batch axes.
  var batch: [Int]
  var rowStride: Int
  var columnStride: Int
}

extension Matrix {
  init(_ operand: Operand, _ place: Place, rank: Int) {
    slot = place.slot
    offset = place.offset
    batch = Array(operand.layout.strides[0..<rank])
    rowStride = operand.layout.strides[rank]
    columnStride = operand.layout.strides[rank + 1]
  }
}

extension PlanLowering {
  mutating func lower(_ step: Matmul) {
    guard step.batch.elementCount * step.m * step.n > 0 else { return }
    if isCPU { lowerVector(step) } else { lowerTiled(step) }
  }

  func detail(_ step: Matmul) -> String {
    let left = step.a.layout.strides[step.batch.rank + 1] == 1 ? "N" : "T"
    let right = step.b.layout.strides[step.batch.rank + 1] == 1 ? "N" : "T"
    let count = step.batch.elementCount
    return "matmul \(count > 1 ? "\(count)×" : "")\(step.m)x\(step.n)x\(step.k) \(left)\(right) \(step.dtype)"
  }

  func flops(_ step: Matmul) -> Double {
    2 * Double(step.batch.elementCount) * Double(step.m) * Double(step.n) * Double(step.k)
  }

  func bytes(_ step: Matmul) -> Double {
    let elements = step.m * step.k + step.k * step.n + step.m * step.n
    return Double(step.batch.elementCount * elements * step.dtype.byteCount)
  }

  /// The epilogue of a kernel that knows `output`, the number of the row of results, `column` and
  /// `count`; split in what a row needs and what a register needs.
  func epilogue(
    _ step: Matmul, _ template: inout KernelTemplate, _ builder: inout KernelBuilder, core: String = "core"
  ) {
    fillEpilogue(step.epilogue, &template, &builder, cores: [core])
  }

  func batchOffsets(
    _ left: Matrix, _ right: Matrix, _ batch: Shape, _ template: inout KernelTemplate,
    _ builder: inout KernelBuilder
  ) {
    let layouts = [left, right].map { Layout(shape: batch, strides: Shape($0.batch)) }
    let bases = [left, right].map { builder.number($0.offset) }
    let walk = BoundWalk(Walk(layouts, shape: batch, axes: 0..<batch.rank), &builder)
    var offsets: [String] = []
    template["BATCH"] = builder.captured { builder in
      offsets = walk.offsets(at: "batch", bases: bases, &builder)
    }
    template["leftOffset"] = offsets[0]
    template["rightOffset"] = offsets[1]
  }

  // MARK: - GPUs

  private mutating func lowerTiled(_ step: Matmul) {
    let lane = step.dtype.lane
    // Large tiles read less; small ones keep more of the device busy.
    let tile = step.m * step.n * step.batch.elementCount >= 1 << 20 && step.m >= 128 && step.n >= 128 ? 128 : 64
    let items = tile / 8 * (tile / 8)
    let depthStep = lane == .float32 || lane == .int32 ? 16 : 8
    let left = Matrix(step.a, place(step.a), rank: step.batch.rank)
    let right = Matrix(step.b, place(step.b), rank: step.batch.rank)
    let tileRows = (step.m + tile - 1) / tile
    let tileColumns = (step.n + tile - 1) / tile
    let reach = [step.a, step.b].map { operand in
      zip(operand.layout.shape, operand.layout.strides).reduce(0) { $0 + $1.0 * abs($1.1) }
    }
    let isLarge = max(left.offset, right.offset) + reach.max()! + step.m * step.n * step.batch.elementCount >= 1 << 30

    var builder = KernelBuilder(family: "matmul_tiled", target: target, isLarge: isLarge)
    var template = KernelTemplate(tile: tile, depth: depthStep, lane, &builder)
    let a = builder.pointer(step.dtype.storage, slot: left.slot)
    let b = builder.pointer(step.dtype.storage, slot: right.slot)
    template["rows"] = builder.number(step.m)
    template["columns"] = builder.number(step.n)
    template["begin"] = "0"
    template["end"] = builder.number(step.k)
    template["tileRows"] = builder.number(tileRows)
    template["tileColumns"] = builder.number(tileColumns)
    template["PLACE"] = """
      const \(builder.index) output = batch * \(template["rows"]!) + tiledRow;
      const \(builder.index) column = tiledColumn;
      """
    // Neighbouring work-items read along the axis of stride 1.
    let alongDepth = ("element % \(depthStep)", "element / \(depthStep)")
    let acrossDepth = ("element / \(tile)", "element % \(tile)")
    (template["leftDepth"], template["leftRow"]) = left.columnStride == 1 ? alongDepth : acrossDepth
    (template["rightDepth"], template["rightColumn"]) = right.rowStride == 1 ? alongDepth : acrossDepth
    batchOffsets(left, right, step.batch, &template, &builder)
    template["LEFT"] = load(step.dtype, a, template["leftOffset"]!, "row", "depth", left, &builder)
    template["RIGHT"] = load(step.dtype, b, template["rightOffset"]!, "depth", "column", right, &builder)
    builder.begin("const int count = 1;")
    epilogue(step, &template, &builder)
    builder.append(template)
    launch(
      builder, groups: step.batch.elementCount * tileRows * tileColumns, localSize: items,
      detail: detail(step), flops: flops(step), bytes: bytes(step))
  }

  /// The assignment of an element of a matrix to `value`.
  private func load(
    _ dtype: DType, _ pointer: String, _ offset: String, _ row: String, _ column: String,
    _ matrix: Matrix, _ builder: inout KernelBuilder
  ) -> String {
    let strides = [builder.number(matrix.rowStride), builder.number(matrix.columnStride)]
    return "value = LOAD_\(dtype)(\(pointer), \(offset) + \(row) * \(strides[0]) + \(column) * \(strides[1]), 1);"
  }
}

extension KernelTemplate {
  /// A product by tiles of `tile` × `tile` results, along `depth` terms at a time.
  init(tile: Int, depth: Int, _ lane: Lane, _ builder: inout KernelBuilder) {
    self.init("matmul/tiled.cl")
    for name in ["left", "right"] {
      builder.begin("LOCAL_ARRAY(\(lane.scalar), \(name), \(depth * (tile + 1)));")
    }
    self["T"] = lane.scalar
    self["V"] = lane.vector
    self["lane"] = lane.suffix
    self["index"] = builder.index
    self["tile"] = String(tile)
    self["items"] = String(tile / 8 * (tile / 8))
    self["step"] = String(depth)
  }
}

// MARK: - Epilogues

extension PlanLowering {
  /// Whether all that an epilogue reads and writes lies in order along the axes from `first` on.
  func canMerge(_ epilogue: Epilogue, from first: Int) -> Bool {
    let bound = bind(epilogue.program, epilogue.binding)
    let domain = epilogue.binding.domain
    return Walk(bound.layouts, shape: domain, axes: first..<domain.rank).rank <= 1
  }

  /// Fills `$ROW` and `$EPILOGUE` of a template whose text knows `output`, the row-major number over the
  /// axes that number rows, and `column` and `count` along the others.
  ///
  /// - Parameter mergingFrom: the first of the axes that make up a row where all operands lie in order
  ///   along them; else, and where it is `nil`, the last axis is the row.
  /// - Returns: the number of elements of a row.
  @discardableResult
  func fillEpilogue(
    _ epilogue: Epilogue, _ template: inout KernelTemplate, _ builder: inout KernelBuilder,
    cores: [String], mergingFrom: Int? = nil
  ) -> Int {
    let bound = bind(epilogue.program, epilogue.binding)
    let domain = epilogue.binding.domain
    var first = domain.rank - 1
    var inner = Walk(bound.layouts, shape: domain, axes: first..<domain.rank)
    if let mergingFrom, canMerge(epilogue, from: mergingFrom) {
      (first, inner) = (mergingFrom, Walk(bound.layouts, shape: domain, axes: mergingFrom..<domain.rank))
    }
    let columns = inner.removeLast()
    let rows = Walk(bound.layouts, shape: domain, axes: 0..<first)
    var text = ProgramText(epilogue.program, bound, rows: rows, columns: columns, &builder)
    template["ROW"] = builder.captured { text.beginRow("output", &$0) }
    template["EPILOGUE"] = builder.captured {
      text.emit(column: "column", count: "count", cores: cores, &$0)
    }
    return columns.extent
  }
}
