import ApusDevice
import ApusSystem

extension PlanLowering {
  /// Lowers the three passes as products of implicit matrices (implicit GEMM). `x` is the input, `y` the output:
  ///
  /// | pass | rows | columns | depth |
  /// |---|---|---|---|
  /// | `output` | channels of `y` | positions of `y`, all images | channels of `x`, taps |
  /// | `inputGradient` | channels of `x` | positions of `x`, all images | channels of `y`, taps |
  /// | `weightGradient` | channels of `y` | channels of `x`, taps | positions of `y`, all images |
  ///
  /// Extents are constants in the kernel source, so that the compiler replaces divisions by multiplications.
  mutating func lowerTiled(_ step: Convolution) {
    let g = step.geometry
    let lane = step.dtype.lane
    let taps = g.kernel.wrappedProduct
    let (x, y) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
    let (rows, columns, depth) =
      switch step.pass {
      case .output: (y, g.batch * g.output.wrappedProduct, x * taps)
      case .inputGradient: (x, g.batch * g.input.wrappedProduct, y * taps)
      case .weightGradient: (y, x * taps, g.batch * g.output.wrappedProduct)
      }
    let tile = chooseTile(
      "convolution \(step.pass) \(step.dtype) taps\(taps) g\(Self.sizeClass(g.groups))", batch: g.groups, rows: rows,
      columns: columns, depth: depth, lane: lane)
    let rowTiles = ceilDivide(rows, tile.rows)
    let columnTiles = ceilDivide(columns, tile.columns)
    // A long sum for few results is split into parts to occupy the device. The split determines the bits of the sum, so
    // the split does not depend on the tile size, which may differ between devices.
    let squares = ceilDivide(rows, 64) * ceilDivide(columns, 64) * g.groups
    let parts = step.pass == .weightGradient ? max(1, min(64, depth / 1024, 512 / squares)) : 1
    let partSize = ceilDivide(depth, parts)
    let xCount = g.batch * g.inputChannels * g.input.wrappedProduct
    let yCount = g.batch * g.outputChannels * g.output.wrappedProduct
    let wCount = g.outputChannels * (g.inputChannels / g.groups) * g.kernel.wrappedProduct
    let offset = max(
      location(value: step.left).offset, location(value: step.right).offset, maximumOffset(of: step.epilogue))

    var builder = KernelBuilder(
      family: "convolution_tiled", target: target,
      isLarge: KernelBuilder.isLarge(max(xCount, yCount, parts * wCount) + offset))
    builder.fillsRegisters = true
    var template = KernelTemplate(tile, lane, &builder)
    template["rows"] = String(rows)
    template["columns"] = String(columns)
    template["rowTiles"] = String(rowTiles)
    template["columnTiles"] = String(columnTiles)
    template["BATCH"] = """
      const \(builder.index) part = batch / \(g.groups);
      const \(builder.index) group = batch - part * \(g.groups);
      const \(builder.index) until = SMALLER((part + 1) * \(partSize), (\(builder.index))\(depth));
      """
    template["begin"] = "part * \(partSize)"
    template["end"] = "until"
    fillLoads(step, tile, &template, &builder)
    fillResults(step, rows: rows, columns: columns, &template, &builder)
    builder.append(template)
    needWorkspace(step.pass == .weightGradient ? parts * g.groups * rows * columns * lane.dtype.byteCount : 0)
    launch(
      builder, groups: parts * g.groups * rowTiles * columnTiles, localSize: tile.items)
    if step.pass == .weightGradient { lowerSum(of: parts, lane: lane, workspaceOffset: 0, step.epilogue) }
  }

  /// Fills in the stores of the product's elements.
  private func fillResults(
    _ step: Convolution, rows: Int, columns: Int, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let g = step.geometry
    if step.pass == .weightGradient {
      let workspace = builder.pointer(step.dtype.lane.scalar, slot: slots.workspace, isConstant: false)
      template["OUTPUT"] = ""
      template["ROW"] = ""
      template["EPILOGUE"] =
        "\(workspace)[(batch * \(rows) + tiledRow) * \(columns) + tiledColumn] = core;"
    } else {
      let output = step.pass == .output ? g.output : g.input
      template["OUTPUT"] = """
        \(Self.splittingIndex("tiledColumn", ["image", "d", "h", "column"], [output.x, output.y, output.z], builder.index))
        const \(builder.index) output = ((image * \(g.groups * rows) + group * \(rows) + tiledRow) * \(output.x) + d) * \(output.y) + h;
        """
      fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    }
  }

  /// Fills in the loads of the two factors.
  private func fillLoads(
    _ step: Convolution, _ tile: GroupTile, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let texts = loads(step, &builder)
    for (side, text) in [(KernelTemplate.Side.left, texts.left), (.right, texts.right)] {
      template.fetch(side, of: tile, alongDepth: side == .left || step.pass == .weightGradient, quad: 1) { next in
        "\(step.dtype.lane.vector) value = 0;\n\(text)\n\(next)] = value;"
      }
    }
  }

