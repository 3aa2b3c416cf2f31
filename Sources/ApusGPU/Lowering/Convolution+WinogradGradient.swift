import ApusDevice
import ApusSystem

/// How a gradient of weights is split into tasks for `Kernels/convolution/winograd_products.cl`. The split depends only
/// on the sizes.
///
/// A gradient with few weights is summed in parts (split-K): each part covers some of the tiles (a tile is 4 × 4
/// elements of y, the output of the forward convolution), and the work-item of a part transforms these tiles. A gradient
/// with many weights is computed in blocks of channels: each block covers all tiles, which an earlier launch transforms.
struct WinogradGradientTiling {
  private static let mostPartWeights = 1 << 14
  private static let enoughParts = 8
  private static let tilesOfPart = 16
  /// The numbers of channels in a block: `rows` of x, the input, and `columns` of y, the output.
  private static let block = (rows: 64, columns: 32)
  private static let mostItems = 16
  /// The maximum number of transformed elements. As `float32`, they take 24 MB, which fit into most last-level caches.
  private static let mostShared = 6_000_000

  let grid: WinogradGeometry

  /// Creates the tiling. Returns `nil` if `WinogradGeometry.profitable` returns `nil`, if the channels of y do not fill
  /// whole panels of `WinogradTiling.vectors` registers, if the channels of x do not fill whole registers, or if too
  /// many elements would be transformed in advance.
  init?(_ g: ConvolutionGeometry, _ dtype: DType, registerWidth: Int) {
    let width = WinogradTiling.vectors * registerWidth
    guard let grid = WinogradGeometry.profitable(g, pass: .weightGradient, dtype, panelWidth: width),
      grid.results.channels % width == 0, grid.source.channels % registerWidth == 0
    else { return nil }
    self.grid = grid
    guard hasParts || sharedCount <= Self.mostShared else { return nil }
  }

  private var channels: (x: Int, y: Int) { (grid.source.channels, grid.results.channels) }
  var hasParts: Bool { channels.x * channels.y <= Self.mostPartWeights }
  var parts: Int { hasParts ? min(grid.tileCount, Self.enoughParts) : 1 }
  var channelsPerBlock: Int { hasParts ? channels.x : min(channels.x, Self.block.rows) }
  var columnsPerBlock: Int { hasParts ? channels.y : min(channels.y, Self.block.columns) }
  var channelBlocks: Int { ceilDivide(channels.x, channelsPerBlock) }
  var blocks: Int { channelBlocks * ceilDivide(channels.y, columnsPerBlock) }
  var items: Int { hasParts ? parts : min(blocks, Self.mostItems) }
  /// The number of tiles whose transforms are stored together.
  var tilesPerBlock: Int { hasParts ? Self.tilesOfPart : grid.tileCount }

  var pitch: (x: Int, y: Int) { (WinogradGeometry.pitch(channels.x), WinogradGeometry.pitch(channels.y)) }
  // The distances in memory between the 36 positions (the elements of a transformed tile). If the
  // distances were powers of two, the positions would map to the same cache sets, so the pitches and `+ 32` avoid that.
  var distance: (x: Int, y: Int) { (tilesPerBlock * pitch.x, tilesPerBlock * pitch.y) }
  var sumDistance: Int { channelsPerBlock * columnsPerBlock + 32 }
  /// The offset of the transforms of gradients, after the transforms of patches.
  var gradientsOffset: Int { WinogradGeometry.positions * distance.x }
  private var transforms: Int { WinogradGeometry.positions * (distance.x + distance.y) }
  var sharedCount: Int { hasParts ? 0 : transforms }
  /// The offset of the transforms in a work-item's scratch buffer, after the sums.
  var transformsOffset: Int { WinogradGeometry.positions * sumDistance }
  var scratchSize: Int { transformsOffset + (hasParts ? transforms : 0) }
}

extension PlanLowering {
  /// Lowers a gradient of weights to products of transformed tiles. Without parts, an earlier launch transforms the
  /// tiles; with parts, a later launch adds the parts.
  mutating func lowerWinogradGradient(_ step: Convolution, _ tiling: WinogradGradientTiling) {
    needWorkspace((tiling.sharedCount + tiling.items * tiling.scratchSize) * DType.float32.byteCount)
    if !tiling.hasParts { transformTiles(step, tiling) }
    let lane = step.dtype.lane
    var builder = KernelBuilder(family: "convolution_winograd_products", target: target, isLarge: true)
    var template = gradientTemplate("convolution/winograd_products.cl", step, tiling, &builder)
    let scratch = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["scratch"] = "(\(scratch) + \(builder.number(tiling.sharedCount)))"
    template["kStride"] = template["pitch"]
    template["bStride"] = template["gradientPitch"]
    for (name, value) in [
      ("tasks", tiling.parts * tiling.blocks), ("items", tiling.items), ("parts", tiling.parts),
      ("blocks", tiling.blocks), ("channelBlocks", tiling.channelBlocks),
      ("channelsPerBlock", tiling.channelsPerBlock), ("tilesPerBlock", tiling.tilesPerBlock),
    ] {
      template[name] = builder.number(value)
    }
    let offset = template["gradientsOffset"]!
    if tiling.hasParts {
      let own = "products + \(builder.number(tiling.transformsOffset))"
      template["TRANSFORMS"] = transforms(
        step, tiling, patches: own, gradients: "\(own) + \(offset)", &template, &builder)
      template["RESULTS"] = ""
    } else {
      let shared = builder.pointer(lane.scalar, slot: slots.workspace)
      template["TRANSFORMS"] = """
        GLOBAL const \(lane.scalar) *patches = \(shared) + firstTile * \(template["pitch"]!);
        GLOBAL const \(lane.scalar) *gradients = \(shared) + \(offset) + firstTile * \(template["gradientPitch"]!);
        """
      template["RESULTS"] = results(step, origin: ("firstChannel", "firstColumn"), parts: 1, &template, &builder)
    }
    template["rightDtype"] = DType.float32.description
    template.fillTerms(of: .float32)
    builder.append(template)
    launch(builder, groups: tiling.items, .step(flops: 2 * tiling.grid.productCount))
    if tiling.hasParts { addParts(step, tiling) }
  }

