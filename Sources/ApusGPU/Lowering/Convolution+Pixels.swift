import ApusDevice
import ApusSystem

extension ConvolutionGeometry {
  /// The offset, from the origin of the window, of the pixel that a tap reads: `tap · dilation − padding` of each axis.
  func offset(ofTap row: Int, _ column: Int) -> (down: Int, across: Int) {
    (row * dilation.y - padding.y, column * dilation.z - padding.z)
  }
}

/// The windows of a convolution over channels-last images: the pixels that the taps read for a grid of results, and the
/// locations of the results.
struct PixelWindows {
  /// The numbers of rows, columns and channels of the image that is read.
  var image: (height: Int, width: Int, channels: Int)
  /// The numbers of images, rows and columns of the grid of results.
  var grid: (batch: Int, height: Int, width: Int)
  /// The distance between neighboring windows.
  var step: (down: Int, across: Int)
  /// For each tap, the offset of its pixel from the origin of the window. The window of result (i, j) of the grid has
  /// its origin at pixel (i · step.down, j · step.across).
  var taps: [(down: Int, across: Int)]
  /// The index of this grid's first tap among the taps of all grids, in the order of the packed weights.
  var firstSlot = 0
  /// The numbers of rows and columns of all results. The grid covers every `scale`th row and column, from `shift` on.
  var result: (height: Int, width: Int)
  var scale = (down: 1, across: 1)
  var shift = (down: 0, across: 0)

  var count: Int { grid.batch * grid.height * grid.width }

  /// Returns the windows of a convolution's output.
  static func output(_ g: ConvolutionGeometry) -> PixelWindows {
    PixelWindows(
      image: (g.input.y, g.input.z, g.inputChannels), grid: (g.batch, g.output.y, g.output.z),
      step: (g.stride.y, g.stride.z),
      taps: (0..<g.kernel.y).flatMap { r in
        (0..<g.kernel.z).map { s in g.offset(ofTap: r, s) }
      },
      result: (g.output.y, g.output.z))
  }

  /// Returns the windows of a gradient of the input: one grid for each remainder of the coordinates modulo the stride.
  /// Pixels with different remainders are reached by different taps. `slots` maps each tap to its index among the taps
  /// of all grids.
  static func inputGradient(_ g: ConvolutionGeometry) -> (windows: [PixelWindows], slots: [Int]) {
    var windows: [PixelWindows] = []
    var slots = [Int](repeating: 0, count: g.kernel.y * g.kernel.z)
    var slot = 0
    for down in 0..<g.stride.y {
      for across in 0..<g.stride.z {
        var grid = PixelWindows(
          image: (g.output.y, g.output.z, g.outputChannels),
          grid: (
            g.batch, ceilDivide(g.input.y - down, g.stride.y),
            ceilDivide(g.input.z - across, g.stride.z)
          ), step: (1, 1), taps: [], firstSlot: slot, result: (g.input.y, g.input.z), scale: (g.stride.y, g.stride.z),
          shift: (down, across))
        for r in 0..<g.kernel.y {
          for s in 0..<g.kernel.z {
            let y = down + g.padding.y - r * g.dilation.y
            let x = across + g.padding.z - s * g.dilation.z
            guard y % g.stride.y == 0, x % g.stride.z == 0 else { continue }
            grid.taps.append((y / g.stride.y, x / g.stride.z))
            slots[r * g.kernel.z + s] = slot
            slot += 1
          }
        }
        if grid.grid.height > 0, grid.grid.width > 0 { windows.append(grid) }
      }
    }
    return (windows, slots)
  }
}

extension PlanLowering {
  /// Lowers the output or the input gradient of a convolution to matrix products of pixels and the weights of each tap.
  mutating func lowerPixels(_ step: Convolution) {
    if step.pass == .output {
      let slots = Array(0..<step.geometry.kernel.wrappedProduct)
      lowerProducts(step, [.output(step.geometry)], slots: slots)
    } else {
      let (windows, slots) = PixelWindows.inputGradient(step.geometry)
      lowerProducts(step, windows, slots: slots)
    }
  }

