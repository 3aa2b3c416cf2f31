import ApusDevice
import ApusSystem

/// The tile of a product whose sums a CPU work-item keeps in registers: `rows` rows × `vectors` vector registers of
/// columns.
struct VectorTile: KernelShape {
  let rows, vectors: Int

  init(_ rows: Int, _ vectors: Int) { (self.rows, self.vectors) = (rows, vectors) }

  var description: String { "\(rows)x\(vectors)" }

  /// The maximum number of tiles whose sums a work-item keeps in private memory from one block of terms to the next.
  static let mostKept = 64

  /// Returns the number of vectors for an arithmetic type (lane): half of `vectors` for 8-byte elements, which fill
  /// twice as many registers as 4-byte elements.
  func vectors(of lane: Lane) -> Int { lane.dtype.byteCount == 8 ? max(1, vectors / 2) : vectors }

  /// Whether `n` columns fill whole panels of `vectors` registers, each of `width` elements. The last register may
  /// extend past the end of the row, because each buffer ends with padding for one register.
  static func arePanelsWhole(n: Int, vectors: Int, width: Int) -> Bool { ceilDivide(n, width) % vectors == 0 }

  /// A right factor with fewer elements is small. Three choices require a factor that is not small: dot products;
  /// panels that each work-item packs from a column-major factor; and, for products of fewer than 512 rows on cores
  /// with 32 kernel registers, a tile that depends on the number of rows (see `defaults`).
  static let smallFactor = 1 << 16

  /// Returns the tiles that tuning measures for products of `m` rows.
  static func candidates(m: Int, registers: Int) -> [VectorTile] {
    let wide =
      m >= 48
      ? [(12, 2), (14, 2), (10, 2), (8, 3), (9, 3), (6, 4), (12, 1), (8, 2)]
      : [(8, 3), (8, 2), (8, 1), (6, 4), (4, 4), (2, 8), (1, 8)]
    let narrow = [(6, 1), (4, 1), (3, 2), (2, 2), (1, 4)]
    // In addition to the sums, registers hold one row of the panel and one broadcast element of the left factor.
    return (registers >= 32 ? wide : registers >= 8 ? narrow : [(2, 1), (1, 1)])
      .map { VectorTile($0.0, $0.1) }.filter { $0.rows < 2 * m }
  }

  /// Returns the tiles among which the cost model chooses. Only four cases of `m` are distinguished (one row, at most 4
  /// rows, fewer than 512, or more), so that different batch sizes share kernels. With 32 registers, all products of
  /// fewer than 512 rows with a small right factor have the same tile.
  static func defaults(m: Int, factor: Int, isInPlace: Bool, registers: Int) -> [VectorTile] {
    let wide =
      switch m {
      case ..<512 where factor < smallFactor: [(8, 2)]
      case ...1: [(1, 8)]
      case ...4: [(4, 4)]
      case ..<512: isInPlace ? [(6, 4), (8, 3), (8, 2), (8, 1)] : [(8, 3), (8, 2), (8, 1)]
      default: [(12, 2), (8, 3), (6, 4), (12, 1)]
      }
    let narrow = m <= 1 ? [(1, 4)] : m <= 4 ? [(4, 1)] : [(6, 1), (4, 1)]
    return (registers >= 32 ? wide : registers >= 8 ? narrow : [(1, 1)]).map { VectorTile($0.0, $0.1) }
  }
}

extension PlanLowering {
  /// Chooses the tile of a product of `m` × `n` results, each a sum of `terms` terms. The cost of a tile includes the
  /// columns of the last panel that are past column `n`.
  mutating func chooseTile(
    _ family: @autoclosure () -> String, m: Int, n: Int, terms: Int, canReadInPlace: Bool = false
  ) -> VectorTile {
    let (width, registers) = (width, target.registerCount)
    return choose(
      "\(family()) m\(Self.sizeClass(m)) n\(Self.sizeClass(n)) k\(Self.sizeClass(terms))",
      among: VectorTile.defaults(m: m, factor: n * terms, isInPlace: canReadInPlace, registers: registers),
      or: VectorTile.candidates(m: m, registers: registers)
    ) { tile in
      let panel = tile.vectors * width
      // The cost includes the loads for each term: one element per row, and the vectors of the panel.
      let products =
        ceilDivide(n, panel) * (10 * tile.rows * tile.vectors + tile.rows + tile.vectors) / tile.rows
      // Only whole panels are read in place. The wider such panels are, the longer the contiguous runs that are read.
      // Otherwise, the right factor is packed, and the rows share this cost.
      let isInPlace = canReadInPlace && VectorTile.arePanelsWhole(n: n, vectors: tile.vectors, width: width)
      return products + (isInPlace ? 20 * ((n - 1) / panel) : 400 * n / m)
    }
  }
}

