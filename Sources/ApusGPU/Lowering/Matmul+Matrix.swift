import ApusDevice
import ApusSystem

/// The parts into which the sums along the inner dimension of a product are split (split-K).
struct SumParts {
  let count: Int
  /// The number of terms of a part. The last part may have fewer.
  let size: Int
}

extension PlanLowering {
  /// The format in which `Kernels/matmul/matrix.cl` multiplies the factors; `nil` if it does not compute the product.
  /// It computes a product of `float32` factors only if both can be copied asynchronously. `tiled.cl` computes the
  /// others, and copies their elements through registers.
  func matrixFormat(of step: Matmul) -> MatrixFormat? {
    guard target.hasMatrixUnits, let format = MatrixFormat(step.factorDtype, step.inputPrecision) else { return nil }
    let (left, right) = factors(of: step)
    let isCopied =
      Self.isCopiedAsynchronously(.left, left, step) && Self.isCopiedAsynchronously(.right, right, step)
    return format != .float32 || isCopied ? format : nil
  }

  /// Chooses the tile for `batch` products of `rows` × `columns` results each.
  mutating func chooseMatrixTile(
    _ family: @autoclosure () -> String, _ format: MatrixFormat, batch: Int, rows: Int, columns: Int, depth: Int
  ) -> MatrixTile {
    let units = target.computeUnits
    let tiles = format == .float32 ? MatrixTile.simt : MatrixTile.all
    // The time for loading an element, in multiply-adds.
    let load = format == .float32 ? 8 : 64
    return choose(
      "\(family()) m\(Self.sizeClass(rows)) n\(Self.sizeClass(columns)) k\(Self.sizeClass(depth))",
      among: tiles.filter { $0.stages > 2 }, or: tiles
    ) { tile in
      // The device computes the tiles in rounds, two tiles per compute unit and round.
      let count = batch * ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns)
      return ceilDivide(count, 2 * units) * (tile.rows * tile.columns + load * (tile.rows + tile.columns))
    }
  }

  /// Splits long sums into parts if there are few results, to occupy the device (split-K). The split affects how a sum
  /// is rounded, so it does not depend on the tile, which tuning may change.
  /// - Parameters:
  ///   - depth: the number of terms of a sum.
  ///   - batch: the number of result matrices.
  ///   - rows, columns: the size of each result matrix.
  static func split(_ depth: Int, batch: Int = 1, _ rows: Int, _ columns: Int) -> SumParts {
    let squares = ceilDivide(rows, 64) * ceilDivide(columns, 64) * batch
    let count = max(1, min(64, depth / 1024, 512 / squares))
    let size = max(64, roundUp(ceilDivide(depth, count), toMultipleOf: 64))
    return SumParts(count: max(1, ceilDivide(depth, size)), size: size)
  }

  /// Lowers a product to `Kernels/matmul/matrix.cl`.
  mutating func lowerMatrix(_ step: Matmul, _ format: MatrixFormat) {
    let (left, right) = factors(of: step)
    // A sum of `float32` products is one chain of multiply-adds on every device, so it is not split.
    let isSplittable = format != .float32 && step.batch.rank + 3 <= Shape.maximumRank
    let parts =
      isSplittable
      ? Self.split(step.k, batch: step.batch.elementCount, step.m, step.n) : SumParts(count: 1, size: step.k)
    if usesWarpgroups(step, left, right, parts: parts) { return lowerWarpgroups(step, left, right, parts) }
    let type = step.dtype.description == format.rawValue ? format.rawValue : "\(step.dtype) as \(format)"
    let tile = chooseMatrixTile(
      "matmul \(type) \(left.order)\(right.order) b\(Self.sizeClass(step.batch.elementCount))", format,
      batch: step.batch.elementCount * parts.count, rows: step.m, columns: step.n, depth: parts.size)
    var builder = KernelBuilder(
      family: "matmul_\(format.kernelName)", target: target, isLarge: isLarge(step, left, right))
    builder.fillsRegisters = format == .float32
    var template = KernelTemplate(tile, format, &builder)
    let groups = fillProduct(step, left, right, parts, rows: tile.rows, columns: tile.columns, &template, &builder) {
      (a, b, template, builder) in
      template.insert(
        Self.copy(.left, left, a, step, template, &builder), Self.copy(.right, right, b, step, template, &builder),
        of: tile, format)
    }
    builder.append(template)
    launch(builder, groups: groups, localSize: tile.items)
    if parts.count > 1 { lowerSum(of: parts.count, lane: step.dtype.lane, workspaceOffset: 0, step.epilogue) }
  }

  /// The strides of a factor's lines and terms, see `MatrixCopy`.
  private static func strides(_ side: KernelTemplate.Side, _ matrix: Matrix) -> (line: Int, term: Int) {
    side == .left ? (matrix.rowStride, matrix.columnStride) : (matrix.columnStride, matrix.rowStride)
  }

  /// Whether chunks of a factor are copied asynchronously: their elements are contiguous, aligned and not converted.
  private static func isCopiedAsynchronously(_ side: KernelTemplate.Side, _ matrix: Matrix, _ step: Matmul) -> Bool {
    let (stride, chunk) = (strides(side, matrix), 16 / step.factorDtype.byteCount)
    let isAlong = stride.term == 1
    return step.dtype == step.factorDtype && (isAlong || chunk <= 8 && stride.line == 1)
      && (matrix.batch + [matrix.offset, isAlong ? stride.line : stride.term]).allSatisfy { $0 % chunk == 0 }
  }

  /// Returns how a factor of a product is copied and loaded.
  private static func copy(
    _ side: KernelTemplate.Side, _ matrix: Matrix, _ pointer: String, _ step: Matmul, _ template: KernelTemplate,
    _ builder: inout KernelBuilder
  ) -> MatrixCopy {
    let isLeft = side == .left
    let chunk = 16 / step.factorDtype.byteCount
    let stride = strides(side, matrix)
    let isAlong = stride.term == 1
    let isTransposed = !isAlong && chunk <= 8
    var copy = MatrixCopy(
      side: side, chunk: chunk, isTransposed: isTransposed, isAlong: isAlong,
      isAsynchronous: isCopiedAsynchronously(side, matrix, step))
    let (line, lines, end) = (isLeft ? "row" : "column", template[isLeft ? "rows" : "columns"]!, template["end"]!)
    let strides = [stride.line, stride.term].map { builder.number($0, orTrivial: 1) }
    let offset = template[isLeft ? "leftOffset" : "rightOffset"]!
    func element(_ line: String, _ term: String) -> String {
      "\(pointer)[\(offset) + \(line) * \(strides[0]) + \(term) * \(strides[1])]"
    }
    if copy.isAsynchronous {
      let rest = isAlong ? "\(end) - depth" : "\(lines) - \(line)"
      copy.text = """
        const int valid = \(line) < \(lines) && depth < \(end) ? (int)SMALLER(\(chunk), \(rest)) : 0;
        COPY_ASYNC(to, valid > 0 ? &\(element(line, "depth")) : \(pointer), valid * \(16 / chunk));
        """
    } else {
      let (nextLine, nextTerm) = isTransposed ? ("(\(line) + q)", "depth") : (line, "(depth + q)")
      let type = step.factorDtype.storage
      let value = element(nextLine, nextTerm)
      let rounded = step.dtype == step.factorDtype ? value : "\(step.factorDtype.roundingMacro)(\(value))"
      copy.text = """
        UNROLL for (int q = 0; q < \(chunk); q += 1) {
        ((\(type) *)to)[q] = \(nextLine) < \(lines) && \(nextTerm) < \(end) ? \(rounded) : (\(type))0;
        }
        """
    }
    return copy
  }
}

extension DType {
  /// The macro of `Kernels/prelude/storage.h` that rounds a `float32` number to this 16-bit type.
  fileprivate var roundingMacro: String { self == .float16 ? "WRITE_HALF" : "WRITE_BFLOAT16" }
}
