import ApusDevice
import ApusSystem

/// The maximum size of the prepared images (`PreparedImage`) of a launch in bytes; larger batches are split into
/// pieces.
private let largestPreparedByteCount = 64 << 20

/// The maximum number of positions (elements of a plane) whose sums a work-item of `Kernels/convolution/plane.cl`
/// keeps in private memory.
private let stageWidth = 1024

/// The size, in elements, of the private array in which a work-item prepares the channels of an image.
private let privateSize = 8192

/// How `Kernels/convolution/plane.cl` computes the planes of a convolution's output or of its gradient of the input. A
/// plane has the rows and columns of one channel at one depth.
private struct PlaneTiling {
  /// The location from which work-items read the channels of an image.
  enum Images {
    case inPlace
    /// In the workspace, where another kernel prepared them.
    case prepared
    /// In a private array, in which each work-item prepares them itself.
    case preparedInItem
  }

  /// `rows` is the number of result channels of a group (see `plane.cl`), and `channels` is the number of image channels
  /// of a group that are read.
  let rows, channels: Int
  let image: PreparedImage
  let images: Images
  let output: SIMD3<Int>
  /// The size of a tile: `rows` result channels by `vectors` registers of positions.
  let tile: (rows: Int, vectors: Int)

  init(_ step: Convolution, width: Int) {
    let g = step.geometry
    let isForward = step.pass == .output
    rows = (isForward ? g.outputChannels : g.inputChannels) / g.groups
    channels = (isForward ? g.inputChannels : g.outputChannels) / g.groups
    let output = isForward ? g.output : g.input
    self.output = output
    let lane = step.dtype.lane
    let plain = Self.image(g, step.pass, slack: 0)
    if plain.isInPlace(step.dtype, width: width),
      let tile = Self.tile(rows: rows, lane: lane, fits: { output.wrappedProduct % ($0 * width) == 0 })
    {
      (self.tile, image, images) = (tile, plain, .inPlace)
      return
    }
    tile = Self.tile(rows: rows, lane: lane)!
    image = Self.image(g, step.pass, slack: tile.vectors * width)
    // A work-item that prepares channels itself computes all results of one group of one image, so there must be enough
    // groups and images for several cores.
    let isSmall = channels * image.stride <= privateSize && g.batch * g.groups >= 16
    images = isSmall ? .preparedInItem : .prepared
  }

  private static func image(_ g: ConvolutionGeometry, _ pass: Convolution.Pass, slack: Int) -> PreparedImage {
    pass == .output ? .input(g, slack: slack) : .outputGradient(g, slack: slack)
  }

  /// Returns the tile with the fewest rows past the last channel. A tile has at most 24 registers of sums, and a number
  /// of vectors for which `fits` returns true. Returns `nil` if there is no such tile.
  private static func tile(rows: Int, lane: Lane, fits: (Int) -> Bool = { _ in true }) -> (rows: Int, vectors: Int)? {
    let isWide = lane.dtype.byteCount == 8
    return [(8, 3), (6, 4), (12, 2), (4, 6), (2, 8), (1, 8)]
      .map { (rows: $0.0, vectors: isWide ? max(1, $0.1 / 2) : $0.1) }
      .filter { fits($0.vectors) }
      .min { left, right in
        roundUp(rows, toMultipleOf: left.rows) < roundUp(rows, toMultipleOf: right.rows)
      }
  }

  var blocks: Int { ceilDivide(rows, tile.rows) }
  /// The number of positions from the first to the last result of a plane. A row of positions is as long as a row of
  /// `image`, so some positions are past the end of a row of results.
  var positionCount: Int { (output.y - 1) * image.target.z + output.z }
}

/// One of the two factors of the gradient of the weights, which is a sum of products: the input or the gradient of the
/// output.
private struct GradientFactor {
  let image: PreparedImage
  let isInPlace: Bool
  /// The number of channels of all groups.
  let channels: Int

  init(_ image: PreparedImage, _ dtype: DType, channels: Int, width: Int) {
    isInPlace = image.isInPlace(dtype, width: width)
    var image = image
    if isInPlace { image.slack = 0 }
    self.image = image
    self.channels = channels
  }

  /// The number of elements that are prepared per image.
  var preparedCount: Int { isInPlace ? 0 : channels * image.stride }
}

