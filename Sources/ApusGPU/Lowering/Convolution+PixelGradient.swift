import ApusDevice
import ApusSystem

/// How a gradient of weights is split into tiles and work-items for `Kernels/convolution/pixel_gradient.cl`.
private struct GradientTiling {
  /// The size of a tile: `rows` input channels by `vectors` registers of output channels.
  let rows, vectors: Int
  /// The number of output channels of a tile.
  let width: Int
  /// The number of panels, which have `width` output channels each.
  let panels: Int
  /// The numbers of taps (positions in the convolution's kernel) and input channels per work-item.
  let tapsPerItem, channelsPerItem: Int
  let tapBlocks, channelBlocks: Int
  /// Each result is a sum over the rows of pixels of all images. The rows are split into `parts` parts of `rowsPerPart`
  /// rows each (split-K). A part is processed in blocks of `rowsPerBlock` rows, which stay in a cache.
  let rowsPerPart, parts, rowsPerBlock: Int

  init(_ g: ConvolutionGeometry, tile: VectorTile, lane: Lane, registerWidth: Int) {
    rows = tile.rows
    vectors = tile.vectors(of: lane)
    width = vectors * registerWidth
    panels = ceilDivide(g.outputChannels, width)
    let taps = g.kernel.wrappedProduct
    let tiles = ceilDivide(g.inputChannels, rows)
    let most = VectorTile.mostKept
    channelsPerItem = min(tiles, most) * rows
    channelBlocks = ceilDivide(g.inputChannels, channelsPerItem)
    // Neighboring taps read the same pixels, so a work-item computes all taps. If it cannot keep the sums of all taps,
    // it computes some consecutive taps.
    tapsPerItem = tiles * taps <= most ? taps : max(1, min(g.kernel.z, most / tiles))
    tapBlocks = ceilDivide(taps, tapsPerItem)
    let lines = g.batch * g.output.y
    // The split of the sums determines their rounding, so it depends on a typical tile and not on the chosen tile.
    let tasks = ceilDivide(g.outputChannels, 32) * ceilDivide(taps * ceilDivide(g.inputChannels, 12), most)
    let perPart = max(1, ceilDivide(lines * tasks, 32))
    // Each part except the last has at least 2,048 pixels; fewer pixels than that form a single part. So storing and
    // adding the sums of the parts is little work compared with computing them.
    let leastLines = ceilDivide(2048, g.output.z)
    rowsPerPart = min(lines, max(perPart, leastLines))
    parts = ceilDivide(lines, rowsPerPart)
    let lineBytes = (g.stride.y * g.input.z * g.inputChannels + g.output.z * width) * lane.dtype.byteCount
    rowsPerBlock = max(1, min(rowsPerPart, (1 << 18) / max(1, lineBytes)))
  }
}

extension PlanLowering {
  mutating func lowerPixelGradient(_ step: Convolution) {
    let g = step.geometry
    let lane = step.dtype.lane
    let taps = g.kernel.wrappedProduct
    let tiling = GradientTiling(g, tile: chooseGradientTile(step), lane: lane, registerWidth: width)
    let (x, y) = (location(value: step.left), location(value: step.right))
    let partSize = taps * g.inputChannels * tiling.panels * tiling.width
    needWorkspace(tiling.parts * partSize * lane.dtype.byteCount)

    var builder = KernelBuilder(family: "convolution_pixel_gradient", target: target, isLarge: true)
    var template = KernelTemplate("convolution/pixel_gradient.cl", lane, builder)
    template["x"] = "(\(builder.pointer(step.dtype.storage, slot: x.slot)) + \(builder.number(x.offset)))"
    template["y"] = "(\(builder.pointer(step.dtype.storage, slot: y.slot)) + \(builder.number(y.offset)))"
    template["target"] = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["storage"] = step.dtype.storage
    template["dtype"] = step.dtype.description
    // Elements whose type is not the arithmetic type (lane) are converted register by register.
    let isConverted = step.dtype != lane.dtype
    template["FACTORS"] =
      isConverted ? "\(lane.scalar) factors[WIDTH];\nVSTORE(LOAD_\(step.dtype)(left, 0, WIDTH), factors);" : ""
    template["factor"] = isConverted ? "factors[m]" : "left[m]"
    template["tileRows"] = String(tiling.rows)
    template["vectors"] = String(tiling.vectors)
    template["stageTiles"] = String(VectorTile.mostKept)
    for (name, value) in [
      ("panels", tiling.panels), ("tapBlocks", tiling.tapBlocks), ("channelBlocks", tiling.channelBlocks),
      ("tapsPerItem", tiling.tapsPerItem), ("taps", taps), ("channelsPerItem", tiling.channelsPerItem),
      ("channels", g.inputChannels), ("columns", g.outputChannels), ("rowsPerPart", tiling.rowsPerPart),
      ("rows", g.batch * g.output.y), ("rowsPerBlock", tiling.rowsPerBlock), ("gridHeight", g.output.y),
      ("gridWidth", g.output.z), ("imageHeight", g.input.y), ("imageWidth", g.input.z), ("stepDown", g.stride.y),
      ("stepAcross", g.stride.z),
    ] {
      template[name] = builder.number(value)
    }
    template["tapTable"] = builder.table(tapTable(g))
    builder.append(template)
    launch(
      builder, groups: tiling.panels * tiling.tapBlocks * tiling.channelBlocks * tiling.parts)
    addWeights(step, tiling, partSize: partSize)
  }

