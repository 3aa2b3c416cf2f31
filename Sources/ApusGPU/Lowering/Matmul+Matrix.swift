import ApusDevice
import ApusSystem

/// The tile of a product that a work-group of four warps computes with matrix units, see `Kernels/matmul/matrix.cl`.
struct MatrixTile: KernelShape {
  /// The rows and columns of the group's results.
  let rows, columns: Int
  /// The number of steps along the inner dimension whose factors are in local memory at a time.
  let stages: Int

  init(_ rows: Int, _ columns: Int, stages: Int) {
    (self.rows, self.columns, self.stages) = (rows, columns, stages)
  }

  var description: String { "matrix \(rows)x\(columns)/\(stages)" }

  /// The work-items of a group, and the rows and columns of its warps.
  static let (items, warpRows, warpColumns) = (128, 2, 2)
  /// The words of 4 bytes of a row or column that a step multiplies.
  static let stepWordCount = 16

  /// The local memory of a group, in words of 4 bytes: the factors of all stages, which the sums of a row of warps
  /// replace at the end.
  var localWordCount: Int {
    max(stages * (rows + columns) * Self.stepWordCount, rows / Self.warpRows * (columns + 8))
  }

  /// The tiles to choose from. The local memory of each is at most 48 KiB.
  static let all = [
    MatrixTile(128, 128, stages: 3), MatrixTile(64, 64, stages: 4), MatrixTile(128, 64, stages: 4),
    MatrixTile(64, 128, stages: 4), MatrixTile(128, 128, stages: 2), MatrixTile(64, 64, stages: 3),
  ]
}

/// The copy of a factor to local memory, and its loads from there, in a product with matrix units. A line is a row of the
/// left factor or a column of the right one.
struct MatrixCopy {
  let side: KernelTemplate.Side
  /// The elements of a chunk of 16 bytes.
  let chunk: Int
  /// Whether a chunk in local memory has the elements of neighboring lines, which are transposed as they are loaded;
  /// possible for 16-bit elements only. Otherwise, it has neighboring terms of a line.
  let isTransposed: Bool
  /// Whether neighboring work-items copy neighboring terms of a line. Otherwise, they copy neighboring lines.
  let isAlong: Bool
  /// Whether chunks are copied asynchronously. Otherwise, `text` copies single elements.
  let isAsynchronous: Bool
  /// Code that copies the chunk whose first element is in the line `row` or `column` and has the term `depth`, to the
  /// pointer `to`.
  var text = ""
}

extension KernelTemplate {
  /// Creates the template of a product with matrix units.
  /// - Parameter type: the type of the factors.
  init(_ tile: MatrixTile, _ type: DType, _ builder: inout KernelBuilder) {
    builder.localArray("tiles", type: "u32", byteCount: 4, count: tile.localWordCount)
    builder.begin("const int count = 1;")
    self.init("matmul/matrix.cl", type.lane, builder)
    for (name, value) in [
      ("tileRows", tile.rows), ("tileColumns", tile.columns), ("itemRows", tile.rows / MatrixTile.warpRows),
      ("itemColumns", tile.columns / MatrixTile.warpColumns), ("warpRows", MatrixTile.warpRows),
      ("warpColumns", MatrixTile.warpColumns), ("items", MatrixTile.items), ("stages", tile.stages),
      ("leftWords", tile.rows * MatrixTile.stepWordCount), ("rightWords", tile.columns * MatrixTile.stepWordCount),
      ("depth", MatrixTile.stepWordCount * 4 / type.byteCount),
    ] {
      self[name] = String(value)
    }
    self["dtype"] = type.description
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
    if copy.isTransposed {
      part["across"] = "element % \(extent / 8) * 8"
      part["along"] = "element / \(extent / 8)"
      part["place"] = "along * \(extent / 8) + (across / 8 ^ along % 8)"
    } else {
      part["across"] = copy.isAlong ? "element / 4" : "element % \(extent)"
      part["along"] = copy.isAlong ? "element % 4 * \(copy.chunk)" : "element / \(extent) * \(copy.chunk)"
      part["place"] = "across * 4 + (along / \(copy.chunk) ^ across / 2 % 4)"
    }
    // Copies of single elements take many registers if the loop over chunks is unrolled.
    part["unroll"] = copy.isAsynchronous ? "UNROLL" : "NO_UNROLL"
    part["COPY"] = copy.text
    self["COPY\(isLeft ? "LEFT" : "RIGHT")"] = part.with(file: "matmul/matrix_copy.cl").text
    let registers = isLeft ? "a" : "b[j]"
    self["LOAD\(isLeft ? "LEFT" : "RIGHT")"] =
      copy.isTransposed
      ? """
      const int at = k * 16 + lane / 16 * 8 + lane % 8;
      LOAD_MATRIX_TRANSPOSED(\(registers), \(copy.side.rawValue) + (at * \(extent / 8) + (line / 8 ^ lane % 8)) * 4);
      """
      : """
      const int at = line + lane % 8;
      LOAD_MATRIX(\(registers), \(copy.side.rawValue) + (at * 4 + ((k * 2 + lane / 16) ^ at / 2 % 4)) * 4);
      """
  }
}

extension PlanLowering {
  /// Whether matrix units compute the product: if the device has them, for factors that are `float16` or `bfloat16`, or
  /// `float32` numbers rounded to these types, with `float32` sums; and for `int8` factors with `int32` sums.
  func usesMatrixUnits(_ step: Matmul) -> Bool {
    target.hasMatrixUnits && [.float16, .bfloat16, .int8].contains(step.factorDtype)
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
      // The device computes the tiles in rounds, two tiles per compute unit and round. An element that is loaded takes
      // the time of about 64 multiply-adds.
      let count = batch * ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns)
      return ceilDivide(count, 2 * units) * (tile.rows * tile.columns + 64 * (tile.rows + tile.columns))
    }
  }

  /// Lowers a product to a kernel for matrix units.
  mutating func lowerMatrix(_ step: Matmul) {
    let (left, right) = factors(of: step)
    let tile = chooseMatrixTile(
      "matmul \(step.dtype) \(left.order)\(right.order) b\(Self.sizeClass(step.batch.elementCount))",
      batch: step.batch.elementCount, rows: step.m, columns: step.n, depth: step.k)
    var builder = KernelBuilder(family: "matmul_matrix", target: target, isLarge: isLarge(step, left, right))
    var template = KernelTemplate(tile, step.factorDtype, &builder)
    let groups = fillProduct(step, left, right, rows: tile.rows, columns: tile.columns, &template, &builder) {
      (a, b, template, builder) in
      for (side, matrix, pointer) in [(KernelTemplate.Side.left, left, a), (.right, right, b)] {
        template.insert(Self.copy(side, matrix, pointer, step, template, &builder), of: tile)
      }
    }
    builder.append(template)
    launch(builder, groups: groups, localSize: MatrixTile.items)
  }

  /// The copy of a factor of a product.
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
    let isTransposed = !isAlong && chunk == 8
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
