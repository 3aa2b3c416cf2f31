import ApusDevice

/// The output tile that a work-group computes with asynchronous copies, see `Kernels/matmul/matrix.cl`.
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

  /// The tiles to choose from, for matrix units (tensor cores).
  static let all = [
    MatrixTile(128, 128, stages: 3), MatrixTile(64, 64, stages: 4), MatrixTile(128, 64, stages: 4),
    MatrixTile(64, 128, stages: 4), MatrixTile(128, 128, stages: 4),
    MatrixTile(256, 128, stages: 3, warpRows: 4, warpColumns: 2),
    MatrixTile(128, 256, stages: 3, warpRows: 2, warpColumns: 4), MatrixTile(128, 128, stages: 2),
    MatrixTile(64, 64, stages: 3),
  ]

  /// The tiles to choose from, for `MatrixFormat.float32`.
  static let simt = [
    MatrixTile(128, 128, stages: 3, warpRows: 2, warpColumns: 4), MatrixTile(64, 64, stages: 4),
    MatrixTile(128, 64, stages: 3), MatrixTile(64, 128, stages: 3, warpRows: 1, warpColumns: 4),
    MatrixTile(32, 32, stages: 4, warpRows: 1, warpColumns: 1),
    MatrixTile(128, 128, stages: 2, warpRows: 2, warpColumns: 4),
    MatrixTile(128, 128, stages: 4, warpRows: 2, warpColumns: 4),
  ]
}

/// How the factors of a product are multiplied: with matrix units or, as `float32`, with multiply-adds.
enum MatrixFormat: String {
  case float16, bfloat16, int8
  /// `float32` factors that are not rounded. No matrix unit computes their products, so the work-items do (SIMT). Each
  /// sum is one chain of multiply-adds.
  case float32
  /// `float32` factors, rounded to TF32.
  case tf32
  /// `float32` factors, each split into two TF32 numbers.
  case tf32x3

  /// The format in which factors of a type are multiplied; `nil` if `Kernels/matmul/matrix.cl` cannot multiply them.
  /// - Parameter dtype: the type to which the factors are rounded.
  init?(_ dtype: DType, _ inputPrecision: InputPrecision) {
    switch (dtype, inputPrecision) {
    case (.float16, _): self = .float16
    case (.bfloat16, _): self = .bfloat16
    case (.int8, _): self = .int8
    case (.float32, .float32): self = .float32
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
    case .float32, .tf32, .tf32x3: .float32
    }
  }

  /// The name of the kernels: `matrix` for matrix units, otherwise `simt`.
  var kernelName: String { self == .float32 ? "simt" : "matrix" }

  /// The number of elements in a chunk of 16 bytes.
  var chunk: Int { 16 / dtype.byteCount }
}

extension KernelTemplate {
  /// Creates the template of a product.
  init(_ tile: MatrixTile, _ format: MatrixFormat, _ builder: inout KernelBuilder) {
    builder.localArray("tiles", type: "u32", byteCount: 4, count: tile.localWordCount)
    builder.begin("const int count = 1;")
    self.init("matmul/matrix.cl", format.dtype.lane, builder)
    let (itemRows, itemColumns) = (tile.rows / tile.warpRows, tile.columns / tile.warpColumns)
    for (name, value) in [
      ("tileRows", tile.rows), ("tileColumns", tile.columns), ("itemRows", itemRows), ("itemColumns", itemColumns),
      ("warpRows", tile.warpRows), ("warpColumns", tile.warpColumns), ("items", tile.items), ("stages", tile.stages),
      ("leftWords", tile.rows * MatrixTile.stepWordCount), ("rightWords", tile.columns * MatrixTile.stepWordCount),
      ("depth", MatrixTile.stepWordCount * 4 / format.dtype.byteCount), ("sumCount", itemRows * itemColumns / 32),
    ] {
      self[name] = String(value)
    }
  }

  /// Inserts the code that copies both factors to local memory and multiplies them.
  mutating func insert(_ left: MatrixCopy, _ right: MatrixCopy, of tile: MatrixTile, _ format: MatrixFormat) {
    insert(left, of: tile)
    insert(right, of: tile)
    if format == .float32 {
      insertMultiplyAdds(left, right, of: tile)
    } else {
      insertMMA(left, right, of: tile, format)
    }
  }