  private mutating func lowerProducts(_ step: Convolution, _ windows: [PixelWindows], slots: [Int]) {
    let g = step.geometry
    let lane = step.dtype.lane
    let isForward = step.pass == .output
    let columns = isForward ? g.outputChannels : g.inputChannels
    let terms = isForward ? g.inputChannels : g.outputChannels
    // All grids use the same panel width (result channels per panel), chosen for the grid with the most taps.
    let largest = windows.max { $0.taps.count < $1.taps.count }!
    // For 64 pixels or more, the tile is chosen as if there were at least 512, so that different batch sizes share
    // kernels.
    let tile = chooseTile(
      "convolution \(step.pass) \(step.dtype) taps\(largest.taps.count)",
      m: largest.count < 64 ? largest.count : max(512, largest.count), n: columns, terms: largest.taps.count * terms)
    let tiling = VectorTiling(
      m: largest.count, n: columns, segments: largest.taps.count, terms: terms, tile: tile, lane: lane,
      registerWidth: width)
    let weights = MemoryLocation(slot: self.slots.workspace, offset: 0)
    transposeWeights(step, columns: columns, channels: terms, width: tiling.width, slots: slots, to: weights)
    needWorkspace(tiling.panels * slots.count * terms * tiling.width * lane.dtype.byteCount)
    let productCount = windows.reduce(0) { $0 + $1.count * $1.taps.count }
    for grid in windows {
      launch(
        step, grid, weights: weights, columns: columns, like: tiling, taps: slots.count,
        share: Double(grid.count * grid.taps.count) / Double(max(1, productCount)))
    }
  }

  private mutating func launch(
    _ step: Convolution, _ windows: PixelWindows, weights: MemoryLocation, columns: Int, like model: VectorTiling,
    taps: Int, share: Double
  ) {
    let lane = step.dtype.lane
    let image = location(value: step.left)
    var tiling = VectorTiling(
      m: windows.count, n: columns, segments: windows.taps.count, terms: windows.image.channels, like: model)
    // The taps are split into blocks, each with at most 512 KiB of a panel's weights, or one tap. The weights of a
    // block stay in the L2 cache while all tiles read them.
    let tapBytes = tiling.width * tiling.terms * lane.dtype.byteCount
    let blocks = ceilDivide(windows.taps.count * tapBytes, 1 << 19)
    tiling.segmentsPerBlock = max(1, ceilDivide(windows.taps.count, max(1, blocks)))
    tiling.deal(
      batch: 1, bytesPerTile: 2 * tiling.rows * tiling.terms * lane.dtype.byteCount, enough: target.enoughItems)

    var builder = KernelBuilder(family: "convolution_pixels", target: target, isLarge: true)
    var template = KernelTemplate(
      tiling, lane, left: (step.dtype, image.slot), right: (lane.dtype, weights.slot), &builder)
    template["BATCH"] = ""
    template["kStride"] = "1"
    template["bStride"] = builder.number(tiling.width)
    template["panelStride"] = builder.number(taps * tiling.terms * tiling.width)
    template["leftOffset"] = builder.number(image.offset)
    template["rightOffset"] = builder.number(weights.offset + windows.firstSlot * tiling.terms * tiling.width)
    for (name, value) in [
      ("imageHeight", windows.image.height), ("imageWidth", windows.image.width), ("gridHeight", windows.grid.height),
      ("gridWidth", windows.grid.width), ("stepDown", windows.step.down), ("stepAcross", windows.step.across),
    ] {
      template[name] = builder.number(value)
    }
    template["OUTPUT"] = outputIndex(of: windows, &builder)
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    template["tapTable"] = builder.table(windows.taps.flatMap { [$0.down, $0.across] })
    // The channels of a pixel outside of the image are zeros. Kernels read whole registers, so these zeros extend past
    // the last channel.
    let zeros = (tiling.terms + width) * step.dtype.byteCount
    template["zeros"] = builder.table([Int](repeating: 0, count: ceilDivide(zeros, 8)))
    template["TILE"] = template.with(file: "convolution/pixel_tile.cl").text
    template["LEFT"] = template.with(file: "convolution/pixel_tap.cl").text
    template.fillRight(packedTerms: nil)
    template.fillTerms(of: step.dtype)
    builder.append(template)
    launch(builder, groups: tiling.parts * tiling.chunks, .step(share: share))
  }

