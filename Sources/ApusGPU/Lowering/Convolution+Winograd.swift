import ApusDevice
import ApusSystem

extension WinogradGeometry {
  /// The minimum number of multiply-adds of the direct convolution. With fewer, the additional launches would take
  /// longer than the multiply-adds that Winograd saves.
  private static let leastProducts = 1 << 24

  /// Returns the geometry of a pass. Returns `nil` if Winograd tiles cannot compute the pass, or if direct convolution
  /// is estimated to take less time. The estimate compares the multiply-adds of both methods.
  /// - Parameter panelWidth: the multiple to which the number of result channels is padded.
  static func profitable(
    _ g: ConvolutionGeometry, pass: Convolution.Pass, _ dtype: DType, panelWidth: Int
  ) -> WinogradGeometry? {
    guard dtype == .float32, g.input.x == 1, g.multiplyAdds >= leastProducts,
      let geometry = WinogradGeometry(g, pass: pass)
    else { return nil }
    let results = geometry.results
    let direct = geometry.images * results.height * results.width * 9 * results.channels
    let columns = roundUp(results.channels, toMultipleOf: panelWidth)
    return Double(geometry.tileCount * positions * columns) * overhead <= Double(direct) ? geometry : nil
  }

  /// The number of multiply-adds of the matrix products.
  var productCount: Double { Double(Self.positions * tileCount) * Double(source.channels * results.channels) }
}

/// How an output or a gradient of the input is split into tasks for `Kernels/convolution/winograd.cl`. The split
/// depends only on the sizes.
///
/// With many tiles, the weights are transformed in advance, and each task transforms its own patches, the input pixels
/// of its tiles. With many weights, the patches are transformed in advance, and each task transforms its own weights.
struct WinogradTiling {
  /// The rows and vectors of the block of sums that a matrix product keeps in registers (not a Winograd tile).
  static let rows = 8
  static let vectors = 2
  private static let tilesOfPatches = 16
  private static let tilesOfWeights = 64
  private static let termsOfWeights = 64
  /// The maximum number of elements that are transformed in advance: 2²⁶ elements of `float32`, 256 MiB.
  private static let mostShared = 1 << 26
  /// The maximum number of pairs of channels whose transformed weights stay in the last-level cache.
  private static let mostSharedWeights = 1 << 16

  let grid: WinogradGeometry
  /// The number of columns (result channels) in a panel: as many as `vectors` registers hold.
  let width: Int

  /// Creates the tiling of a pass. Returns `nil` for the gradient of the weights. Also returns `nil` if
  /// `WinogradGeometry.profitable` does so, or if too many elements would be transformed in advance.
  init?(_ g: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, registerWidth: Int) {
    width = Self.vectors * registerWidth
    guard pass != .weightGradient, let grid = WinogradGeometry.profitable(g, pass: pass, dtype, panelWidth: width)
    else { return nil }
    self.grid = grid
    guard sharedCount <= Self.mostShared else { return nil }
  }

  private var terms: Int { grid.source.channels }
  var panels: Int { ceilDivide(grid.results.channels, width) }
  var pitch: Int { WinogradGeometry.pitch(terms) }

  /// Whether the weights are transformed in advance, and a task is a block of tiles with all panels. Otherwise the
  /// patches are transformed in advance, and a task is one panel of a larger block of tiles.
  var sharesWeights: Bool {
    2 * grid.tileCount > grid.results.channels && terms * grid.results.channels <= Self.mostSharedWeights
  }

  var tilesPerTask: Int { sharesWeights ? Self.tilesOfPatches : Self.tilesOfWeights }
  var panelsPerTask: Int { sharesWeights ? panels : 1 }
  var parts: Int { ceilDivide(panels, panelsPerTask) }
  var tasks: Int { ceilDivide(grid.tileCount, tilesPerTask) * parts }
  /// Returns the number of work-items for `cores` cores: few, so that their scratch buffers stay in the last-level
  /// cache.
  func items(for cores: Int) -> Int { min(tasks, max(tasks < 512 ? 16 : 32, min(128, 4 * cores))) }
  var termsPerBlock: Int { sharesWeights ? terms : min(terms, Self.termsOfWeights) }

  /// The number of tiles whose patches are stored together.
  var patchedTiles: Int { sharesWeights ? tilesPerTask : roundUp(grid.tileCount, toMultipleOf: Self.rows) }
  // The distances in memory between the 36 positions (the elements of a transformed tile). At distances that are powers
  // of two, positions would map to the same cache sets.
  var patchDistance: Int { patchedTiles * pitch }
  var weightDistance: Int { (termsPerBlock + 1) * width }

