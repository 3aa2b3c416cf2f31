import ApusDevice

extension PlanLowering {
  /// The three passes as products of matrices that are never written down:
  ///
  /// | pass | rows | columns | depth |
  /// |---|---|---|---|
  /// | `output` | channels of `y` | places of `y`, all images | channels of `x`, taps |
  /// | `inputGradient` | channels of `x` | places of `x`, all images | channels of `y`, taps |
  /// | `weightGradient` | channels of `y` | channels of `x`, taps | places of `y`, all images |
  ///
  /// Extents are constants of the text: the compiler then divides by multiplying.
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
    let tile = 64
    let tileRows = (rows + tile - 1) / tile
    let tileColumns = (columns + tile - 1) / tile
    // A long sum over few results is cut, so that the device has work.
    let parts =
      step.pass == .weightGradient ? max(1, min(64, depth / 1024, 512 / (tileRows * tileColumns * g.groups))) : 1
    let partSize = (depth + parts - 1) / parts
    let xCount = g.batch * g.inputChannels * g.input.wrappedProduct
    let yCount = g.batch * g.outputChannels * g.output.wrappedProduct
    let depthStep = lane == .float64 || lane == .int64 ? 8 : 16

    var builder = KernelBuilder(family: "convolution_tiled", target: target, isLarge: max(xCount, yCount) >= 1 << 30)
    var template = KernelTemplate(tile: tile, depth: depthStep, lane, &builder)
    builder.begin("const int count = 1;")
    template["rows"] = String(rows)
    template["columns"] = String(columns)
    template["tileRows"] = String(tileRows)
    template["tileColumns"] = String(tileColumns)
    template["BATCH"] = """
      const \(builder.index) part = batch / \(g.groups);
      const \(builder.index) group = batch - part * \(g.groups);
      const \(builder.index) until = SMALLER((part + 1) * \(partSize), (\(builder.index))\(depth));
      """
    template["begin"] = "part * \(partSize)"
    template["end"] = "until"
    // Neighbouring work-items read neighbouring places.
    (template["leftDepth"], template["leftRow"]) = ("element % \(depthStep)", "element / \(depthStep)")
    (template["rightColumn"], template["rightDepth"]) = ("element % \(tile)", "element / \(tile)")
    fillLoads(step, &template, &builder)
    fillResults(step, rows: rows, columns: columns, &template, &builder)
    builder.append(template)
    needWorkspace(step.pass == .weightGradient ? parts * g.groups * rows * columns * lane.dtype.byteCount : 0)
    launch(
      builder, groups: parts * g.groups * tileRows * tileColumns, localSize: 64, detail: detail(step),
      flops: 2 * Double(g.multiplyAdds), bytes: bytes(step))
    if step.pass == .weightGradient { lowerSum(of: parts, lane: lane, workspaceOffset: 0, step.epilogue) }
  }

  /// Fills in where the elements of the product go.
  private func fillResults(
    _ step: Convolution, rows: Int, columns: Int, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let g = step.geometry
    if step.pass == .weightGradient {
      let workspace = builder.pointer(step.dtype.lane.scalar, slot: slots.workspace, isConstant: false)
      template["PLACE"] = ""
      template["ROW"] = ""
      template["EPILOGUE"] =
        "\(workspace)[(batch * \(rows) + tiledRow) * \(columns) + tiledColumn] = core;"
    } else {
      let output = step.pass == .output ? g.output : g.input
      template["PLACE"] = """
        \(Self.takingApart("tiledColumn", ["image", "d", "h", "column"], [output.x, output.y, output.z], builder.index))
        const \(builder.index) output = ((image * \(g.groups * rows) + group * \(rows) + tiledRow) * \(output.x) + d) * \(output.y) + h;
        """
      fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    }
  }

  /// Fills in where the elements of the two matrices come from.
  private func fillLoads(
    _ step: Convolution, _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let g = step.geometry
    let index = builder.index
    let left = load(step.left, step.dtype, &builder)
    let right = load(step.right, step.dtype, &builder)
    let taps = g.kernel.wrappedProduct
    let (x, y) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
    let kernel = [g.kernel.x, g.kernel.y, g.kernel.z]
    let output = [g.output.x, g.output.y, g.output.z]
    let yPlace = "((image * \(g.groups) + group) * \(y) + channel) * \(g.output.wrappedProduct)"
    switch step.pass {
    case .output:
      template["LEFT"] = "value = \(right("(group * \(y) + row) * \(x * taps) + depth"));"
      template["RIGHT"] = """
        \(Self.takingApart("column", ["image", "d", "h", "w"], output, index))
        \(Self.takingApart("depth", ["channel", "tapD", "tapH", "tapW"], kernel, index))
        \(readInput(g, channels: x, index, left))
        """
    case .inputGradient:
      let input = [g.input.x, g.input.y, g.input.z]
      template["LEFT"] = """
        const \(index) channel = depth / \(taps);
        value = \(right("((group * \(y) + channel) * \(x) + row) * \(taps) + (depth - channel * \(taps))"));
        """
      template["RIGHT"] = """
        \(Self.takingApart("column", ["image", "d", "h", "w"], input, index))
        \(Self.takingApart("depth", ["channel", "tapD", "tapH", "tapW"], kernel, index))
        \(zip("DHW", "dhw").enumerated().map { axis, letters in
          "const \(index) from\(letters.0) = \(letters.1) + \(g.padding[axis]) - tap\(letters.0) * \(g.dilation[axis]);"
        }.joined(separator: "\n"))
        if (fromD >= 0 && fromH >= 0 && fromW >= 0 && fromD % \(g.stride.x) == 0 && fromH % \(g.stride.y) == 0 && fromW % \(g.stride.z) == 0 && fromD / \(g.stride.x) < \(g.output.x) && fromH / \(g.stride.y) < \(g.output.y) && fromW / \(g.stride.z) < \(g.output.z)) {
          value = \(left("\(yPlace) + ((fromD / \(g.stride.x)) * \(g.output.y) + fromH / \(g.stride.y)) * \(g.output.z) + fromW / \(g.stride.z)"));
        }
        """
    case .weightGradient:
      let places = g.output.wrappedProduct
      template["LEFT"] = """
        const \(index) image = depth / \(places);
        const \(index) channel = row;
        value = \(right("\(yPlace) + (depth - image * \(places))"));
        """
      template["RIGHT"] = """
        \(Self.takingApart("depth", ["image", "d", "h", "w"], output, index))
        \(Self.takingApart("column", ["channel", "tapD", "tapH", "tapW"], kernel, index))
        \(readInput(g, channels: x, index, left))
        """
    }
  }

  /// The element of `x` that a tap needs for an output, or nothing outside.
  private func readInput(
    _ g: ConvolutionGeometry, channels: Int, _ index: String, _ load: (String) -> String
  ) -> String {
    let places = zip("DHW", "dhw").enumerated().map { axis, letters in
      "const \(index) from\(letters.0) = \(letters.1) * \(g.stride[axis]) + tap\(letters.0) * \(g.dilation[axis]) - \(g.padding[axis]);"
    }
    let bounds = zip("DHW", 0..<3).map { letter, axis in
      "from\(letter) >= 0 && from\(letter) < \(g.input[axis])"
    }
    let place =
      "(((image * \(g.groups) + group) * \(channels) + channel) * \(g.input.x) + fromD) * \(g.input.y) + fromH"
    return """
      \(places.joined(separator: "\n"))
      if (\(bounds.joined(separator: " && "))) {
        value = \(load("(\(place)) * \(g.input.z) + fromW"));
      }
      """
  }

  /// Binds a contiguous value; the result turns an offset into the text that reads it.
  private func load(_ value: Int, _ dtype: DType, _ builder: inout KernelBuilder) -> (String) -> String {
    let place = place(value: value)
    let pointer = builder.pointer(dtype.storage, slot: place.slot)
    let offset = builder.number(place.offset)
    return { "LOAD_\(dtype)(\(pointer), \(offset) + \($0), 1)" }
  }

  /// Lines that take a row-major number apart; `extents` are those of all coordinates but the first.
  static func takingApart(
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
