import ApusDevice
import ApusSystem

extension PlanLowering {
  /// Lowers a product to a kernel in which each work-group computes a tile of the result.
  mutating func lowerTiled(_ step: Matmul) {
    let lane = step.dtype.lane
    let (left, right) = factors(of: step)
    let tile = chooseTile(
      "matmul \(step.dtype) \(left.order)\(right.order) b\(Self.sizeClass(step.batch.elementCount))",
      batch: step.batch.elementCount, rows: step.m, columns: step.n, depth: step.k, lane: lane)
    var builder = KernelBuilder(family: "matmul_tiled", target: target, isLarge: isLarge(step, left, right))
    builder.fillsRegisters = true
    var template = KernelTemplate(tile, lane, &builder)
    let groups = fillProduct(
      step, left, right, SumParts(count: 1, size: step.k), rows: tile.rows, columns: tile.columns, &template, &builder
    ) {
      (a, b, template, builder) in
      Self.fetch(.left, left, a, "row", "depth", step, tile, &template, &builder)
      Self.fetch(.right, right, b, "depth", "column", step, tile, &template, &builder)
    }
    builder.append(template)
    launch(builder, groups: groups, localSize: tile.items)
  }

  func factors(of step: Matmul) -> (left: Matrix, right: Matrix) {
    (
      Matrix(step.a, location(step.a), rank: step.batch.rank), Matrix(step.b, location(step.b), rank: step.batch.rank)
    )
  }

  /// Whether the kernel of a product needs 64-bit indices.
  func isLarge(_ step: Matmul, _ left: Matrix, _ right: Matrix) -> Bool {
    let reach = [step.a, step.b].map { operand in
      zip(operand.layout.shape, operand.layout.strides).reduce(0) { $0 + $1.0 * abs($1.1) }
    }
    let offset = max(left.offset, right.offset, maximumOffset(of: step.epilogue))
    // The partial sums of split-K are not counted here: sums are split only if there are few results, so there are at
    // most 2²¹ partial sums.
    return KernelBuilder.isLarge(offset + reach.max()! + step.m * step.n * step.batch.elementCount)
  }

  /// Fills in what the templates of tiled products have in common: the sizes, the batch, and the epilogue.
  /// - Parameters:
  ///   - parts: the parts of the sums. If there are several, the kernel stores their partial sums in the workspace,
  ///     without the epilogue.
  ///   - rows, columns: the size of a tile.
  ///   - loads: fills in the loads of both factors. Its parameters are the names of the factors' pointers, the template
  ///     and the builder.
  /// - Returns: the number of work-groups.
  mutating func fillProduct(
    _ step: Matmul, _ left: Matrix, _ right: Matrix, _ parts: SumParts, rows: Int, columns: Int,
    _ template: inout KernelTemplate, _ builder: inout KernelBuilder,
    loads: (String, String, inout KernelTemplate, inout KernelBuilder) -> Void
  ) -> Int {
    let (rowTiles, columnTiles) = (ceilDivide(step.m, rows), ceilDivide(step.n, columns))
    let a = builder.pointer(step.dtype.storage, slot: left.slot)
    let b = builder.pointer(step.dtype.storage, slot: right.slot)
    template["rows"] = builder.number(step.m)
    template["columns"] = builder.number(step.n)
    let depth = builder.number(step.k)
    (template["begin"], template["end"]) = parts.count == 1 ? ("0", depth) : ("begin", "end")
    template["rowTiles"] = builder.number(rowTiles)
    template["columnTiles"] = builder.number(columnTiles)
    template["OUTPUT"] = """
      const \(builder.index) output = batch * \(template["rows"]!) + tiledRow;
      const \(builder.index) column = tiledColumn;
      """
    let count = step.batch.elementCount
    guard parts.count > 1 else {
      batchOffsets(left, right, step.batch, &template, &builder)
      loads(a, b, &template, &builder)
      epilogue(step, &template, &builder)
      return count * rowTiles * columnTiles
    }
    batchOffsets(left, right, step.batch, at: "product", &template, &builder)
    let (products, size) = (builder.number(count), builder.number(parts.size))
    template["BATCH"] = """
      const \(builder.index) begin = batch / \(products) * \(size);
      const \(builder.index) end = SMALLER(begin + \(size), \(depth));
      const \(builder.index) product = batch % \(products);
      \(template["BATCH"]!)
      """
    loads(a, b, &template, &builder)
    let workspace = builder.pointer(step.dtype.lane.scalar, slot: slots.workspace, isConstant: false)
    template["ROW"] = ""
    template["EPILOGUE"] = "\(workspace)[output * \(template["columns"]!) + column] = core;"
    needWorkspace(parts.count * count * step.m * step.n * step.dtype.lane.dtype.byteCount)
    return parts.count * count * rowTiles * columnTiles
  }

  /// Fills in the template's loads of a matrix along its axis of stride 1: four elements at a time if they are
  /// `float32` and each group of four is aligned to 16 bytes, else one at a time.
  private static func fetch(
    _ side: KernelTemplate.Side, _ matrix: Matrix, _ pointer: String, _ row: String, _ column: String, _ step: Matmul,
    _ tile: GroupTile, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let isAlongRow = matrix.columnStride == 1
    let far = isAlongRow ? matrix.rowStride : matrix.columnStride
    let extent = (side == .left) == isAlongRow ? step.k : side == .left ? step.m : step.n
    let isAligned = (matrix.batch + [matrix.offset, far, extent]).allSatisfy { $0 % 4 == 0 }
    let quad = step.dtype == .float32 && isAligned && min(matrix.rowStride, matrix.columnStride) == 1 ? 4 : 1
    let offset = template[side == .left ? "leftOffset" : "rightOffset"]!
    let strides = [matrix.rowStride, matrix.columnStride].map { builder.number($0, orTrivial: 1) }
    let at = "\(offset) + \(row) * \(strides[0]) + \(column) * \(strides[1])"
    template.fetch(side, of: tile, alongDepth: (side == .left) == isAlongRow, quad: quad) { next in
      guard quad == 4 else { return "\(next)] = LOAD_\(step.dtype)(\(pointer), \(at), 1);" }
      let parts = zip(0..., ["x", "y", "z", "w"]).map { "\(next) + \($0)] = quad.\($1);" }
      return "const float4 quad = LOAD_QUAD(\(pointer) + \(at));\n" + parts.joined(separator: "\n")
    }
  }
}

extension Matrix {
  /// `N` if the elements of a row are contiguous, else `T`.
  var order: String { columnStride == 1 ? "N" : "T" }
}