/// How a product is split into tiles and work-items for `Kernels/matmul/vector.cl`.
struct VectorTiling {
  /// The sizes of the product: rows, columns, segments, and terms per segment. A segment is a part of the inner
  /// dimension: a range of terms of a matrix product, or a tap of a convolution.
  let m, n, segments, terms: Int
  /// The rows, vector registers and columns of a tile.
  let rows, vectors, width: Int
  /// The number of segments in a block. A work-item adds the terms of a block to the sums of all its tiles before it
  /// reads the next block.
  var segmentsPerBlock: Int
  private(set) var tilesPerItem = 1
  private(set) var panelsPerItem = 1

  /// The number of bytes of the left factor that are assumed to stay in the L2 cache until the next panel reads them.
  static let heldBytes = 1 << 20

  /// The maximum size in bytes of a left factor that is converted before the product.
  static let convertedBytes = 16 << 20

  /// Creates a tiling with tiles of the given shape.
  init(m: Int, n: Int, segments: Int, terms: Int, tile: VectorTile, lane: Lane, registerWidth: Int) {
    (self.m, self.n, self.segments, self.terms) = (m, n, segments, terms)
    rows = tile.rows
    vectors = tile.vectors(of: lane)
    width = vectors * registerWidth
    segmentsPerBlock = max(1, segments)
  }

  /// Creates the tiling of another product with the tile of `model`, so that its panels have the same width.
  init(m: Int, n: Int, segments: Int, terms: Int, like model: VectorTiling) {
    (self.m, self.n, self.segments, self.terms) = (m, n, segments, terms)
    (rows, vectors, width) = (model.rows, model.vectors, model.width)
    segmentsPerBlock = max(1, segments)
  }

  var tiles: Int { ceilDivide(m, rows) }
  var panels: Int { ceilDivide(n, width) }
  var chunks: Int { ceilDivide(tiles, tilesPerItem) }
  var parts: Int { ceilDivide(panels, panelsPerItem) }

  /// Distributes tiles to work-items in chunks. A chunk is as large as the caches allow, but not so large that there
  /// are too few chunks for the cores. If terms are read in several blocks, chunks are larger, because adjacent tiles
  /// share cache lines.
  /// - Parameters:
  ///   - bytesPerTile: the bytes of the left factor that a tile reads per block.
  ///   - enough: with this number of work-items, all cores are busy. While there are fewer work-items and each has more
  ///     than a million operations, a work-item gets fewer panels or, with one panel, fewer tiles. If terms are read in
  ///     several blocks, it gets fewer tiles only while there are fewer than 4 work-items.
  mutating func deal(batch: Int, bytesPerTile: Int, enough: Int) {
    let isBlocked = segmentsPerBlock < segments
    tilesPerItem = max(1, min(tiles, isBlocked ? 32 : 12, Self.heldBytes / max(1, bytesPerTile)))
    panelsPerItem = max(1, min(panels, isBlocked ? VectorTile.mostKept / tilesPerItem : 16))
    let flops = 2 * rows * width * max(segments * terms, 1)
    while flops * tilesPerItem * panelsPerItem > 1_000_000 {
      let items = batch * chunks * parts
      if panelsPerItem > 1, items < enough {
        panelsPerItem = ceilDivide(panelsPerItem, 2)
      } else if tilesPerItem > 1, items < (isBlocked ? 4 : enough) {
        tilesPerItem = ceilDivide(tilesPerItem, 2)
      } else {
        break
      }
    }
  }