/// How `Kernels/convolution/plane_gradient.cl` splits a gradient of weights into work-items and cache blocks. For each group,
/// the gradient is a matrix with a row for each output channel, and a column for each tap of each input channel.
private struct GradientBlocking {
  /// The number of tiles per work-item and the number of work-items, first vertically, then horizontally.
  let rowsPerItem, rowChunks, columnsPerItem, columnChunks: Int
  /// The block of images, or of positions of one image, that all tiles of a work-item read before the next block.
  let imagesPerBlock, positionsPerBlock: Int

  /// The bytes of images that stay in the L1 and L2 caches of a core.
  private static let cachedBytes = 64 << 10
  /// The positions per block if one image fills a block and has more than 1.5 times as many positions. With a smaller
  /// number, the sums would be loaded and stored too often.
  private static let mostPositions = 1024

  /// - Parameters:
  ///   - blocks, blockColumns: the number of tiles vertically and horizontally.
  ///   - items: the number of work-items if each computed all tiles: one for each group and part. A part is a range of
  ///     images; the gradients of the parts are added up at the end.
  ///   - enough: with at least this number of work-items, all cores are busy.
  ///   - imageBytes: the bytes of one image, in both factors together.
  init(
    blocks: Int, blockColumns: Int, items: Int, enough: Int, imageBytes: Int, imagesPerPart: Int, positions: Int
  ) {
    func split(_ count: Int, most: Int) -> (each: Int, chunks: Int) {
      let chunks = ceilDivide(count, most)
      let each = ceilDivide(count, chunks)
      return (each, ceilDivide(count, each))
    }
    // If there are few tiles, each tile gets a work-item of its own, so that all cores have work.
    let areFew = blocks * blockColumns * items <= 4 * enough
    (rowsPerItem, rowChunks) = split(blocks, most: areFew ? 1 : VectorTile.mostKept)
    let balanced = max(1, min(VectorTile.mostKept / rowsPerItem, blockColumns * items * rowChunks / enough))
    (columnsPerItem, columnChunks) = split(blockColumns, most: areFew ? 1 : balanced)
    guard !areFew else {
      (imagesPerBlock, positionsPerBlock) = (imagesPerPart, positions)
      return
    }
    imagesPerBlock = max(1, min(imagesPerPart, Self.cachedBytes / imageBytes))
    positionsPerBlock =
      imagesPerBlock == 1 && positions > Self.mostPositions * 3 / 2 ? Self.mostPositions : positions
  }
}

extension PlanLowering {
  // MARK: - The output and the gradient of the input

  mutating func lowerPlanes(_ step: Convolution) {
    let g = step.geometry
    guard let dense = step.withoutStride else {
      let images = lowerDensePlanes(step, to: nil, behind: 0)
      return needWorkspace(images)
    }
    // The input gradient of a 1 × 1 kernel with a stride: first the gradients of the elements that windows read are
    // computed, then zeros are inserted between these gradients.
    let count = g.batch * g.inputChannels * g.output.wrappedProduct
    let sums = roundUp(count, toMultipleOf: 64)
    needWorkspace(lowerDensePlanes(dense, to: 0, behind: sums))
    spread(step)
  }

  /// Lowers a convolution whose results have no zeros between them. The workspace that it uses begins at element
  /// `start`.
  /// - Parameter sums: the workspace offset, in elements, at which the sums are written without the epilogue; `nil` to
  ///   apply the epilogue.
  /// - Returns: the byte offset at which the workspace that it uses ends.
  private mutating func lowerDensePlanes(_ step: Convolution, to sums: Int?, behind start: Int) -> Int {
    let g = step.geometry
    let size = step.dtype.lane.dtype.byteCount
    let tiling = PlaneTiling(step, width: width)
    let perGroup = tiling.blocks * tiling.channels * g.kernel.wrappedProduct * tiling.tile.rows
    let images = start + roundUp(g.groups * perGroup, toMultipleOf: 64)
    packWeights(step, rows: tiling.rows, channels: tiling.channels, tileRows: tiling.tile.rows, to: start)
    guard tiling.images == .prepared else {
      launchPlanes(step, tiling, weights: start, images: images, 0..<g.batch, to: sums)
      return images * size
    }
    let channels = g.groups * tiling.channels
    let perImage = channels * tiling.image.stride * size
    let imagesPerPiece = max(1, min(g.batch, largestPreparedByteCount / max(1, perImage)))
    for first in stride(from: 0, to: g.batch, by: imagesPerPiece) {
      let piece = first..<min(g.batch, first + imagesPerPiece)
      prepare(
        tiling.image, count: piece.count * channels, first: first * channels, from: location(value: step.left),
        dtype: step.dtype, to: images)
      launchPlanes(step, tiling, weights: start, images: images, piece, to: sums)
    }
    return images * size + imagesPerPiece * perImage
  }

