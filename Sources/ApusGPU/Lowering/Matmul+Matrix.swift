import ApusDevice
import ApusSystem

/// The output tile that a work-group computes with matrix units (tensor cores), see `Kernels/matmul/matrix.cl`.
struct MatrixTile: KernelShape {
  /// The rows and columns of the tile.
  let rows, columns: Int
  /// The number of pipeline stages: steps along the inner dimension whose factors are in local memory at a time.
  let stages: Int

  /// By default, a group has 2 × 2 warps.
  init(_ rows: Int, _ columns: Int, stages: Int, warpRows: Int = 2, warpColumns: Int = 2) {
    (self.rows, self.columns, self.stages) = (rows, columns, stages)
    (self.warpRows, self.warpColumns) = (warpRows, warpColumns)
  }

  var description: String { "matrix \(rows)x\(columns)/\(stages)" }

  /// The warps of a group form a grid of `warpRows` × `warpColumns` warps.
  let warpRows, warpColumns: Int
  /// The number of work-items of a group.
  var items: Int { 32 * warpRows * warpColumns }

  /// The number of 4-byte words of a row or column that a step multiplies.
  static let stepWordCount = 16

  /// The local memory of a group, in 4-byte words. It holds the factors of all stages and, at the end, the sums of one
  /// row of warps at a time.
  var localWordCount: Int {
    max(stages * (rows + columns) * Self.stepWordCount, rows / warpRows * (columns + 8))
  }

  /// The tiles to choose from.
  static let all = [
    MatrixTile(128, 128, stages: 3), MatrixTile(64, 64, stages: 4), MatrixTile(128, 64, stages: 4),
    MatrixTile(64, 128, stages: 4), MatrixTile(128, 128, stages: 4),
    MatrixTile(256, 128, stages: 3, warpRows: 4, warpColumns: 2),
    MatrixTile(128, 256, stages: 3, warpRows: 2, warpColumns: 4), MatrixTile(128, 128, stages: 2),
    MatrixTile(64, 64, stages: 3),
  ]
}

/// How matrix units multiply the factors of a product.
enum MatrixFormat: String {
  case float16, bfloat16, int8
  /// `float32` factors, rounded to TF32.
  case tf32
  /// `float32` factors, each split into two TF32 numbers.
  case tf32x3

  /// The format in which matrix units multiply factors of a type; `nil` if there is none.
  /// - Parameter dtype: the type to which the factors are rounded.
  init?(_ dtype: DType, _ inputPrecision: InputPrecision) {
    switch (dtype, inputPrecision) {
    case (.float16, _): self = .float16
    case (.bfloat16, _): self = .bfloat16
    case (.int8, _): self = .int8
    case (.float32, .tf32): self = .tf32
    case (.float32, .tf32x3): self = .tf32x3
    default: return nil
    }
  }

  /// The type of the factors in local memory.
  var dtype: DType {
    switch self {
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .int8: .int8
    case .tf32, .tf32x3: .float32
    }
  }

  /// The number of elements in a chunk of 16 bytes.
  var chunk: Int { 16 / dtype.byteCount }
}

/// The parts into which the sums along the inner dimension of a product are split (split-K).
struct SumParts {
  let count: Int
  /// The number of terms of a part. The last part may have fewer.
  let size: Int
}

/// How a product with matrix units copies a factor to local memory, and loads it from there to registers. A line is a
/// row of the left factor or a column of the right one.
struct MatrixCopy {
  let side: KernelTemplate.Side
  /// The number of elements in a chunk of 16 bytes.
  let chunk: Int
  /// Whether a chunk in local memory has one term of neighboring lines, so that the loads to registers transpose it;
  /// not possible for `int8`. Otherwise, a chunk has neighboring terms of one line.
  let isTransposed: Bool
  /// Whether neighboring work-items copy neighboring terms of a line. Otherwise, they copy neighboring lines.
  let isAlong: Bool
  /// Whether chunks are copied asynchronously (`cp.async`). Otherwise, `text` copies single elements.
  let isAsynchronous: Bool
  /// Code that copies a chunk to the pointer `to`. The chunk begins in line `row` or `column` at term `depth`.
  var text = ""
}