  /// Inserts the code that multiplies with matrix units, see `Kernels/matmul/matrix_multiply.cl`.
  private mutating func insertMMA(
    _ left: MatrixCopy, _ right: MatrixCopy, of tile: MatrixTile, _ format: MatrixFormat
  ) {
    let blocks = tile.columns / tile.warpColumns / 8
    self["sumRow"] = "s / \(4 * blocks) * 16 + s / 2 % 2 * 8 + lane / 4"
    self["sumColumn"] = "s / 4 % \(blocks) * 8 + lane % 4 * 2 + s % 2"
    var part = with(file: "matmul/matrix_multiply.cl")
    part["registers"] = format == .tf32x3 ? "8" : "4"
    part["LOADLEFT"] = left.matrixLoad(extent: tile.rows)
    part["LOADRIGHT"] = right.matrixLoad(extent: tile.columns)
    let function = format == .tf32 ? "ROUND_TF32" : format == .tf32x3 ? "SPLIT_TF32" : nil
    part["ROUNDLEFT"] = function.map { "\($0)(a);" } ?? ""
    part["ROUNDRIGHT"] = function.map { "\($0)(b[j]);" } ?? ""
    part["MMA"] =
      format == .tf32x3
      ? """
      MMA_tf32(block, a + 4, b[j / 2][j % 2], b[j / 2][j % 2 + 2]);
      MMA_tf32(block, a, b[j / 2][j % 2 + 4], b[j / 2][j % 2 + 6]);
      MMA_tf32(block, a, b[j / 2][j % 2], b[j / 2][j % 2 + 2]);
      """ : "MMA_\(format.rawValue)(block, a, b[j / 2][j % 2], b[j / 2][j % 2 + 2]);"
    self["MULTIPLY"] = part.text
  }

  /// Inserts the code that multiplies with multiply-adds, see `Kernels/matmul/simt_multiply.cl`.
  private mutating func insertMultiplyAdds(_ left: MatrixCopy, _ right: MatrixCopy, of tile: MatrixTile) {
    let (itemRows, itemColumns) = (tile.rows / tile.warpRows, tile.columns / tile.warpColumns)
    let (rowOfItem, columnOfItem) = (left.line("lane / 4", of: 8), right.line("lane % 4", of: 4))
    let columns = itemColumns / 4
    self["sumRow"] = rowOfItem("s / \(columns)")
    self["sumColumn"] = columnOfItem("s % \(columns)")
    var part = with(file: "matmul/simt_multiply.cl")
    part["LOADLEFT"] = load(left, "warpRow * \(itemRows) + ", rowOfItem, "i", "a", extent: tile.rows)
    part["LOADRIGHT"] = load(right, "warpColumn * \(itemColumns) + ", columnOfItem, "j", "b", extent: tile.columns)
    self["MULTIPLY"] = part.text
  }

  /// The code that loads four lines of a factor, from line `first` of the work-item on, see
  /// `Kernels/matmul/simt_block.cl`.
  private func load(
    _ copy: MatrixCopy, _ start: String, _ line: (String) -> String, _ first: String, _ registers: String, extent: Int
  ) -> String {
    var part = with(file: "matmul/simt_block.cl")
    part["side"] = copy.side.rawValue
    let offset = registers == "a" ? "" : "\(first) + "
    if copy.isTransposed {
      part["at"] = copy.place(line: "(\(start)\(line(first)))", term: "(chunk * 4 + q)", extent: extent)
      part["element"] = "\(registers)[\(offset)r][q]"
    } else {
      part["at"] = copy.place(line: "(\(start)\(line("(\(first) + q)")))", term: "chunk * 4", extent: extent)
      part["element"] = "\(registers)[\(offset)q][r]"
    }
    return part.text
  }

  /// Inserts the code that copies a factor to local memory.
  private mutating func insert(_ copy: MatrixCopy, of tile: MatrixTile) {
    let isLeft = copy.side == .left
    let extent = isLeft ? tile.rows : tile.columns
    var part = self
    part["side"] = copy.side.rawValue
    part["extent"] = String(extent)
    part["line"] = isLeft ? "row" : "column"
    part["tileLine"] = isLeft ? "tileRow" : "tileColumn"
    if copy.isTransposed {
      let width = extent / copy.chunk
      part["across"] = "element % \(width) * \(copy.chunk)"
      part["along"] = "element / \(width)"
    } else {
      part["across"] = copy.isAlong ? "element / 4" : "element % \(extent)"
      part["along"] = copy.isAlong ? "element % 4 * \(copy.chunk)" : "element / \(extent) * \(copy.chunk)"
    }
    part["place"] = copy.place(line: "across", term: "along", extent: extent)
    // Copies of single elements take many registers if the loop over chunks is unrolled.
    part["unroll"] = copy.isAsynchronous ? "UNROLL" : "NO_UNROLL"
    part["COPY"] = copy.text
    self["COPY\(isLeft ? "LEFT" : "RIGHT")"] = part.with(file: "matmul/matrix_copy.cl").text
  }
}
