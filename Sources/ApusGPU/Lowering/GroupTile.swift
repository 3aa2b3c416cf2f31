import ApusDevice

/// What a group of work-items of a GPU computes of a product, see `Kernels/matmul/tiled.cl`.
struct GroupTile: KernelShape {
  /// Results of the group, and the terms that it has in shared memory at a time.
  let rows, columns, depth: Int
  /// Results of a work-item, in squares of 4 × 4.
  let itemRows, itemColumns: Int

  init(_ rows: Int, _ columns: Int, _ itemRows: Int, _ itemColumns: Int, depth: Int = 16) {
    (self.rows, self.columns, self.depth) = (rows, columns, depth)
    (self.itemRows, self.itemColumns) = (itemRows, itemColumns)
  }

  var description: String { "\(rows)x\(columns)x\(depth)/\(itemRows)x\(itemColumns)" }

  var items: Int { rows / itemRows * (columns / itemColumns) }

  /// The shared memory of a group, for numbers of `byteCount` bytes.
  func localByteCount(_ byteCount: Int) -> Int { depth * (rows + columns + 8) * byteCount }

  /// Tiles of which each work-item brings as many elements as the others, also four at a time.
  static let all = [
    GroupTile(32, 32, 4, 4), GroupTile(64, 64, 8, 8), GroupTile(128, 128, 8, 8), GroupTile(64, 64, 4, 4),
    GroupTile(128, 64, 8, 8), GroupTile(64, 128, 8, 8), GroupTile(128, 128, 8, 8, depth: 8), GroupTile(32, 128, 4, 8),
    GroupTile(128, 32, 8, 4),
  ]
}

extension PlanLowering {
  /// The tile of a product of `rows` × `columns` results in `batch` places. Large tiles read less; small ones leave less
  /// of them idle, and keep more of the device busy.
  mutating func chooseTile(
    _ family: @autoclosure () -> String, batch: Int, rows: Int, columns: Int, depth: Int, lane: Lane
  ) -> GroupTile {
    let target = target
    let byteCount = lane.dtype.byteCount
    let fitting = GroupTile.all.filter {
      $0.items <= target.largestGroup && $0.localByteCount(byteCount) <= target.localByteCount
    }
    func count(_ tile: GroupTile) -> Int {
      batch * ((rows + tile.rows - 1) / tile.rows) * ((columns + tile.columns - 1) / tile.columns)
    }
    let usual = fitting.filter { tile in
      switch (tile.description, target.vendor) {
      case ("32x32x16/4x4", _): rows <= 32 || columns <= 32
      case ("64x64x16/8x8", _): true
      // Work-items of Intel's GPUs have registers for few results, and little is gained by sharing memory.
      case ("128x128x16/8x8", let vendor): vendor != .intel && min(rows, columns) >= 128
      default: false
      }
    }
    return choose(
      "\(family()) m\(Self.sizeClass(rows)) n\(Self.sizeClass(columns)) k\(Self.sizeClass(depth))",
      among: usual.isEmpty ? [fitting.first ?? GroupTile.all[0]] : usual, or: fitting
    ) { tile in
      // Units take turns; what a step reads comes on top of what it adds up.
      let rounds = (count(tile) + 2 * target.computeUnits - 1) / (2 * target.computeUnits)
      return rounds * (tile.rows * tile.columns + 8 * (tile.rows + tile.columns))
    }
  }
}

extension KernelTemplate {
  /// One of the factors of a product by tiles.
  enum Side: String {
    case left, right

    fileprivate var title: String { self == .left ? "Left" : "Right" }
  }

  /// A product by tiles in shared memory.
  init(_ tile: GroupTile, _ lane: Lane, _ builder: inout KernelBuilder) {
    self.init("matmul/tiled.cl", lane, builder)
    builder.begin("LOCAL_ARRAY(\(lane.scalar), left, \(tile.depth * (tile.rows + 4)));")
    builder.begin("LOCAL_ARRAY(\(lane.scalar), right, \(tile.depth * (tile.columns + 4)));")
    builder.begin("const int count = 1;")
    for (name, value) in [
      ("tileRows", tile.rows), ("tileColumns", tile.columns), ("itemRows", tile.itemRows),
      ("itemColumns", tile.itemColumns), ("items", tile.items), ("step", tile.depth),
      ("rowPitch", tile.rows / tile.itemRows * 4), ("columnPitch", tile.columns / tile.itemColumns * 4),
    ] {
      self[name] = String(value)
    }
  }

  /// Fills in how a factor comes to shared memory. Neighbouring work-items read along the terms of a sum or across them.
  /// - Parameters:
  ///   - quad: How many elements are read at a time, 4 or 1; they are all inside of the matrix or none is.
  ///   - load: What assigns the elements at `depth`, and `row` or `column`, to a register and those after it.
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