extension KernelTemplate {
  /// Creates the template of a product with matrix units.
  init(_ tile: MatrixTile, _ format: MatrixFormat, _ builder: inout KernelBuilder) {
    builder.localArray("tiles", type: "u32", byteCount: 4, count: tile.localWordCount)
    builder.begin("const int count = 1;")
    self.init("matmul/matrix.cl", format.dtype.lane, builder)
    for (name, value) in [
      ("tileRows", tile.rows), ("tileColumns", tile.columns), ("itemRows", tile.rows / tile.warpRows),
      ("itemColumns", tile.columns / tile.warpColumns), ("warpRows", tile.warpRows),
      ("warpColumns", tile.warpColumns), ("items", tile.items), ("stages", tile.stages),
      ("leftWords", tile.rows * MatrixTile.stepWordCount), ("rightWords", tile.columns * MatrixTile.stepWordCount),
      ("depth", MatrixTile.stepWordCount * 4 / format.dtype.byteCount), ("registers", format == .tf32x3 ? 8 : 4),
    ] {
      self[name] = String(value)
    }
    let function = format == .tf32 ? "ROUND_TF32" : format == .tf32x3 ? "SPLIT_TF32" : nil
    self["ROUNDLEFT"] = function.map { "\($0)(a);" } ?? ""
    self["ROUNDRIGHT"] = function.map { "\($0)(b[j]);" } ?? ""
    self["MULTIPLY"] =
      format == .tf32x3
      ? """
      MMA_tf32(sums[i][j], a + 4, b[j / 2][j % 2], b[j / 2][j % 2 + 2]);
      MMA_tf32(sums[i][j], a, b[j / 2][j % 2 + 4], b[j / 2][j % 2 + 6]);
      MMA_tf32(sums[i][j], a, b[j / 2][j % 2], b[j / 2][j % 2 + 2]);
      """ : "MMA_\(format.rawValue)(sums[i][j], a, b[j / 2][j % 2], b[j / 2][j % 2 + 2]);"
  }

  /// Inserts the code that copies a factor to local memory and loads it from there.
  mutating func insert(_ copy: MatrixCopy, of tile: MatrixTile) {
    let isLeft = copy.side == .left
    let extent = isLeft ? tile.rows : tile.columns
    var part = self
    part["side"] = copy.side.rawValue
    part["extent"] = String(extent)
    part["line"] = isLeft ? "row" : "column"
    part["tileLine"] = isLeft ? "tileRow" : "tileColumn"
    // The swizzle of a transposed factor: in the row of chunks of term `along`, chunk `c` is stored at position
    // `c ^ along % 8` or, with chunks of 4 elements, at position `c ^ along % 4 * 2`.
    let (width, phase) = (extent / copy.chunk, copy.chunk == 8 ? "% 8" : "% 4 * 2")
    if copy.isTransposed {
      part["across"] = "element % \(width) * \(copy.chunk)"
      part["along"] = "element / \(width)"
      part["place"] = "along * \(width) + (across / \(copy.chunk) ^ along \(phase))"
    } else {
      part["across"] = copy.isAlong ? "element / 4" : "element % \(extent)"
      part["along"] = copy.isAlong ? "element % 4 * \(copy.chunk)" : "element / \(extent) * \(copy.chunk)"
      part["place"] = "across * 4 + (along / \(copy.chunk) ^ across / 2 % 4)"
    }
    // Copies of single elements take many registers if the loop over chunks is unrolled.
    part["unroll"] = copy.isAsynchronous ? "UNROLL" : "NO_UNROLL"
    part["COPY"] = copy.text
    self["COPY\(isLeft ? "LEFT" : "RIGHT")"] = part.with(file: "matmul/matrix_copy.cl").text
    let (registers, memory) = (isLeft ? "a" : "b[j]", copy.side.rawValue)
    self["LOAD\(isLeft ? "LEFT" : "RIGHT")"] =
      switch (copy.isTransposed, copy.chunk) {
      case (false, _):
        """
        const int at = line + lane / 8 % 2 * 8 + lane % 8;
        LOAD_MATRIX(\(registers), \(memory) + (at * 4 + ((k * 2 + lane / 16) ^ at / 2 % 4)) * 4);
        """
      case (true, 8):
        """
        const int at = k * 16 + lane / 16 * 8 + lane % 8;
        const int chunk = (line / 8 + lane / 8 % 2) ^ lane % 8;
        LOAD_MATRIX_TRANSPOSED(\(registers), \(memory) + (at * \(width) + chunk) * 4);
        """
      default:
        """
        UNROLL for (int q = 0; q < 4; q += 1) {
          const int at = k * 8 + q / 2 * 4 + lane % 4;
          const int across = line + q % 2 * 8 + lane / 4;
          \(registers)[q] = \(memory)[at * \(extent) + (across / 4 ^ at \(phase)) * 4 + across % 4];
        }
        """
      }
  }
}

