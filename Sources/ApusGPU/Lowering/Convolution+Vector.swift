import ApusDevice

/// The most bytes of prepared images at a time; larger batches are run in pieces.
private let imageBudget = 64 << 20

/// The most places that a work-item of `Kernels/convolution/vector.cl` holds the sums of.
private let stageWidth = 1024

extension PlanLowering {
  /// Rows and registers of a tile: the 24 sums that fit, with the fewest rows past the last channel.
  private func tile(rows: Int, lane: Lane) -> (rows: Int, vectors: Int) {
    let candidates = [(8, 3), (6, 4), (12, 2), (4, 6), (2, 8), (1, 8)]
    let best = candidates.min { left, right in
      (rows + left.0 - 1) / left.0 * left.0 < (rows + right.0 - 1) / right.0 * right.0
    }!
    let isWide = lane == .float64 || lane == .int64
    return (best.0, isWide ? max(1, best.1 / 2) : best.1)
  }

  // MARK: - The output and the gradient of the input

  mutating func lowerPlanes(_ step: Convolution) {
    let g = step.geometry
    let lane = step.dtype.lane
    let size = lane.dtype.byteCount
    let isForward = step.pass == .output
    let rows = (isForward ? g.outputChannels : g.inputChannels) / g.groups
    let channels = (isForward ? g.inputChannels : g.outputChannels) / g.groups
    let tile = tile(rows: rows, lane: lane)
    let slack = tile.vectors * width
    let image = isForward ? PreparedImage.input(g, slack: slack) : .outputGradient(g, slack: slack)
    let blocks = (rows + tile.rows - 1) / tile.rows
    let taps = g.kernel.wrappedProduct
    let weightCount = (g.groups * blocks * channels * taps * tile.rows + 63) / 64 * 64
    packWeights(step, rows: rows, channels: channels, tileRows: tile.rows)
    let perImage = g.groups * channels * image.stride * size
    let imagesPerPiece = max(1, min(g.batch, imageBudget / max(1, perImage)))
    needWorkspace(weightCount * size + imagesPerPiece * perImage)
    for first in stride(from: 0, to: g.batch, by: imagesPerPiece) {
      let count = min(imagesPerPiece, g.batch - first)
      prepare(
        image, count: count * g.groups * channels, first: first * g.groups * channels,
        from: place(value: step.left), dtype: step.dtype, to: weightCount)
      launchPlanes(
        step, image, tile: tile, rows: rows, channels: channels, weightCount: weightCount,
        images: first..<(first + count))
    }
  }

  private mutating func launchPlanes(
    _ step: Convolution, _ image: PreparedImage, tile: (rows: Int, vectors: Int), rows: Int, channels: Int,
    weightCount: Int, images: Range<Int>
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let output = step.pass == .output ? g.output : g.input
    let tileWidth = tile.vectors * width
    let placeCount = (output.y - 1) * image.target.z + output.z
    let most = stageWidth / tileWidth * tileWidth
    let chunks = (placeCount + most - 1) / most
    let chunkSize = (placeCount + chunks * tileWidth - 1) / (chunks * tileWidth) * tileWidth
    let blocks = (rows + tile.rows - 1) / tile.rows
    let taps = g.kernel.wrappedProduct

    var builder = KernelBuilder(family: "convolution_vector", target: target, isLarge: true)
    var template = KernelTemplate("convolution/vector.cl", lane, builder)
    let workspace = builder.pointer(lane.scalar, slot: slots.workspace)
    template["weights"] = workspace
    template["images"] = "(\(workspace) + \(builder.number(weightCount)))"
    template["tileRows"] = String(tile.rows)
    template["vectors"] = String(tile.vectors)
    template["stageWidth"] = String(stageWidth)
    for (name, value) in [
      ("chunks", chunks), ("blocks", blocks), ("channels", channels), ("rows", rows),
      ("imageStride", image.stride), ("planeStride", image.target.y * image.target.z), ("taps", taps),
      ("chunkSize", chunkSize), ("placeCount", placeCount), ("firstImage", images.lowerBound),
      ("targetW", image.target.z), ("outputH", output.y), ("outputW", output.z),
    ] {
      template[name] = builder.number(value)
    }
    template["planes"] = builder.number(output.x, orTrivial: 1)
    template["groups"] = builder.number(g.groups, orTrivial: 1)
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    template["tapTable"] = builder.table(image.tapOffsets(g))
    builder.append(template)
    launch(
      builder, groups: images.count * g.groups * blocks * output.x * chunks, detail: detail(step),
      flops: 2 * Double(g.multiplyAdds) * Double(images.count) / Double(g.batch), bytes: bytes(step))
  }

