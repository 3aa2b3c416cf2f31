import ApusDevice
import ApusSystem

/// The output tile that a work-group computes with wgmma (warpgroup MMA), see `Kernels/matmul/warpgroup.cl`.
struct WarpgroupTile: KernelShape {
  /// The rows and columns of the tile.
  let rows, columns: Int
  /// The number of pipeline stages: steps along the inner dimension whose factors are in local memory at a time.
  let stages: Int

  init(_ rows: Int, _ columns: Int, stages: Int) {
    (self.rows, self.columns, self.stages) = (rows, columns, stages)
  }

  var description: String { "warpgroups \(rows)x\(columns)/\(stages)" }

  /// The number of warpgroups that multiply. One more warpgroup, the producer, starts the TMA copies of the factors.
  var consumers: Int { rows / 64 }
  /// The number of work-items of a group.
  var items: Int { 128 * (consumers + 1) }
  /// The number of 4-byte words of a row or column that a step multiplies.
  static let stepWordCount = 32

  /// The local memory of a group, in 4-byte words: the factors of all stages, which the sums replace at the end, and
  /// two mbarriers of 8 bytes for each stage.
  var localWordCount: Int {
    max(stages * (rows + columns) * Self.stepWordCount, rows * (columns + 8)) + 4 * stages
  }

  /// The tiles to choose from.
  static let all = [
    WarpgroupTile(128, 128, stages: 4), WarpgroupTile(128, 256, stages: 4), WarpgroupTile(128, 64, stages: 4),
    WarpgroupTile(128, 128, stages: 6),
  ]
}

extension PlanLowering {
  /// Whether a product is computed with wgmma: it is not in a loop, the factors are 16-bit and TMA can read them, no
  /// dimension is below 64, and all results together (partial sums, if sums are split) are at least a quarter as many
  /// 128 × 128 tiles as there are compute units.
  func usesWarpgroups(_ step: Matmul, _ left: Matrix, _ right: Matrix, parts: SumParts) -> Bool {
    guard target.hasWarpgroups, !isInLoop, [.float16, .bfloat16].contains(step.dtype), step.dtype == step.factorDtype,
      step.batch.rank <= 1, step.m >= 64, step.n >= 64, step.k >= 64
    else { return false }
    let tiles = ceilDivide(step.m, 128) * ceilDivide(step.n, 128) * step.batch.elementCount * parts.count
    return 4 * tiles >= target.computeUnits
      && [left, right].allSatisfy { matrix in
        let pitch = max(matrix.rowStride, matrix.columnStride)
        return (matrix.batch + [matrix.offset, pitch]).allSatisfy { $0 % 8 == 0 }
          && pitch < 1 << 32 && matrix.batch.allSatisfy { 0..<(1 << 38) ~= $0 }
      }
  }