  private mutating func launchPlanes(
    _ step: Convolution, _ tiling: PlaneTiling, weights: Int, images: Int, _ piece: Range<Int>, to sums: Int?
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let image = tiling.image
    let tileWidth = tiling.tile.vectors * width
    let most = stageWidth / tileWidth * tileWidth
    let chunks = ceilDivide(tiling.positionCount, most)
    let chunkSize = ceilDivide(tiling.positionCount, chunks * tileWidth) * tileWidth

    var builder = KernelBuilder(family: "convolution_plane", target: target, isLarge: true)
    let isOwn = tiling.images == .preparedInItem
    var template = KernelTemplate(
      isOwn ? "convolution/plane_private.cl" : "convolution/plane.cl", lane, builder)
    let workspace = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["weights"] = "(\(workspace) + \(builder.number(weights)))"
    template["tileRows"] = String(tiling.tile.rows)
    template["vectors"] = String(tiling.tile.vectors)
    template["stageWidth"] = String(stageWidth)
    for (name, value) in [
      ("chunks", chunks), ("blocks", tiling.blocks), ("channels", tiling.channels), ("rows", tiling.rows),
      ("imageStride", image.stride), ("planeStride", image.target.y * image.target.z),
      ("taps", g.kernel.wrappedProduct), ("chunkSize", chunkSize), ("positionCount", tiling.positionCount),
      ("firstImage", piece.lowerBound), ("targetW", image.target.z), ("outputH", tiling.output.y),
      ("outputW", tiling.output.z),
    ] {
      template[name] = builder.number(value)
    }
    template["planes"] = builder.number(tiling.output.x, orTrivial: 1)
    template["groups"] = builder.number(g.groups, orTrivial: 1)
    template["tapTable"] = builder.table(image.tapOffsets(g))
    fillImages(step, tiling, workspace: workspace, images: images, &template, &builder)
    if let sums {
      template["ROW"] = ""
      let first = builder.number(sums)
      template["EPILOGUE"] =
        "STORE_\(lane.dtype)(\(workspace), \(first) + output * \(template["outputW"]!) + column, count, core);"
    } else {
      fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    }
    template["BLOCK"] = template.with(file: "convolution/plane_block.cl").text
    builder.append(template)
    let items = piece.count * g.groups
    launch(
      builder, groups: isOwn ? items : items * tiling.blocks * tiling.output.x * chunks,
      .step(share: Double(piece.count) / Double(g.batch)))
  }

  /// Fills in the location from which work-items read their images.
  private func fillImages(
    _ step: Convolution, _ tiling: PlaneTiling, workspace: String, images: Int, _ template: inout KernelTemplate,
    _ builder: inout KernelBuilder
  ) {
    let source = location(value: step.left)
    template["space"] = "GLOBAL"
    switch tiling.images {
    case .inPlace:
      let pointer = builder.pointer(step.dtype.storage, slot: source.slot)
      template["images"] = "(\(pointer) + \(builder.number(source.offset)))"
    case .prepared:
      template["images"] = "(\(workspace) + \(builder.number(images)))"
    case .preparedInItem:
      template["preparedSize"] = String(privateSize)
      template["image"] = "(firstChannel + channel)"
      template["IMAGE"] = copyText(
        tiling.image, first: 0, from: source, dtype: step.dtype, isPrivate: true, &template, &builder)
    }
  }