  /// Gives each work-item one panel, which it packs, and as many tiles as the L2 cache holds. While there are fewer
  /// than `enough` work-items, each gets fewer tiles, but at least about 64 rows, because each work-item of a panel
  /// packs the panel again.
  mutating func dealPanels(batch: Int, bytesPerTile: Int, enough: Int) {
    let most = max(1, min(tiles, VectorTile.mostKept, Self.heldBytes / max(1, bytesPerTile)))
    var chunks = ceilDivide(tiles, most)
    while batch * chunks * parts < enough, tiles * rows / (chunks + 1) >= 64 { chunks += 1 }
    panelsPerItem = 1
    tilesPerItem = ceilDivide(tiles, chunks)
  }
}

extension KernelTemplate {
  /// Creates the template of a product that is computed in tiles, with the sums in registers. Fills in the pointers and
  /// types of the factors, and the numbers of the tiling; the caller fills in the strides, offsets and code.
  init(
    _ tiling: VectorTiling, _ lane: Lane, left: (dtype: DType, slot: Int), right: (dtype: DType, slot: Int),
    _ builder: inout KernelBuilder
  ) {
    self.init("matmul/vector.cl", lane, builder)
    self["A"] = builder.pointer(left.dtype.storage, slot: left.slot)
    self["B"] = builder.pointer(right.dtype.storage, slot: right.slot)
    self["leftT"] = left.dtype.storage
    self["rightT"] = right.dtype.storage
    self["leftDtype"] = left.dtype.description
    self["rightDtype"] = right.dtype.description
    self["tileRows"] = String(tiling.rows)
    self["vectors"] = String(tiling.vectors)
    self["stageTiles"] = String(VectorTile.mostKept)
    for (name, value) in [
      ("chunks", tiling.chunks), ("parts", tiling.parts), ("panels", tiling.panels), ("tiles", tiling.tiles),
      ("tilesPerItem", tiling.tilesPerItem), ("panelsPerItem", tiling.panelsPerItem), ("rows", tiling.m),
      ("columns", tiling.n), ("segments", tiling.segments), ("terms", tiling.terms),
      ("segmentsPerBlock", tiling.segmentsPerBlock),
    ] {
      self[name] = builder.number(value)
    }
  }

  /// Fills in where the kernel reads the rows of a panel: in global memory or, with `packedTerms`, in a private array.
  /// The work-item packs each block of at most `packedTerms` terms into that array, from contiguous rows or columns.
  mutating func fillRight(packedTerms: Int?, packsRows: Bool = false) {
    guard let packedTerms, let lane = self["T"], let vectors = self["vectors"] else {
      (self["PACKED"], self["PACK"]) = ("", "")
      self["RIGHT"] = with(file: "matmul/right.cl").text
      return
    }
    self["PACKED"] = "PRIVATE_ARRAY(\(lane), packed, \(packedTerms) * \(vectors) * WIDTH);"
    self["PACK"] = with(file: packsRows ? "matmul/pack_panel_rows.cl" : "matmul/pack_panel.cl").text
    self["RIGHT"] = "const \(lane) *row = packed;"
    self["RIGHTPART"] = "VLOAD(row + v * WIDTH)"
  }

  /// Fills in the loop over the terms of a segment.
  /// - Parameter dtype: the element type of the left factor. If it is not the arithmetic type (lane), the loop converts
  ///   the elements.
  mutating func fillTerms(of dtype: DType) {
    self["RIGHTPART"] = self["RIGHTPART"] ?? "LOAD_\(self["rightDtype"]!)(row, v * WIDTH, WIDTH)"
    let isAlongRow = self["kStride"] == "1"
    guard dtype == dtype.lane.dtype else {
      self["factor"] = isAlongRow ? "factors[m * WIDTH + k]" : "factors[m]"
      self["TERM"] = with(file: "matmul/term.cl").text
      self["TERMS"] = with(file: isAlongRow ? "matmul/terms_along.cl" : "matmul/terms_across.cl").text
      return
    }
    self["factor"] = "column[m]"
    self["COLUMNTERM"] = with(file: "matmul/term.cl").text
    self["factor"] = "left[m][k * \(self["kStride"]!)]"
    self["TERM"] = with(file: "matmul/term.cl").text
    let isColumn = self["rowStride"] == "1" && !isAlongRow
    self["TERMS"] = with(file: isColumn ? "matmul/terms_columns.cl" : "matmul/terms.cl").text
  }
}