  /// Lowers a product to a kernel that uses wgmma.
  mutating func lowerWarpgroups(_ step: Matmul, _ left: Matrix, _ right: Matrix, _ parts: SumParts) {
    let (rows, columns, units) = (step.m, step.n, target.computeUnits)
    let count = step.batch.elementCount * parts.count
    let tile = choose(
      "matmul \(step.dtype) \(left.order)\(right.order) b\(Self.sizeClass(step.batch.elementCount)) "
        + "m\(Self.sizeClass(rows)) n\(Self.sizeClass(columns)) k\(Self.sizeClass(parts.size)) warpgroups",
      among: [WarpgroupTile.all[0], WarpgroupTile.all[1]], or: WarpgroupTile.all
    ) { tile in
      // A compute unit computes one tile at a time. Loading an element takes as long as about 128 multiply-adds.
      let rounds = ceilDivide(count * ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns), units)
      return rounds * (tile.rows * tile.columns + 128 * (tile.rows + tile.columns))
    }
    var builder = KernelBuilder(family: "matmul_warpgroup", target: target, isLarge: isLarge(step, left, right))
    builder.fillsRegisters = true
    builder.localArray("tiles", type: "u32", byteCount: 4, count: tile.localWordCount)
    builder.begin("const int count = 1;")
    var template = KernelTemplate("matmul/warpgroup.cl", step.dtype.lane, builder)
    for (name, value) in [
      ("tileRows", tile.rows), ("tileColumns", tile.columns), ("stages", tile.stages), ("consumers", tile.consumers),
      ("leftWords", tile.rows * WarpgroupTile.stepWordCount),
      ("rightWords", tile.columns * WarpgroupTile.stepWordCount),
      ("depth", WarpgroupTile.stepWordCount * 4 / step.dtype.byteCount),
    ] {
      template[name] = String(value)
    }
    let groups = fillProduct(step, left, right, parts, rows: tile.rows, columns: tile.columns, &template, &builder) {
      (_, _, template, builder) in
      Self.insertCopy(.left, left, step, tile, parts, &template, &builder)
      Self.insertCopy(.right, right, step, tile, parts, &template, &builder)
    }
    let majors = [left.columnStride == 1, right.rowStride == 1].map { $0 ? "K_MAJOR" : "MN_MAJOR" }
    template["multiply"] = "WGMMA_\(step.dtype)_m64n\(tile.columns)<\(majors.joined(separator: ", "))>"
    builder.append(template)
    launch(builder, groups: groups, localSize: tile.items)
    if parts.count > 1 { lowerSum(of: parts.count, lane: step.dtype.lane, workspaceOffset: 0, step.epilogue) }
  }

  /// Inserts the TMA copy of a factor's tile to local memory, in rows of 128 bytes (64 elements) along the axis of
  /// stride 1. A line is a row of the left factor or a column of the right one. If the axis is the inner dimension, a
  /// row has 64 terms of one line (one step). Otherwise, a row has one term of each of 64 lines.
  private static func insertCopy(
    _ side: KernelTemplate.Side, _ matrix: Matrix, _ step: Matmul, _ tile: WarpgroupTile, _ parts: SumParts,
    _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let isLeft = side == .left
    let (lines, extent) = isLeft ? (step.m, tile.rows) : (step.n, tile.columns)
    let (lineStride, termStride) =
      isLeft ? (matrix.rowStride, matrix.columnStride) : (matrix.columnStride, matrix.rowStride)
    let isAlong = termStride == 1
    let pitch = isAlong ? lineStride : termStride
    let batchStride = matrix.batch.first { $0 != 0 }
    let map = builder.tensorMap(
      TensorMap(
        slot: matrix.slot, offset: matrix.offset, dtype: step.dtype,
        extents: (isAlong ? [step.k, lines] : [lines, step.k]) + [batchStride == nil ? 1 : step.batch.elementCount],
        strides: [pitch, batchStride ?? pitch], box: [64, isAlong ? extent : 64, 1]))
    let product = batchStride == nil ? "0" : "(int)\(parts.count > 1 ? "product" : "batch")"
    let first = "(int)\(isLeft ? "tileRow" : "tileColumn") * \(extent)"
    let copies =
      isAlong
      ? ["TMA_LOAD_3D(\(side.rawValue), &\(map), start, \(first), \(product), full + stage);"]
      : (0..<extent / 64).map {
        "TMA_LOAD_3D(\(side.rawValue) + \($0 * 2048), &\(map), \(first) + \($0 * 64), start, \(product), full + stage);"
      }
    let name = isLeft ? "LEFT" : "RIGHT"
    template["COPY\(name)"] = copies.joined(separator: "\n")
    // Byte offsets in local memory: from 64 lines to the next 64 (not used if the terms of a line are contiguous), and
    // from 16 terms (one wgmma) to the next 16.
    template["\(side.rawValue)Leading"] = isAlong ? "0" : "8192"
    template["\(side.rawValue)Advance"] = isAlong ? "32" : "2048"
  }
}