  /// Emits the epilogue for the input gradient of a strided pointwise convolution. The gradient is 0 except at the
  /// elements that windows read; the sums for these elements are at the start of the workspace.
  private mutating func spread(_ step: Convolution) {
    let g = step.geometry
    let lane = step.dtype.lane
    let rows = g.batch * g.inputChannels * g.input.x * g.input.y
    let rowsPerItem = max(1, min(rows, 16384 / g.input.z))
    var builder = KernelBuilder(family: "convolution_spread", target: target, isLarge: true)
    var template = KernelTemplate("convolution/spread.cl", lane, builder)
    template["source"] = builder.pointer(lane.scalar, slot: slots.workspace)
    template["rows"] = builder.number(rows)
    template["rowsPerItem"] = builder.number(rowsPerItem)
    for (name, extents) in [("extent", g.input), ("step", g.stride), ("source", g.output)] {
      for (axis, letter) in ["D", "H", "W"].enumerated() { template[name + letter] = builder.number(extents[axis]) }
    }
    template["dtype"] = "\(lane.dtype)"
    template["SPREAD"] = template.with(file: "convolution/spread_\(g.stride.z == 2 ? "two" : "any").cl").text
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    builder.append(template)
    launch(
      builder, groups: ceilDivide(rows, rowsPerItem),
      .part(
        "spread results", read: g.batch * g.inputChannels * g.output.wrappedProduct * lane.dtype.byteCount,
        written: rows * g.input.z * lane.dtype.byteCount))
  }

  /// Emits the launch that packs the weights in the order in which they are read.
  private mutating func packWeights(
    _ step: Convolution, rows: Int, channels: Int, tileRows: Int, to workspaceOffset: Int
  ) {
    let g = step.geometry
    let blocks = ceilDivide(rows, tileRows)
    let lane = step.dtype.lane
    let taps = g.kernel.wrappedProduct
    let perOutput = g.inputChannels / g.groups * taps
    let isForward = step.pass == .output
    let location = location(value: step.right)

    var builder = KernelBuilder(family: "convolution_pack_plane_weights", target: target, isLarge: true)
    var template = KernelTemplate("convolution/pack_plane_weights.cl", lane, builder)
    template["source"] = builder.pointer(step.dtype.storage, slot: location.slot)
    let target = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["target"] = "(\(target) + \(builder.number(workspaceOffset)))"
    template["dtype"] = step.dtype.description
    template["tileRows"] = builder.number(tileRows)
    template["offset"] = builder.number(location.offset)
    for (name, value) in [
      ("channels", channels), ("blocks", blocks), ("taps", taps), ("rows", rows),
      ("groupStride", g.outputChannels / g.groups * perOutput), ("rowStride", isForward ? perOutput : taps),
      ("channelStride", isForward ? taps : perOutput), ("firstTap", isForward ? 0 : taps - 1),
      ("tapStride", isForward ? 1 : -1),
    ] {
      template[name] = builder.number(value)
    }
    builder.append(template)
    launch(
      builder, groups: g.groups * blocks * channels,
      .part(
        "packed weights", read: g.outputChannels * perOutput * step.dtype.byteCount,
        written: g.outputChannels * perOutput * lane.dtype.byteCount))
  }

  // MARK: - The gradient of the weights

  mutating func lowerWeightGradient(_ step: Convolution) {
    let g = step.geometry
    let lane = step.dtype.lane
    let size = lane.dtype.byteCount
    let rows = g.outputChannels / g.groups
    let channels = g.inputChannels / g.groups
    let columns = channels * g.kernel.wrappedProduct
    let input = GradientFactor(.input(g, slack: width), step.dtype, channels: g.inputChannels, width: width)
    let positions = GradientFactor(
      .positions(g, like: input.image, slack: width), step.dtype, channels: g.outputChannels, width: width)
    let isWide = size == 8
    // If a group has one output channel, one row per tile is enough.
    let (tileRows, tileColumns) = isWide ? (3, 4) : rows == 1 ? (1, 9) : (4, 6)
    let tiles = g.groups * ceilDivide(rows, tileRows) * ceilDivide(columns, tileColumns)

    let perImage = (positions.preparedCount + input.preparedCount) * size
    let imagesPerPiece = perImage == 0 ? g.batch : max(1, min(g.batch, largestPreparedByteCount / perImage))
    let pieces = ceilDivide(g.batch, imagesPerPiece)
    // The sum is split into parts, so that a gradient with few tiles has work-items for several cores. If a piece
    // can have several images, there are at least two parts. The sum of a single part would need another kernel, so
    // convolutions of different shapes would not share the kernel that adds up the parts.
    let partsPerPiece = min(imagesPerPiece, max(2, ceilDivide(16, tiles * pieces)))
    let imagesPerPart = ceilDivide(imagesPerPiece, partsPerPiece)
    let parts = (0..<pieces).map { piece in
      ceilDivide(blockRange(piece, size: imagesPerPiece, count: g.batch).count, imagesPerPart)
    }
    let resultCount = g.outputChannels * columns
    let partCount = parts.reduce(0, +)
    let leftOffset = roundUp(partCount * resultCount, toMultipleOf: 64)
    let rightOffset = leftOffset + imagesPerPiece * positions.preparedCount
    needWorkspace((rightOffset + imagesPerPiece * input.preparedCount) * size)
    var firstPart = 0
    for piece in 0..<pieces {
      let images = blockRange(piece, size: imagesPerPiece, count: g.batch)
      launchWeightGradient(
        step, (location(positions, images, of: step.right, step.dtype, leftOffset), positions.image),
        (location(input, images, of: step.left, step.dtype, rightOffset), input.image), tile: (tileRows, tileColumns),
        images: (images.count, imagesPerPart), parts: firstPart..<(firstPart + parts[piece]))
      firstPart += parts[piece]
    }
    lowerSum(of: partCount, lane: lane, workspaceOffset: 0, step.epilogue)
  }