  /// Returns code that assigns an element of each factor to `value`.
  private func loads(_ step: Convolution, _ builder: inout KernelBuilder) -> (left: String, right: String) {
    let g = step.geometry
    let index = builder.index
    let left = load(step.left, step.dtype, &builder)
    let right = load(step.right, step.dtype, &builder)
    let taps = g.kernel.wrappedProduct
    let (x, y) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
    let kernel = [g.kernel.x, g.kernel.y, g.kernel.z]
    let input = [g.input.x, g.input.y, g.input.z]
    let output = [g.output.x, g.output.y, g.output.z]
    func split(_ number: String, _ names: [String], _ extents: [Int]) -> String {
      Self.splittingIndex(number, names, extents, index) + "\n"
    }
    let yOffset = "((image * \(g.groups) + group) * \(y) + channel) * \(g.output.wrappedProduct)"
    switch step.pass {
    case .output:
      return (
        "value = \(right("(group * \(y) + row) * \(x * taps) + depth"));",
        split("column", ["image", "d", "h", "w"], output)
          + split("depth", ["channel", "tapD", "tapH", "tapW"], kernel) + readInput(g, channels: x, index, left)
      )
    case .inputGradient:
      return (
        """
        const \(index) channel = depth / \(taps);
        value = \(right("((group * \(y) + channel) * \(x) + row) * \(taps) + (depth - channel * \(taps))"));
        """,
        split("column", ["image", "d", "h", "w"], input)
          + split("depth", ["channel", "tapD", "tapH", "tapW"], kernel) + readOutput(g, yOffset, index, left)
      )
    case .weightGradient:
      let positions = g.output.wrappedProduct
      return (
        """
        const \(index) image = depth / \(positions);
        const \(index) channel = row;
        value = \(right("\(yOffset) + (depth - image * \(positions))"));
        """,
        split("depth", ["image", "d", "h", "w"], output)
          + split("column", ["channel", "tapD", "tapH", "tapW"], kernel) + readInput(g, channels: x, index, left)
      )
    }
  }

  /// Returns code that loads a term of the gradient of an element of `x`: the gradient of the output for which a tap
  /// reads this element. If there is no such output, the value remains 0.
  private func readOutput(
    _ g: ConvolutionGeometry, _ offset: String, _ index: String, _ load: (String) -> String
  ) -> String {
    let sources = zip("DHW", "dhw").enumerated().map { axis, letters in
      "const \(index) from\(letters.0) = \(letters.1) + \(g.padding[axis]) - tap\(letters.0) * \(g.dilation[axis]);"
    }
    let bounds = zip("DHW", 0..<3).map { letter, axis in
      "from\(letter) >= 0 && from\(letter) % \(g.stride[axis]) == 0 && from\(letter) / \(g.stride[axis]) < \(g.output[axis])"
    }
    let rows = "(fromD / \(g.stride.x)) * \(g.output.y) + fromH / \(g.stride.y)"
    return """
      \(sources.joined(separator: "\n"))
      if (\(bounds.joined(separator: " && "))) {
        value = \(load("\(offset) + (\(rows)) * \(g.output.z) + fromW / \(g.stride.z)"));
      }
      """
  }

  /// Returns code that loads the element of `x` that a tap reads for an output. Outside of the image, the value remains
  /// 0.
  private func readInput(
    _ g: ConvolutionGeometry, channels: Int, _ index: String, _ load: (String) -> String
  ) -> String {
    let sources = zip("DHW", "dhw").enumerated().map { axis, letters in
      "const \(index) from\(letters.0) = \(letters.1) * \(g.stride[axis]) + tap\(letters.0) * \(g.dilation[axis]) - \(g.padding[axis]);"
    }
    let bounds = zip("DHW", 0..<3).map { letter, axis in
      "from\(letter) >= 0 && from\(letter) < \(g.input[axis])"
    }
    let row =
      "(((image * \(g.groups) + group) * \(channels) + channel) * \(g.input.x) + fromD) * \(g.input.y) + fromH"
    return """
      \(sources.joined(separator: "\n"))
      if (\(bounds.joined(separator: " && "))) {
        value = \(load("(\(row)) * \(g.input.z) + fromW"));
      }
      """
  }

  /// Makes a contiguous value an argument of the kernel. Returns a function from the offset of an element to code that
  /// loads the element.
  private func load(_ value: Int, _ dtype: DType, _ builder: inout KernelBuilder) -> (String) -> String {
    let location = location(value: value)
    let pointer = builder.pointer(dtype.storage, slot: location.slot)
    let offset = builder.number(location.offset)
    return { "LOAD_\(dtype)(\(pointer), \(offset) + \($0), 1)" }
  }

  /// Returns code that splits a row-major index into coordinates; `extents` contains the extent of each coordinate
  /// except the first.
  static func splittingIndex(
    _ number: String, _ names: [String], _ extents: [some CustomStringConvertible], _ index: String
  ) -> String {
    var lines: [String] = []
    var rest = number
    for (name, extent) in zip(names.dropFirst(), extents).reversed() {
      let quotient = "\(name)Rest"
      lines.append("const \(index) \(quotient) = (\(rest)) / \(extent);")
      lines.append("const \(index) \(name) = (\(rest)) - \(quotient) * \(extent);")
      rest = quotient
    }
    lines.append("const \(index) \(names[0]) = \(rest);")
    return lines.joined(separator: "\n")
  }
}
