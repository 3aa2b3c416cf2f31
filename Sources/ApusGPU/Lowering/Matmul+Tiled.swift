import ApusDevice
import ApusSystem

extension PlanLowering {
  /// Lowers a product to a kernel in which each work-group computes a tile.
  mutating func lowerTiled(_ step: Matmul) {
    let lane = step.dtype.lane
    let count = step.batch.elementCount
    let left = Matrix(step.a, location(step.a), rank: step.batch.rank)
    let right = Matrix(step.b, location(step.b), rank: step.batch.rank)
    let tile = chooseTile(
      "matmul \(step.dtype) \(left.order)\(right.order) b\(Self.sizeClass(count))", batch: count, rows: step.m,
      columns: step.n, depth: step.k, lane: lane)
    let rowTiles = ceilDivide(step.m, tile.rows)
    let columnTiles = ceilDivide(step.n, tile.columns)
    let reach = [step.a, step.b].map { operand in
      zip(operand.layout.shape, operand.layout.strides).reduce(0) { $0 + $1.0 * abs($1.1) }
    }
    let offset = max(left.offset, right.offset, maximumOffset(of: step.epilogue))
    let isLarge = KernelBuilder.isLarge(offset + reach.max()! + step.m * step.n * count)

    var builder = KernelBuilder(family: "matmul_tiled", target: target, isLarge: isLarge)
    var template = KernelTemplate(tile, lane, &builder)
    let a = builder.pointer(step.dtype.storage, slot: left.slot)
    let b = builder.pointer(step.dtype.storage, slot: right.slot)
    template["rows"] = builder.number(step.m)
    template["columns"] = builder.number(step.n)
    template["begin"] = "0"
    template["end"] = builder.number(step.k)
    template["rowTiles"] = builder.number(rowTiles)
    template["columnTiles"] = builder.number(columnTiles)
    template["OUTPUT"] = """
      const \(builder.index) output = batch * \(template["rows"]!) + tiledRow;
      const \(builder.index) column = tiledColumn;
      """
    batchOffsets(left, right, step.batch, &template, &builder)
    fetch(.left, left, a, "row", "depth", step, tile, &template, &builder)
    fetch(.right, right, b, "depth", "column", step, tile, &template, &builder)
    epilogue(step, &template, &builder)
    builder.append(template)
    launch(
      builder, groups: count * rowTiles * columnTiles, localSize: tile.items)
  }

  /// Fills in the template's loads of a matrix along its axis of stride 1: four elements at a time if they are
  /// `float32` and every four of them are aligned to 16 bytes, else one at a time.
  private func fetch(
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