  /// Returns code that declares `output`, which is the index, among all results, of result `first + m` of the grid.
  private func outputIndex(of windows: PixelWindows, _ builder: inout KernelBuilder) -> String {
    let index = builder.index
    if windows.scale == (1, 1) { return "const \(index) output = first + m;" }
    let numbers = [
      windows.grid.width, windows.grid.height, windows.result.height, windows.scale.down, windows.shift.down,
      windows.result.width, windows.scale.across, windows.shift.across,
    ].map { builder.number($0) }
    return """
      const \(index) line = (first + m) / \(numbers[0]);
      const \(index) inside = first + m - line * \(numbers[0]);
      const \(index) image = line / \(numbers[1]);
      const \(index) result = image * \(numbers[2]) + (line - image * \(numbers[1])) * \(numbers[3]) + \(numbers[4]);
      const \(index) output = result * \(numbers[5]) + inside * \(numbers[6]) + \(numbers[7]);
      """
  }

  /// Emits the launch that packs the weights in the order in which kernels read them: panels of result channels, and in
  /// each panel the taps. `slots` contains the position of each tap in a panel.
  private mutating func transposeWeights(
    _ step: Convolution, columns: Int, channels: Int, width panelWidth: Int, slots: [Int], to target: MemoryLocation
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    let source = location(value: step.right)
    let taps = slots.count
    let isForward = step.pass == .output
    // A run is a range of contiguous weights: all taps of `channelsPerRun` channels. For the output, all weights of a
    // result channel are contiguous. For the gradient of the input, only the weights of one pair of channels are.
    let channelsPerRun = isForward ? min(channels, width) : 1
    let runs = ceilDivide(channels, channelsPerRun)
    let panels = ceilDivide(columns, panelWidth)
    let runsPerItem = max(1, min(runs, 16384 / (panelWidth * channelsPerRun * taps)))

    var builder = KernelBuilder(family: "convolution_pack_pixel_weights", target: self.target, isLarge: true)
    var template = KernelTemplate("convolution/pack_pixel_weights.cl", lane, builder)
    template["source"] = builder.pointer(step.dtype.storage, slot: source.slot)
    let pointer = builder.pointer(lane.scalar, slot: target.slot, isConstant: false)
    template["target"] = "(\(pointer) + \(builder.number(target.offset)))"
    template["offset"] = builder.number(source.offset)
    template["dtype"] = step.dtype.description
    for (name, value) in [
      ("panels", panels), ("runs", runs), ("runsPerItem", runsPerItem), ("channels", channels),
      ("channelsPerRun", channelsPerRun), ("taps", taps), ("width", panelWidth), ("columns", columns),
      ("runStride", isForward ? channelsPerRun * taps : g.inputChannels * taps),
      ("columnStride", isForward ? g.inputChannels * taps : taps),
    ] {
      template[name] = builder.number(value)
    }
    template["slots"] = builder.table(slots)
    builder.append(template)
    launch(
      builder, groups: panels * ceilDivide(runs, runsPerItem),
      .part(
        "packed weights", read: columns * channels * taps * step.dtype.byteCount,
        written: columns * channels * taps * lane.dtype.byteCount))
  }
}