/// How CPU work-items read the factors of a product.
private struct FactorAccess {
  /// Whether panels of the right factor may be read in place, and whether each work-item packs the panels that it
  /// reads.
  let readsInPlace, packsInItem: Bool
  /// Whether rows or columns of the left factor lie at distances at which they evict each other from a cache; see
  /// `conflictDistance`.
  let isCrowded: Bool
  let isLeftPacked: Bool
  /// The number of terms in a block. A work-item adds these terms to the sums of all its tiles before it reads the next
  /// block.
  let block: Int

  /// The maximum number of terms of a panel that a work-item packs at a time. More terms would not fit the private
  /// memory of every OpenCL runtime; with fewer, the rows of the left factor would be read in runs too short to
  /// prefetch.
  static let packedTerms = 512

  /// Returns a distance in bytes. Rows or columns of a factor at a multiple of this distance map to so few cache sets
  /// that they evict each other. A page of 4096 bytes is such a distance. With few registers, tiles are small, and most
  /// panels are one cache line wide, so the same cache lines of a factor are read many times. Then 512 bytes are such a
  /// distance, too. On Zen 3, a product of 512x512x512 reaches 87 GFLOP/s with factors in place and 126 with packed
  /// factors.
  static func conflictDistance(_ hasFewRegisters: Bool) -> Int { hasFewRegisters ? 512 : 4096 }

  init(_ step: Matmul, _ left: Matrix, _ right: Matrix, width: Int, isConvertedAhead: Bool, hasFewRegisters: Bool) {
    // A right factor is read in place in two cases. If the product has at most 48 rows, each panel is read only a few
    // times, so packing takes longer than it saves. If the rows of the right factor are short, the elements of a panel
    // are close together in memory, as in a packed panel.
    readsInPlace = right.columnStride == 1 && (step.m <= 48 || right.rowStride <= 4 * width)
    // A work-item packs its own panels in two cases. The first: the product has at most 96 rows, and the right factor
    // is large. Each panel is then read only a few times, so a separate kernel that writes the panels to memory would
    // be much of the work. The second: the right factor is column-major, and neither the factor nor the number of rows
    // or columns of the product is small.
    let isLarge = step.n >= 256 && step.n * step.k >= 1 << 18
    packsInItem =
      (right.rowStride == 1) != (right.columnStride == 1) && !readsInPlace
      && (step.m <= 96 && isLarge
        || right.rowStride == 1 && min(step.m, step.n) >= 48 && step.n * step.k >= VectorTile.smallFactor)
    let isInRows = left.columnStride == 1
    // At least 1024 bytes: a left factor whose columns are 512 bytes apart has few rows, and stays in the L2 cache
    // anyway.
    let distance = max(1024, Self.conflictDistance(hasFewRegisters))
    isCrowded = (isInRows ? left.rowStride : left.columnStride) * step.dtype.byteCount % distance == 0 && step.k > 384
    // With few registers, panels are narrow, so more panels read the left factor, and packing it pays off from 256
    // columns on.
    isLeftPacked = !isInRows && isCrowded && step.n >= (hasFewRegisters ? 256 : 1024) || isConvertedAhead
    if packsInItem {
      block = min(Self.packedTerms, step.k)
    } else if step.k > 384, !isInRows && !isLeftPacked || readsInPlace && step.n > width {
      // With small blocks, neighboring tiles share the cache lines of a left factor in column-major order, and
      // neighboring panels share the cache lines of a right factor that is read in place. A single panel has no
      // neighbors.
      block = step.m == 1 ? 32 : 256
    } else {
      block = min(2048, step.k)
    }
  }

  /// Returns a tile with at most eight rows, if rows or columns of an unpacked left factor evict each other. On most
  /// cores, a set of an L1 cache has at least eight ways.
  func narrowed(_ tile: VectorTile) -> VectorTile {
    isCrowded && !isLeftPacked ? VectorTile(min(tile.rows, 8), tile.vectors) : tile
  }
}