  /// The number of elements that are transformed in advance.
  var sharedCount: Int { WinogradGeometry.positions * (sharesWeights ? panels * weightDistance : patchDistance) }
  /// The offset of the sums in a work-item's scratch buffer, after the transforms of the work-item.
  var sumsOffset: Int { WinogradGeometry.positions * (sharesWeights ? patchDistance : weightDistance) }
  var scratchSize: Int { sumsOffset + WinogradGeometry.positions * tilesPerTask * width }
}

extension PlanLowering {
  /// Lowers a convolution to products of transformed tiles. One launch computes the transforms that all tasks share,
  /// and the next one runs the tasks.
  mutating func lowerWinograd(_ step: Convolution, _ tiling: WinogradTiling) {
    let items = tiling.items(for: target.computeUnits)
    needWorkspace((tiling.sharedCount + items * tiling.scratchSize) * DType.float32.byteCount)
    if tiling.sharesWeights {
      transformWeights(step, tiling)
    } else {
      transformPatches(step, tiling)
    }
    let lane = step.dtype.lane
    var builder = KernelBuilder(family: "convolution_winograd", target: target, isLarge: true)
    var template = winogradTemplate("convolution/winograd.cl", tiling, &builder)
    let scratch = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["scratch"] = "(\(scratch) + \(builder.number(tiling.sharedCount)))"
    template["kStride"] = "1"
    template["bStride"] = template["panelWidth"]
    for (name, value) in [
      ("scratchSize", tiling.scratchSize), ("sumsOffset", tiling.sumsOffset), ("tasks", tiling.tasks),
      ("items", items), ("parts", tiling.parts), ("tilesPerTask", tiling.tilesPerTask),
      ("panels", tiling.panels), ("panelsPerTask", tiling.panelsPerTask), ("termsPerBlock", tiling.termsPerBlock),
    ] {
      template[name] = builder.number(value)
    }
    let shared = builder.pointer(lane.scalar, slot: slots.workspace)
    let rows = template["tileRows"]!
    if tiling.sharesWeights {
      fillPatches(step, tiling.grid, &template, &builder)
      template["PATCHES"] = """
        GLOBAL \(lane.scalar) *patches = scratch;
        const \(builder.index) lastTile = firstTile + CEIL_DIVIDE(tileCount, \(rows)) * \(rows);
        \(template.with(file: "convolution/winograd_patches.cl").text)
        """
      template["WEIGHTS"] =
        "GLOBAL const \(lane.scalar) *weights = \(shared) + panel * \(WinogradGeometry.positions) * \(template["weightDistance"]!);"
    } else {
      fillWeights(step, tiling, &template, &builder)
      template["PATCHES"] = "GLOBAL const \(lane.scalar) *patches = \(shared) + firstTile * \(template["pitch"]!);"
      template["WEIGHTS"] = """
        GLOBAL \(lane.scalar) *weights = scratch;
        const \(builder.index) lastTerm = firstTerm + span;
        \(template.with(file: "convolution/winograd_weights.cl").text)
        """
    }
    template["rightDtype"] = DType.float32.description
    template.fillTerms(of: .float32)
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    builder.append(template)
    launch(builder, groups: items, .step(flops: 2 * tiling.grid.productCount))
  }

  /// Emits a kernel that transforms all weights. A work-item transforms the weights between a block of source channels
  /// (terms) and the result channels of one panel.
  private mutating func transformWeights(_ step: Convolution, _ tiling: WinogradTiling) {
    let lane = step.dtype.lane
    let blocks = ceilDivide(tiling.grid.source.channels, width)
    var builder = KernelBuilder(family: "convolution_winograd_weights", target: target, isLarge: true)
    var template = winogradTemplate("convolution/winograd_weights.cl", tiling, &builder)
    fillWeights(step, tiling, &template, &builder)
    let pointer = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    let count = builder.number(blocks)
    builder.lines(
      """
      const \(builder.index) panel = GROUP_ID() / \(count);
      const \(builder.index) firstTerm = (GROUP_ID() - panel * \(count)) * WIDTH;
      const \(builder.index) lastTerm = SMALLER(firstTerm + WIDTH, \(template["terms"]!));
      GLOBAL \(lane.scalar) *weights = \(pointer) + panel * \(WinogradGeometry.positions) * \(template["weightDistance"]!)
          + firstTerm * \(template["panelWidth"]!);
      """)
    builder.append(template)
    let numbers = 9 * tiling.grid.source.channels * tiling.grid.results.channels
    launch(
      builder, groups: tiling.panels * blocks,
      .part(
        "transformed weights", read: numbers * lane.dtype.byteCount, written: tiling.sharedCount * lane.dtype.byteCount)
    )
  }