  /// Emits the launch that prepares a factor's images in the workspace, unless kernels read the value in place. Returns
  /// the location of the images.
  private mutating func location(
    _ factor: GradientFactor, _ images: Range<Int>, of value: Int, _ dtype: DType, _ workspaceOffset: Int
  ) -> MemoryLocation {
    var source = location(value: value)
    if factor.isInPlace {
      source.offset += images.lowerBound * factor.channels * factor.image.stride
      return source
    }
    prepare(
      factor.image, count: images.count * factor.channels, first: images.lowerBound * factor.channels, from: source,
      dtype: dtype, to: workspaceOffset)
    return MemoryLocation(slot: slots.workspace, offset: workspaceOffset)
  }

  private mutating func launchWeightGradient(
    _ step: Convolution, _ left: (location: MemoryLocation, image: PreparedImage),
    _ right: (location: MemoryLocation, image: PreparedImage),
    tile: (rows: Int, columns: Int), images: (count: Int, perPart: Int), parts: Range<Int>
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let rows = g.outputChannels / g.groups
    let channels = g.inputChannels / g.groups
    let taps = right.image.tapOffsets(g)
    let columns = channels * taps.count
    let blocks = ceilDivide(rows, tile.rows)
    let blockColumns = ceilDivide(columns, tile.columns)
    let positions = ((g.output.x - 1) * right.image.target.y + g.output.y - 1) * right.image.target.z + g.output.z
    let blocking = GradientBlocking(
      blocks: blocks, blockColumns: blockColumns, items: parts.count * g.groups, enough: target.enoughPackingItems,
      imageBytes: (rows * left.image.stride + channels * right.image.stride) * lane.dtype.byteCount,
      imagesPerPart: images.perPart, positions: positions)

    var builder = KernelBuilder(family: "convolution_plane_gradient", target: target, isLarge: true)
    var template = KernelTemplate("convolution/plane_gradient.cl", lane, builder)
    for (name, location) in [("left", left.location), ("right", right.location)] {
      let pointer = builder.pointer(lane.scalar, slot: location.slot)
      template[name] = "(\(pointer) + \(builder.number(location.offset)))"
    }
    template["target"] = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["tileRows"] = String(tile.rows)
    template["tileColumns"] = String(tile.columns)
    for (name, value) in [
      ("blocks", blocks), ("blockColumns", blockColumns), ("rows", rows),
      ("channels", channels), ("columns", columns), ("leftStride", left.image.stride),
      ("rightStride", right.image.stride), ("imageCount", images.count), ("imagesPerPart", images.perPart),
      ("firstPart", parts.lowerBound), ("positionCount", positions), ("columnChunks", blocking.columnChunks),
      ("columnsPerItem", blocking.columnsPerItem), ("rowChunks", blocking.rowChunks),
      ("rowsPerItem", blocking.rowsPerItem), ("imagesPerBlock", blocking.imagesPerBlock),
      ("positionsPerBlock", blocking.positionsPerBlock),
    ] {
      template[name] = builder.number(value)
    }
    template["stageTiles"] = String(VectorTile.mostKept)
    template["groups"] = builder.number(g.groups, orTrivial: 1)
    template["tapTable"] = builder.table(
      (0..<channels).flatMap { channel in taps.map { channel * right.image.stride + $0 } })
    builder.append(template)
    launch(
      builder, groups: parts.count * g.groups * blocking.rowChunks * blocking.columnChunks,
      .step(share: Double(images.count) / Double(g.batch)))
  }
}