extension PlanLowering {
  /// The format in which matrix units compute the product; `nil` if they do not compute it.
  func matrixFormat(of step: Matmul) -> MatrixFormat? {
    target.hasMatrixUnits ? MatrixFormat(step.factorDtype, step.inputPrecision) : nil
  }

  /// Chooses the tile for `batch` products of `rows` × `columns` results each.
  mutating func chooseMatrixTile(
    _ family: @autoclosure () -> String, batch: Int, rows: Int, columns: Int, depth: Int
  ) -> MatrixTile {
    let units = target.computeUnits
    return choose(
      "\(family()) m\(Self.sizeClass(rows)) n\(Self.sizeClass(columns)) k\(Self.sizeClass(depth))",
      among: MatrixTile.all.filter { $0.stages > 2 }, or: MatrixTile.all
    ) { tile in
      // The device computes the tiles in rounds, two tiles per compute unit and round. Loading an element takes as long
      // as about 64 multiply-adds.
      let count = batch * ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns)
      return ceilDivide(count, 2 * units) * (tile.rows * tile.columns + 64 * (tile.rows + tile.columns))
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

  /// Lowers a product to a kernel for matrix units.
  mutating func lowerMatrix(_ step: Matmul, _ format: MatrixFormat) {
    let (left, right) = factors(of: step)
    let isSplittable = step.batch.rank + 3 <= Shape.maximumRank
    let parts =
      isSplittable
      ? Self.split(step.k, batch: step.batch.elementCount, step.m, step.n) : SumParts(count: 1, size: step.k)
    if usesWarpgroups(step, left, right, parts: parts) { return lowerWarpgroups(step, left, right, parts) }
    let type = step.dtype.description == format.rawValue ? format.rawValue : "\(step.dtype) as \(format)"
    let tile = chooseMatrixTile(
      "matmul \(type) \(left.order)\(right.order) b\(Self.sizeClass(step.batch.elementCount))",
      batch: step.batch.elementCount * parts.count, rows: step.m, columns: step.n, depth: parts.size)
    var builder = KernelBuilder(family: "matmul_matrix", target: target, isLarge: isLarge(step, left, right))
    var template = KernelTemplate(tile, format, &builder)
    let groups = fillProduct(step, left, right, parts, rows: tile.rows, columns: tile.columns, &template, &builder) {
      (a, b, template, builder) in
      for (side, matrix, pointer) in [(KernelTemplate.Side.left, left, a), (.right, right, b)] {
        template.insert(Self.copy(side, matrix, pointer, step, template, &builder), of: tile)
      }
    }
    builder.append(template)
    launch(builder, groups: groups, localSize: tile.items)
    if parts.count > 1 { lowerSum(of: parts.count, lane: step.dtype.lane, workspaceOffset: 0, step.epilogue) }
  }

  /// Returns how a factor of a product is copied and loaded.
  private static func copy(
    _ side: KernelTemplate.Side, _ matrix: Matrix, _ pointer: String, _ step: Matmul, _ template: KernelTemplate,
    _ builder: inout KernelBuilder
  ) -> MatrixCopy {
    let isLeft = side == .left
    let chunk = 16 / step.factorDtype.byteCount
    let (lineStride, termStride) =
      isLeft ? (matrix.rowStride, matrix.columnStride) : (matrix.columnStride, matrix.rowStride)
    let isAlong = termStride == 1
    let isAligned =
      step.dtype == step.factorDtype
      && (matrix.batch + [matrix.offset, isAlong ? lineStride : termStride]).allSatisfy { $0 % chunk == 0 }
    let isTransposed = !isAlong && chunk <= 8
    var copy = MatrixCopy(
      side: side, chunk: chunk, isTransposed: isTransposed, isAlong: isAlong,
      isAsynchronous: isAligned && (isAlong || isTransposed))
    let (line, lines, end) = (isLeft ? "row" : "column", template[isLeft ? "rows" : "columns"]!, template["end"]!)
    let strides = [lineStride, termStride].map { builder.number($0, orTrivial: 1) }
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