  /// Emits a kernel that transforms all patches. A work-item transforms the patches of some tiles.
  private mutating func transformPatches(_ step: Convolution, _ tiling: WinogradTiling) {
    let lane = step.dtype.lane
    let tilesPerItem = max(1, 2048 / tiling.grid.source.channels)
    var builder = KernelBuilder(family: "convolution_winograd_patches", target: target, isLarge: true)
    var template = winogradTemplate("convolution/winograd_patches.cl", tiling, &builder)
    fillPatches(step, tiling.grid, &template, &builder)
    let pointer = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    let (count, all) = (builder.number(tilesPerItem), builder.number(tiling.patchedTiles))
    builder.lines(
      """
      const \(builder.index) firstTile = GROUP_ID() * \(count);
      const \(builder.index) lastTile = SMALLER(firstTile + \(count), \(all));
      GLOBAL \(lane.scalar) *patches = \(pointer) + firstTile * \(template["pitch"]!);
      """)
    builder.append(template)
    let pixels = tiling.grid.images * tiling.grid.source.image
    launch(
      builder, groups: ceilDivide(tiling.patchedTiles, tilesPerItem),
      .part(
        "transformed patches", read: pixels * lane.dtype.byteCount, written: tiling.sharedCount * lane.dtype.byteCount))
  }

  private func winogradTemplate(
    _ file: String, _ tiling: WinogradTiling, _ builder: inout KernelBuilder
  ) -> KernelTemplate {
    var template = winogradTemplate(
      file, tiling.grid, pitch: tiling.pitch, patchDistance: tiling.patchDistance, &builder)
    template["panelWidth"] = builder.number(tiling.width)
    template["weightDistance"] = builder.number(tiling.weightDistance)
    return template
  }

  /// Returns a template with the values that all kernels on a grid of tiles share.
  func winogradTemplate(
    _ file: String, _ grid: WinogradGeometry, pitch: Int, patchDistance: Int, _ builder: inout KernelBuilder
  ) -> KernelTemplate {
    var template = KernelTemplate(file, .float32, builder)
    template["tileRows"] = String(WinogradTiling.rows)
    template["vectors"] = String(WinogradTiling.vectors)
    for (name, value) in [
      ("tiles", grid.tileCount), ("tilesDown", grid.tilesOfImage.down), ("tilesAcross", grid.tilesOfImage.across),
      ("terms", grid.source.channels), ("columns", grid.results.channels), ("gridHeight", grid.results.height),
      ("gridWidth", grid.results.width), ("pitch", pitch), ("patchDistance", patchDistance),
    ] {
      template[name] = builder.number(value)
    }
    template["TILE"] = template.with(file: "convolution/winograd_tile.cl").text
    return template
  }

  func fillPatches(
    _ step: Convolution, _ grid: WinogradGeometry, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let image = location(value: step.left)
    template["image"] =
      "(\(builder.pointer(step.dtype.storage, slot: image.slot)) + \(builder.number(image.offset)))"
    for (name, value) in [
      ("imageHeight", grid.source.height), ("imageWidth", grid.source.width), ("leadDown", grid.lead.down),
      ("leadAcross", grid.lead.across),
    ] {
      template[name] = builder.number(value)
    }
  }

  private func fillWeights(
    _ step: Convolution, _ tiling: WinogradTiling, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let source = location(value: step.right)
    let row = 9 * step.geometry.inputChannels
    template["source"] =
      "(\(builder.pointer(step.dtype.storage, slot: source.slot)) + \(builder.number(source.offset)))"
    // For the output, all weights of a result channel are contiguous. For the gradient of the input, only the weights
    // of one pair of channels are contiguous, and the order of the taps is reversed.
    let isFlipped = tiling.grid.isFlipped
    for (name, value) in [
      ("termsPerRun", isFlipped ? 1 : width), ("columnStride", isFlipped ? 9 : row),
      ("termStride", isFlipped ? row : 9), ("firstTap", isFlipped ? 8 : 0), ("tapStep", isFlipped ? -1 : 1),
    ] {
      template[name] = builder.number(value)
    }
  }
}