  private mutating func chooseGradientTile(_ step: Convolution) -> VectorTile {
    let (g, width) = (step.geometry, width)
    let candidates = VectorTile.candidates(m: .max / 2, registers: target.registerCount)
    let defaults = [VectorTile(12, 2), VectorTile(8, 3), VectorTile(6, 4), VectorTile(8, 2)].filter(candidates.contains)
    return choose(
      "convolution \(step.pass) \(step.dtype) taps\(g.kernel.wrappedProduct) m\(Self.sizeClass(g.inputChannels)) "
        + "n\(Self.sizeClass(g.outputChannels)) k\(Self.sizeClass(g.batch * g.output.wrappedProduct))",
      among: defaults.isEmpty ? candidates : defaults, or: candidates
    ) { tile in
      let panel = tile.vectors * width
      let tiles = ceilDivide(g.inputChannels, tile.rows) * ceilDivide(g.outputChannels, panel)
      return tiles * (max(tile.rows * tile.vectors, tile.rows + tile.vectors) + 2)
    }
  }

  /// Returns for each tap its vertical and horizontal offset, and the range of result columns for which the tap
  /// reads inside the image.
  private func tapTable(_ g: ConvolutionGeometry) -> [Int] {
    (0..<g.kernel.y * g.kernel.z).flatMap { tap -> [Int] in
      let (down, across) = g.offset(ofTap: tap / g.kernel.z, tap % g.kernel.z)
      let first = across >= 0 ? 0 : ceilDivide(-across, g.stride.z)
      let end = across >= g.input.z ? 0 : ceilDivide(g.input.z - across, g.stride.z)
      return [down, across, first, max(first, min(g.output.z, end))]
    }
  }

  /// Adds up the parts and writes the sums in the layout of the weights.
  private mutating func addWeights(_ step: Convolution, _ tiling: GradientTiling, partSize: Int) {
    let g = step.geometry
    let lane = step.dtype.lane
    let taps = g.kernel.wrappedProduct
    let elements = taps * g.inputChannels
    let blocks = ceilDivide(g.outputChannels, width)
    let elementsPerItem = max(width, min(ceilDivide(elements, width), 16) * width)
    let chunks = ceilDivide(elements, elementsPerItem)

    var builder = KernelBuilder(family: "convolution_weight_sums", target: target, isLarge: true)
    var template = KernelTemplate("convolution/weight_sums.cl", lane, builder)
    template["source"] = builder.pointer(lane.scalar, slot: slots.workspace)
    for (name, value) in [
      ("chunks", chunks), ("elementsPerItem", elementsPerItem), ("elements", elements), ("rows", g.outputChannels),
      ("channels", g.inputChannels), ("taps", taps), ("parts", tiling.parts), ("width", tiling.panels * tiling.width),
    ] {
      template[name] = builder.number(value)
    }
    let isMerged = canMerge(step.epilogue, from: 1)
    if isMerged {
      fillEpilogue(step.epilogue, &template, &builder, cores: ["core"], mergingFrom: 1)
    } else {
      let target = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
      let offset = builder.number(tiling.parts * partSize)
      template["ROW"] = ""
      template["EPILOGUE"] =
        "STORE_\(lane.dtype)(\(target), \(offset) + output * \(template["elements"]!) + column, count, core);"
    }
    builder.append(template)
    launch(
      builder, groups: blocks * chunks,
      .part(
        "sum of \(tiling.parts) parts", read: tiling.parts * partSize * lane.dtype.byteCount,
        written: g.outputChannels * elements * lane.dtype.byteCount))
    if !isMerged {
      needWorkspace((tiling.parts * partSize + g.outputChannels * elements) * lane.dtype.byteCount)
      lowerSum(of: 1, lane: lane, workspaceOffset: tiling.parts * partSize, step.epilogue)
    }
  }
}