  /// Emits the launch that brings the weights into the order in which they are read.
  private mutating func packWeights(_ step: Convolution, rows: Int, channels: Int, tileRows: Int) {
    let g = step.geometry
    let lane = step.dtype.lane
    let taps = g.kernel.wrappedProduct
    let perOutput = g.inputChannels / g.groups * taps
    let isForward = step.pass == .output
    let place = place(value: step.right)
    let blocks = (rows + tileRows - 1) / tileRows

    var builder = KernelBuilder(family: "convolution_weights", target: target, isLarge: true)
    var template = KernelTemplate("convolution/weights.cl", lane, builder)
    template["source"] = builder.pointer(step.dtype.storage, slot: place.slot)
    template["target"] = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["dtype"] = step.dtype.description
    template["tileRows"] = builder.number(tileRows)
    template["offset"] = builder.number(place.offset)
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
      builder, groups: g.groups * blocks * channels, detail: "convolution weights",
      bytes: Double(2 * g.outputChannels * perOutput * step.dtype.byteCount))
  }

  // MARK: - The gradient of the weights

  mutating func lowerWeightGradient(_ step: Convolution) {
    let g = step.geometry
    let lane = step.dtype.lane
    let size = lane.dtype.byteCount
    let rows = g.outputChannels / g.groups
    let channels = g.inputChannels / g.groups
    let columns = channels * g.kernel.wrappedProduct
    let input = PreparedImage.input(g, slack: width)
    let places = PreparedImage.places(g, like: input, slack: width)
    let isWide = size == 8
    // A group of one channel has one row.
    let (tileRows, tileColumns) = isWide ? (3, 4) : rows == 1 ? (1, 9) : (4, 6)
    let tiles = g.groups * ((rows + tileRows - 1) / tileRows) * ((columns + tileColumns - 1) / tileColumns)

    let perImage = (g.outputChannels * places.stride + g.inputChannels * input.stride) * size
    let imagesPerPiece = max(1, min(g.batch, imageBudget / max(1, perImage)))
    let pieces = (g.batch + imagesPerPiece - 1) / imagesPerPiece
    // Enough work-items for several cores, from few tiles; at least two parts, so that all their sums
    // share a kernel.
    let partsPerPiece = min(imagesPerPiece, max(2, (16 + tiles * pieces - 1) / (tiles * pieces)))
    let imagesPerPart = (imagesPerPiece + partsPerPiece - 1) / partsPerPiece
    let parts = (0..<pieces).map { piece in
      (min(imagesPerPiece, g.batch - piece * imagesPerPiece) + imagesPerPart - 1) / imagesPerPart
    }
    let resultCount = g.outputChannels * columns
    let partCount = parts.reduce(0, +)
    let leftOffset = (partCount * resultCount + 63) / 64 * 64
    let rightOffset = leftOffset + imagesPerPiece * g.outputChannels * places.stride
    needWorkspace((rightOffset + imagesPerPiece * g.inputChannels * input.stride) * size)
    var firstPart = 0
    for piece in 0..<pieces {
      let first = piece * imagesPerPiece
      let count = min(imagesPerPiece, g.batch - first)
      prepare(
        places, count: count * g.outputChannels, first: first * g.outputChannels,
        from: place(value: step.right), dtype: step.dtype, to: leftOffset)
      prepare(
        input, count: count * g.inputChannels, first: first * g.inputChannels,
        from: place(value: step.left), dtype: step.dtype, to: rightOffset)
      launchWeightGradient(
        step, input, places, tile: (tileRows, tileColumns), offsets: (leftOffset, rightOffset),
        images: (count, imagesPerPart), parts: firstPart..<(firstPart + parts[piece]))
      firstPart += parts[piece]
    }
    lowerSum(of: partCount, lane: lane, workspaceOffset: 0, step.epilogue)
  }

  private mutating func launchWeightGradient(
    _ step: Convolution, _ input: PreparedImage, _ places: PreparedImage, tile: (rows: Int, columns: Int),
    offsets: (left: Int, right: Int), images: (count: Int, perPart: Int), parts: Range<Int>
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let rows = g.outputChannels / g.groups
    let channels = g.inputChannels / g.groups
    let taps = input.tapOffsets(g)
    let columns = channels * taps.count
    let blocks = (rows + tile.rows - 1) / tile.rows
    let blockColumns = (columns + tile.columns - 1) / tile.columns

    var builder = KernelBuilder(family: "convolution_gradient", target: target, isLarge: true)
    var template = KernelTemplate("convolution/gradient.cl", lane, builder)
    let workspace = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["left"] = "(\(workspace) + \(builder.number(offsets.left)))"
    template["right"] = "(\(workspace) + \(builder.number(offsets.right)))"
    template["target"] = workspace
    template["tileRows"] = String(tile.rows)
    template["tileColumns"] = String(tile.columns)
    for (name, value) in [
      ("blocks", blocks), ("blockColumns", blockColumns), ("rows", rows),
      ("channels", channels), ("columns", columns), ("leftStride", places.stride),
      ("rightStride", input.stride), ("imageCount", images.count), ("imagesPerPart", images.perPart),
      ("firstPart", parts.lowerBound),
      ("placeCount", ((g.output.x - 1) * input.target.y + g.output.y - 1) * input.target.z + g.output.z),
    ] {
      template[name] = builder.number(value)
    }
    template["groups"] = builder.number(g.groups, orTrivial: 1)
    template["tapTable"] = builder.table(
      (0..<channels).flatMap { channel in taps.map { channel * input.stride + $0 } })
    builder.append(template)
    launch(
      builder, groups: parts.count * g.groups * blocks * blockColumns, detail: detail(step),
      flops: 2 * Double(g.multiplyAdds) * Double(images.count) / Double(g.batch), bytes: bytes(step))
  }
}