extension PlanLowering {
  /// Lowers a product to tiles whose sums are in registers or, for few rows and a column-major matrix, to dot products.
  ///
  /// - Parameter keepsSums: whether the sums are written to the start of the workspace, contiguous, without the
  ///   epilogue.
  mutating func lowerVector(_ step: Matmul, keepsSums: Bool = false) {
    let lane = step.dtype.lane
    let rank = step.batch.rank
    var left = Matrix(step.a, location(step.a), rank: rank)
    var right = Matrix(step.b, location(step.b), rank: rank)
    let isDot = left.columnStride == 1 && right.rowStride == 1 && right.columnStride != 1
    if isDot, !keepsSums, step.m <= 8, step.k >= 2 * width, step.n * step.k >= VectorTile.smallFactor {
      return lowerDot(step, left, right)
    }
    let isConverted = lane.dtype != step.dtype
    let access = FactorAccess(
      step, left, right, width: width, isConvertedAhead: isConverted && isConvertedAhead(step),
      hasFewRegisters: hasFewRegisters)
    var workspace = 0
    if keepsSums {
      workspace = roundUp(step.batch.elementCount * step.m * step.n * lane.dtype.byteCount, toMultipleOf: 256)
    }
    if access.isLeftPacked { left = packRows(of: left, step, &workspace) }
    let tiling = tiling(of: step, left, right, access)
    let isSmall =
      step.k * tiling.width * step.dtype.byteCount <= 1 << 17
      && right.rowStride * step.dtype.byteCount % FactorAccess.conflictDistance(hasFewRegisters) != 0
    let staysInPlace = access.readsInPlace || isSmall && right.columnStride == 1 && !isConverted
    let areWhole = VectorTile.arePanelsWhole(n: step.n, vectors: tiling.vectors, width: width)
    let isPacked = !access.packsInItem && !(staysInPlace && areWhole)
    if isPacked {
      right = pack(
        right, step.dtype, batch: step.batch, rows: step.k, columns: step.n, panel: tiling.width, &workspace)
    }
    needWorkspace(workspace)

    // Packing converts factors to the arithmetic type (lane).
    let leftDtype = access.isLeftPacked ? lane.dtype : step.dtype
    var builder = KernelBuilder(family: "matmul_vector", target: target, isLarge: true)
    var template = KernelTemplate(
      tiling, lane, left: (leftDtype, left.slot), right: (isPacked ? lane.dtype : step.dtype, right.slot), &builder)
    template["depth"] = builder.number(step.k)
    template["panelStride"] = builder.number(isPacked ? step.k * tiling.width : tiling.width)
    // One of the strides of the left factor is 1. A literal tells the compiler which one.
    template["rowStride"] = left.columnStride == 1 ? builder.number(left.rowStride) : "1"
    template["kStride"] = left.columnStride == 1 ? "1" : builder.number(left.columnStride)
    template["bStride"] = builder.number(access.packsInItem ? tiling.width : right.rowStride)
    if access.packsInItem {
      template["lineStride"] = builder.number(right.columnStride == 1 ? right.rowStride : right.columnStride)
    }
    batchOffsets(left, right, step.batch, &template, &builder)
    template["TILE"] = ""
    template["LEFT"] = template.with(file: "matmul/segment.cl").text
    template.fillRight(
      packedTerms: access.packsInItem ? FactorAccess.packedTerms : nil, packsRows: right.columnStride == 1)
    template.fillTerms(of: leftDtype)
    template["OUTPUT"] = "const \(builder.index) output = batch * \(template["rows"]!) + first + m;"
    if keepsSums { storeSums(lane, &template, &builder) } else { epilogue(step, &template, &builder) }
    builder.append(template)
    launch(
      builder, groups: step.batch.elementCount * tiling.parts * tiling.chunks)
  }

  /// Whether fewer than 32 kernel registers, of 16 elements of 32 bits each, fit into the vector registers of a core.
  /// With AVX-512, 32 fit.
  private var hasFewRegisters: Bool { target.registerCount < 32 }

  /// Copies the left factor to the workspace with contiguous rows, which are padded so that neighboring rows map to
  /// different cache sets.
  private mutating func packRows(of left: Matrix, _ step: Matmul, _ workspace: inout Int) -> Matrix {
    var padded = max(width, roundUp(step.k, toMultipleOf: width))
    let distance = min(1024, FactorAccess.conflictDistance(hasFewRegisters))
    if padded * step.dtype.lane.dtype.byteCount % distance == 0 { padded += width }
    return pack(left, step.dtype, batch: step.batch, rows: step.m, columns: step.k, panel: padded, &workspace)
  }

