import ApusDevice
import ApusSystem

/// The tile of a product that a GPU work-group computes, see `Kernels/matmul/tiled.cl`.
struct GroupTile: KernelShape {
  /// The rows and columns of the group's results, and the number of terms along the inner dimension that are in local
  /// memory at a time.
  let rows, columns, depth: Int
  /// The rows and columns of a work-item's results. The results consist of blocks of 4 × 4.
  let itemRows, itemColumns: Int

  init(_ rows: Int, _ columns: Int, _ itemRows: Int, _ itemColumns: Int, depth: Int = 16) {
    (self.rows, self.columns, self.depth) = (rows, columns, depth)
    (self.itemRows, self.itemColumns) = (itemRows, itemColumns)
  }

  var description: String { "\(rows)x\(columns)x\(depth)/\(itemRows)x\(itemColumns)" }

  var items: Int { rows / itemRows * (columns / itemColumns) }

  /// Returns the local memory of a group in bytes, for elements of `byteCount` bytes.
  func localByteCount(_ byteCount: Int) -> Int { depth * (rows + columns + 8) * byteCount }

  /// The number of elements that a work-item loads in a step from the larger of the two factors' tiles.
  var loadCount: Int { depth * max(rows, columns) / items }

  /// The tiles to choose from. All work-items of a group load the same number of elements of each factor, even if they
  /// load four at a time.
  static let all = [
    GroupTile(32, 32, 4, 4), GroupTile(64, 64, 8, 8), GroupTile(128, 128, 8, 8), GroupTile(64, 64, 4, 4),
    GroupTile(128, 64, 8, 8), GroupTile(64, 128, 8, 8), GroupTile(128, 128, 8, 8, depth: 8), GroupTile(32, 128, 4, 8),
    GroupTile(128, 32, 8, 4), GroupTile(64, 64, 8, 8, depth: 8),
  ]
}

extension PlanLowering {
  /// Chooses the tile for `batch` products of `rows` × `columns` results each. Large tiles read fewer elements per
  /// result; small tiles compute fewer results past the edges and occupy more compute units.
  ///
  /// With CUDA, a work-item loads at most 8 elements of a factor in a step: with more, some compilers spill registers.
  mutating func chooseTile(
    _ family: @autoclosure () -> String, batch: Int, rows: Int, columns: Int, depth: Int, lane: Lane
  ) -> GroupTile {
    let target = target
    let byteCount = lane.dtype.byteCount
    let hasFewLoads = target.dialect == .cuda
    let fitting = GroupTile.all.filter {
      $0.items <= target.largestGroup && $0.localByteCount(byteCount) <= target.localByteCount
        && ($0.loadCount <= 8 || !hasFewLoads)
    }
    func count(_ tile: GroupTile) -> Int {
      batch * ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns)
    }
    let defaults = fitting.filter { tile in
      switch (tile.description, target.vendor) {
      case ("32x32x16/4x4", _): rows <= 32 || columns <= 32
      case ("64x64x16/8x8", _): true
      case ("64x64x8/8x8", _): hasFewLoads
      // Work-items of Intel's GPUs have registers for few results and gain little from local memory.
      case ("128x128x16/8x8", let vendor): vendor != .intel && min(rows, columns) >= 128
      default: false
      }
    }
    return choose(
      "\(family()) m\(Self.sizeClass(rows)) n\(Self.sizeClass(columns)) k\(Self.sizeClass(depth))",
      among: defaults.isEmpty ? [fitting.first ?? GroupTile.all[0]] : defaults, or: fitting
    ) { tile in
      // The device computes the tiles in rounds, two tiles per compute unit and round. The cost of a tile, for one term
      // along the inner dimension, is its multiply-adds plus 8 for each element that it loads.
      let rounds = ceilDivide(count(tile), 2 * target.computeUnits)
      return rounds * (tile.rows * tile.columns + 8 * (tile.rows + tile.columns))
    }
  }
}

extension KernelTemplate {
  /// A factor of a product that is computed in tiles.
  enum Side: String {
    case left, right

    fileprivate var title: String { self == .left ? "Left" : "Right" }
  }

  /// Creates the template of a product that is computed in tiles, with the factors in local memory.
  init(_ tile: GroupTile, _ lane: Lane, _ builder: inout KernelBuilder) {
    self.init("matmul/tiled.cl", lane, builder)
    builder.localArray("left", of: lane, count: tile.depth * (tile.rows + 4))
    builder.localArray("right", of: lane, count: tile.depth * (tile.columns + 4))
    builder.begin("const int count = 1;")
    for (name, value) in [
      ("tileRows", tile.rows), ("tileColumns", tile.columns), ("itemRows", tile.itemRows),
      ("itemColumns", tile.itemColumns), ("items", tile.items), ("step", tile.depth),
      ("rowPitch", tile.rows / tile.itemRows * 4), ("columnPitch", tile.columns / tile.itemColumns * 4),
    ] {
      self[name] = String(value)
    }
  }

  /// Inserts the code that copies a factor to local memory. With `alongDepth`, neighboring work-items read neighboring
  /// terms of one row of the left factor, or of one column of the right factor. Without it, they read one term of
  /// neighboring rows or columns.
  /// - Parameters:
  ///   - quad: the number of elements per load, 4 or 1. Either all of these elements are inside the matrix, or none is.
  ///   - load: returns code that loads `quad` elements into the given register and the registers after it. The elements
  ///     begin at term `depth` of the left factor's `row` or of the right factor's `column`.
  mutating func fetch(
    _ side: Side, of tile: GroupTile, alongDepth: Bool, quad: Int, load: (String) -> String
  ) {
    let extent = side == .left ? tile.rows : tile.columns
    let next = "next\(side.title)"
    let pieces = tile.depth * extent / quad / tile.items
    let inner = (alongDepth ? tile.depth : extent) / quad
    let (near, far) = ("element % \(inner) * \(quad)", "element / \(inner)")
    var part = self
    for (name, value) in [
      ("side", side.rawValue), ("next", next), ("pieces", String(pieces)), ("quad", String(quad)),
      ("extent", String(extent)), ("along", alongDepth ? near : far), ("across", alongDepth ? far : near),
      ("quadAlong", alongDepth ? "1" : "0"), ("quadAcross", alongDepth ? "0" : "1"),
      ("line", side == .left ? "row" : "column"), ("lines", self[side == .left ? "rows" : "columns"]!),
      ("tileLine", side == .left ? "tileRow" : "tileColumn"), ("LOAD", load("\(next)[piece * \(quad)")),
    ] {
      part[name] = value
    }
    self["\(side.rawValue)Count"] = String(pieces * quad)
    self["FETCH\(side.title.uppercased())"] = part.with(file: "matmul/tile_fetch.cl").text
    self["STORE\(side.title.uppercased())"] = part.with(file: "matmul/tile_store.cl").text
  }
}
