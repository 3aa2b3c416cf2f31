import ApusDevice
import ApusSystem

extension PlanLowering {
  /// Packs a matrix of `rows` × `columns` elements into panels of `panel` columns. Stores the panels in the workspace
  /// from byte `workspace` on, and advances `workspace` to their end. Products of the batch that share the matrix share
  /// the copy.
  mutating func pack(
    _ matrix: Matrix, _ dtype: DType, batch: Shape, rows: Int, columns: Int, panel: Int, _ workspace: inout Int
  ) -> Matrix {
    let lane = dtype.lane
    let panels = ceilDivide(columns, panel)
    let distinct = batch.indices.filter { batch[$0] > 1 && matrix.batch[$0] != 0 }
    let extents = Shape(distinct.map { batch[$0] })
    let layout = Layout(shape: extents, strides: Shape(distinct.map { matrix.batch[$0] }))
    let isTransposed = matrix.columnStride != 1 && matrix.rowStride == 1
    // The columns of a transposed matrix are contiguous: a work-item reads several cache lines of each at a time.
    let leastRows = isTransposed ? 64 : width
    let rowsPerItem = max(width, min(roundUp(rows, toMultipleOf: width), max(leastRows, 8192 / panel / width * width)))
    let chunks = ceilDivide(rows, rowsPerItem)

    var builder = KernelBuilder(family: "matmul_pack", target: target, isLarge: true)
    var template = KernelTemplate(isTransposed ? "matmul/pack_transposed.cl" : "matmul/pack.cl", lane, builder)
    let source = builder.pointer(dtype.storage, slot: matrix.slot)
    let target = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["chunks"] = builder.number(chunks)
    template["panels"] = builder.number(panels)
    template["rows"] = builder.number(rows)
    template["rowsPerItem"] = builder.number(rowsPerItem)
    template["columns"] = builder.number(columns)
    template["width"] = builder.number(panel)
    template["target"] = "\(target) + \(builder.number(workspace / lane.dtype.byteCount))"
    let base = builder.number(matrix.offset)
    let loop = BoundStridedLoop(StridedLoop([layout], shape: extents, axes: 0..<extents.rank), &builder)
    var offset = ""
    template["BATCH"] = builder.captured { builder in
      offset = loop.offsets(at: "batch", bases: [base], &builder)[0]
    }
    template["ITEM"] = template.with(file: "matmul/pack_item.cl").text
    if isTransposed {
      template["dtype"] = dtype.description
      template["source"] = source
      template["offset"] = offset
      template["columnStride"] = builder.number(matrix.columnStride)
    } else {
      let strides = [matrix.rowStride, matrix.columnStride].map { builder.number($0) }
      template["LOAD"] =
        "GATHER_\(dtype)(\(source), \(offset) + row * \(strides[0]) + first * \(strides[1]), \(strides[1]), count)"
    }
    builder.append(template)
    let count = extents.elementCount * panels * rows * panel
    launch(
      builder, groups: extents.elementCount * panels * chunks,
      .part("packed \(rows)x\(columns)", read: count * dtype.byteCount, written: count * lane.dtype.byteCount))

    var packed = Matrix(
      slot: slots.workspace, offset: workspace / lane.dtype.byteCount,
      batch: [Int](repeating: 0, count: batch.rank), rowStride: panel, columnStride: 1)
    for (axis, stride) in zip(distinct, extents.contiguousStrides) {
      packed.batch[axis] = stride * panels * rows * panel
    }
    workspace += roundUp(count * lane.dtype.byteCount, toMultipleOf: 256)
    return packed
  }
}