  /// Fills in the stores of a kernel without an epilogue: sums go to the beginning of the workspace.
  private func storeSums(_ lane: Lane, _ template: inout KernelTemplate, _ builder: inout KernelBuilder) {
    let sums = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["ROW"] = ""
    template["EPILOGUE"] = "STORE_\(lane.dtype)(\(sums), output * \(template["columns"]!) + column, count, core);"
  }

  /// Returns the tiling of a product, distributed to work-items.
  private mutating func tiling(
    of step: Matmul, _ left: Matrix, _ right: Matrix, _ access: FactorAccess
  ) -> VectorTiling {
    let count = step.batch.elementCount
    let tile = chooseTile(
      "matmul \(step.dtype) \(left.order)\(right.order) b\(Self.sizeClass(count))",
      m: step.m, n: step.n, terms: step.k, canReadInPlace: access.readsInPlace)
    let segments = access.block == 0 ? 0 : ceilDivide(step.k, access.block)
    var tiling = VectorTiling(
      m: step.m, n: step.n, segments: segments, terms: access.block, tile: access.narrowed(narrowed(tile, for: step)),
      lane: step.dtype.lane, registerWidth: width)
    tiling.segmentsPerBlock = 1
    let bytesPerTile = tiling.rows * access.block * step.dtype.byteCount
    if access.packsInItem {
      tiling.dealPanels(batch: count, bytesPerTile: bytesPerTile, enough: target.enoughPackingItems)
      return tiling
    }
    // The time of a product with one row is the time to read the right factor. Few work-items read it fastest, because
    // each one then reads long runs of memory.
    tiling.deal(
      batch: count, bytesPerTile: bytesPerTile,
      enough: step.m == 1 ? 2 * target.computeUnits : target.enoughItems)
    return tiling
  }

  /// If the packed right factor is large, returns a tile that is no wider than the product, so that padding does not
  /// multiply the size of the packed factor.
  private func narrowed(_ tile: VectorTile, for step: Matmul) -> VectorTile {
    let panelBytes = step.batch.elementCount * step.k * step.dtype.byteCount * tile.vectors * width
    guard panelBytes > 1 << 20 else { return tile }
    let registers = ceilDivide(step.n, width)
    let vectors = step.dtype.lane.dtype.byteCount == 8 ? 2 * registers : registers
    return VectorTile(tile.rows, min(tile.vectors, vectors))
  }

  /// Whether the left factor is converted before the product: many panels read it, and it is small enough. Otherwise,
  /// its elements are converted when they are read, by packing or by the product.
  private func isConvertedAhead(_ step: Matmul) -> Bool {
    let bytes = step.batch.elementCount * step.m * step.k * step.dtype.lane.dtype.byteCount
    return step.m > 8 && step.n >= 512 && bytes <= VectorTiling.convertedBytes
  }

  /// Lowers a product of a few rows and a column-major matrix: dot products of contiguous vectors.
  private mutating func lowerDot(_ step: Matmul, _ left: Matrix, _ right: Matrix) {
    let lane = step.dtype.lane
    let vectors = ceilDivide(step.n, width)
    // A work-item reads about 16,000 elements of the right factor, or fewer so that there are at least eight
    // work-items.
    let spread = max(1, vectors * step.batch.elementCount / 8)
    let vectorsPerItem = max(1, min(spread, 16384 / (step.k * width)))
    let chunks = ceilDivide(vectors, vectorsPerItem)

    var builder = KernelBuilder(family: "matmul_dot", target: target, isLarge: true)
    var template = KernelTemplate("matmul/dot.cl", lane, builder)
    template["A"] = builder.pointer(step.dtype.storage, slot: left.slot)
    template["B"] = builder.pointer(step.dtype.storage, slot: right.slot)
    template["dtype"] = step.dtype.description
    for (name, value) in [
      ("chunks", chunks), ("vectorsPerItem", vectorsPerItem), ("vectors", vectors), ("rows", step.m),
      ("columns", step.n), ("depth", step.k), ("rowStride", left.rowStride), ("columnStride", right.columnStride),
    ] {
      template[name] = builder.number(value)
    }
    batchOffsets(left, right, step.batch, &template, &builder)
    epilogue(step, &template, &builder)
    builder.append(template)
    launch(
      builder, groups: step.batch.elementCount * chunks)
  }
}