  /// Emits a kernel that transforms all tiles; each work-item transforms some tiles.
  private mutating func transformTiles(_ step: Convolution, _ tiling: WinogradGradientTiling) {
    let grid = tiling.grid
    let lane = step.dtype.lane
    let tilesPerItem = max(1, 2048 / (grid.source.channels + grid.results.channels))
    var builder = KernelBuilder(family: "convolution_winograd_tiles", target: target, isLarge: true)
    var template = gradientTemplate("convolution/winograd_tile.cl", step, tiling, &builder)
    let pointer = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    let count = builder.number(tilesPerItem)
    builder.lines(
      """
      const \(builder.index) firstTile = GROUP_ID() * \(count);
      const \(builder.index) lastTile = SMALLER(firstTile + \(count), \(template["tiles"]!));
      """)
    builder.lines(
      transforms(
        step, tiling, patches: "\(pointer) + firstTile * \(template["pitch"]!)",
        gradients: "\(pointer) + \(template["gradientsOffset"]!) + firstTile * \(template["gradientPitch"]!)",
        &template, &builder))
    launch(
      builder, groups: ceilDivide(grid.tileCount, tilesPerItem),
      .part(
        "transformed tiles", read: grid.images * (grid.source.image + grid.results.image) * lane.dtype.byteCount,
        written: tiling.sharedCount * lane.dtype.byteCount))
  }

  /// Emits a kernel that adds the parts. A work-item computes the gradients of the weights that connect a register of
  /// channels of x with a register of channels of y.
  private mutating func addParts(_ step: Convolution, _ tiling: WinogradGradientTiling) {
    let lane = step.dtype.lane
    var builder = KernelBuilder(family: "convolution_winograd_sums", target: target, isLarge: true)
    var template = gradientTemplate("convolution/winograd_sums.cl", step, tiling, &builder)
    let pointer = builder.pointer(lane.scalar, slot: slots.workspace)
    let count = builder.number(tiling.grid.source.channels / width)
    builder.lines(
      """
      GLOBAL const \(lane.scalar) *products = \(pointer);
      const \(builder.index) firstChannel = GROUP_ID() % \(count) * WIDTH;
      const \(builder.index) lastChannel = firstChannel + WIDTH;
      const \(builder.index) firstColumn = GROUP_ID() / \(count) * WIDTH;
      const \(builder.index) lastColumn = firstColumn + WIDTH;
      """)
    builder.lines(results(step, origin: ("0", "0"), parts: tiling.parts, &template, &builder))
    let weights = tiling.grid.source.channels * tiling.grid.results.channels
    launch(
      builder, groups: weights / (width * width),
      .part(
        "sum of \(tiling.parts) parts",
        read: tiling.parts * WinogradGeometry.positions * weights * lane.dtype.byteCount,
        written: 9 * weights * lane.dtype.byteCount))
  }

  /// Returns a template with the values that all kernels of a tiling share.
  private func gradientTemplate(
    _ file: String, _ step: Convolution, _ tiling: WinogradGradientTiling, _ builder: inout KernelBuilder
  ) -> KernelTemplate {
    var template = winogradTemplate(
      file, tiling.grid, pitch: tiling.pitch.x, patchDistance: tiling.distance.x, &builder)
    for (name, value) in [
      ("gradientPitch", tiling.pitch.y), ("gradientDistance", tiling.distance.y),
      ("gradientsOffset", tiling.gradientsOffset), ("columnsPerBlock", tiling.columnsPerBlock),
      ("sumDistance", tiling.sumDistance), ("scratchSize", tiling.scratchSize),
    ] {
      template[name] = builder.number(value)
    }
    return template
  }

  /// Returns code that transforms the patches of x and the gradients of y for the tiles `firstTile ..< lastTile`.
  private func transforms(
    _ step: Convolution, _ tiling: WinogradGradientTiling, patches: String, gradients: String,
    _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) -> String {
    fillPatches(step, tiling.grid, &template, &builder)
    let gradient = location(value: step.right)
    template["gradient"] =
      "(\(builder.pointer(step.dtype.storage, slot: gradient.slot)) + \(builder.number(gradient.offset)))"
    let pointer = "GLOBAL \(step.dtype.lane.scalar) *"
    return """
      \(pointer)patches = \(patches);
      \(pointer)gradients = \(gradients);
      \(template.with(file: "convolution/winograd_patches.cl").text)
      \(template.with(file: "convolution/winograd_gradients.cl").text)
      """
  }

  /// Returns code that transforms sums into results.
  private func results(
    _ step: Convolution, origin: (channel: String, column: String), parts: Int, _ template: inout KernelTemplate,
    _ builder: inout KernelBuilder
  ) -> String {
    template["originChannel"] = origin.channel
    template["originColumn"] = origin.column
    template["sumParts"] = parts == 1 ? "1" : builder.number(parts)
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"], mergingFrom: 1)
    return template.with(file: "convolution/winograd_sums.cl").text
  }
}
