import ApusDevice
import ApusSystem

extension ConvolutionGeometry {
  /// Whether `Kernels/matmul/matrix.cl` can compute the passes of the convolution over channels-last images. The images
  /// and the kernel must have depth 1, and the channels one group. The channels of a pixel must be a multiple of 16
  /// bytes.
  func hasMatrixProducts(_ dtype: DType, _ inputPrecision: InputPrecision) -> Bool {
    guard hasPixelProducts(dtype), let format = MatrixFormat(dtype, inputPrecision) else { return false }
    return inputChannels % format.chunk == 0 && outputChannels % format.chunk == 0
  }
}

extension PlanLowering {
  /// Lowers a pass over channels-last images as a product of implicit matrices (implicit GEMM), which
  /// `Kernels/matmul/matrix.cl` computes. `x` is the input, `y` the output; a pixel is one position in one image; depth is the inner dimension of the product:
  ///
  /// | pass | rows | columns | depth |
  /// |---|---|---|---|
  /// | `output` | pixels of `y` | channels of `y` | taps, channels of `x` |
  /// | `inputGradient` | pixels of `x` | channels of `x` | taps, channels of `y` |
  /// | `weightGradient` | channels of `y` | taps, channels of `x` | pixels of `y` |
  ///
  /// Extents are constants in the kernel source, so that the compiler replaces divisions by multiplications.
  mutating func lowerMatrix(_ step: Convolution) {
    let g = step.geometry
    let format = MatrixFormat(step.dtype, step.inputPrecision)!
    let (taps, x, y) = (g.kernel.wrappedProduct, g.inputChannels, g.outputChannels)
    let (inputPixels, outputPixels) = (g.batch * g.input.wrappedProduct, g.batch * g.output.wrappedProduct)
    let (rows, columns, depth) =
      switch step.pass {
      case .output: (outputPixels, y, taps * x)
      case .inputGradient: (inputPixels, x, taps * y)
      case .weightGradient: (y, taps * x, outputPixels)
      }
    let parts = step.pass == .weightGradient ? Self.split(depth, rows, columns) : SumParts(count: 1, size: depth)
    let tile = chooseMatrixTile(
      "convolution \(step.pass) \(format) taps\(taps)", format, batch: parts.count, rows: rows, columns: columns,
      depth: parts.size)
    let offset = max(
      location(value: step.left).offset, location(value: step.right).offset, maximumOffset(of: step.epilogue))
    if step.pass != .weightGradient { lowerReorderedWeights(step) }

    var builder = KernelBuilder(
      family: "convolution_\(format.kernelName)", target: target,
      isLarge: KernelBuilder.isLarge(max(inputPixels * x, outputPixels * y, parts.count * taps * x * y) + offset))
    builder.fillsRegisters = format == .float32
    var template = KernelTemplate(tile, format, &builder)
    let (rowTiles, columnTiles) = (ceilDivide(rows, tile.rows), ceilDivide(columns, tile.columns))
    for (name, value) in [
      ("rows", rows), ("columns", columns), ("rowTiles", rowTiles), ("columnTiles", columnTiles),
    ] {
      template[name] = String(value)
    }
    template["BATCH"] =
      "const \(builder.index) until = SMALLER((batch + 1) * \(parts.size), (\(builder.index))\(depth));"
    template["begin"] = "batch * \(parts.size)"
    template["end"] = "until"
    let (left, right) = copies(step, format, rows: rows, columns: columns, &builder)
    template.insert(left, right, of: tile, format)
    if step.pass == .weightGradient {
      let workspace = builder.pointer(step.dtype.lane.scalar, slot: slots.workspace, isConstant: false)
      template["OUTPUT"] = "const \(builder.index) tap = tiledColumn / \(x);"
      template["ROW"] = ""
      template["EPILOGUE"] =
        "\(workspace)[((batch * \(rows) + tiledRow) * \(x) + (tiledColumn - tap * \(x))) * \(taps) + tap] = core;"
      needWorkspace(parts.count * rows * columns * step.dtype.lane.dtype.byteCount)
    } else {
      template["OUTPUT"] = "const \(builder.index) output = tiledRow;\nconst \(builder.index) column = tiledColumn;"
      fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    }
    builder.append(template)
    launch(builder, groups: parts.count * rowTiles * columnTiles, localSize: tile.items)
    if step.pass == .weightGradient {
      lowerSum(of: parts.count, lane: step.dtype.lane, workspaceOffset: 0, step.epilogue)
    }
  }

  /// Copies the weights to the workspace as `[column, tap, channel]`, where the sums run over the taps and channels.
  private mutating func lowerReorderedWeights(_ step: Convolution) {
    let g = step.geometry
    let isForward = step.pass == .output
    let (columns, channels) = isForward ? (g.outputChannels, g.inputChannels) : (g.inputChannels, g.outputChannels)
    let taps = g.kernel.wrappedProduct
    let count = columns * channels * taps
    let source = location(value: step.right)
    var builder = KernelBuilder(
      family: "convolution_pack_matrix_weights", target: target, isLarge: KernelBuilder.isLarge(count + source.offset))
    var template = KernelTemplate("convolution/pack_matrix_weights.cl", step.dtype.lane, builder)
    template["source"] = builder.pointer(step.dtype.storage, slot: source.slot)
    template["target"] = builder.pointer(step.dtype.storage, slot: slots.workspace, isConstant: false)
    for (name, value) in [
      ("offset", source.offset), ("taps", taps), ("channels", channels), ("count", count),
      ("columnStride", isForward ? channels * taps : taps), ("channelStride", isForward ? taps : columns * taps),
    ] {
      template[name] = builder.number(value)
    }
    template["items"] = "256"
    builder.append(template)
    needWorkspace(count * step.dtype.byteCount)
    launch(
      builder, groups: ceilDivide(count, 256), localSize: 256,
      .part("reordered weights", read: count * step.dtype.byteCount, written: count * step.dtype.byteCount))
  }

  /// The copies of both factors.
  private func copies(
    _ step: Convolution, _ format: MatrixFormat, rows: Int, columns: Int, _ builder: inout KernelBuilder
  ) -> (left: MatrixCopy, right: MatrixCopy) {
    let g = step.geometry
    let index = builder.index
    func pointer(_ value: Int) -> (name: String, offset: String, isAligned: Bool) {
      let location = location(value: value)
      return (
        builder.pointer(step.dtype.storage, slot: location.slot), builder.number(location.offset),
        location.offset % format.chunk == 0
      )
    }
    let (image, offset, isAligned) = pointer(step.left)
    let (x, y) = (g.inputChannels, g.outputChannels)
    guard step.pass == .weightGradient else {
      let isForward = step.pass == .output
      let channels = isForward ? x : y
      let weights = builder.pointer(step.dtype.storage, slot: slots.workspace)
      let text =
        Self.splittingIndex(
          "row", ["image", "h", "w"], isForward ? [g.output.y, g.output.z] : [g.input.y, g.input.z], index)
        + "\n" + Self.splittingIndex("depth", ["tapH", "tapW", "channel"], [g.kernel.z, channels], index) + "\n"
        + (isForward ? Self.inputPixel(g, index) : Self.outputPixel(g, index))
      let length = channels * g.kernel.wrappedProduct
      return (
        MatrixCopy(
          .left, format, image, "\(offset) + from * \(channels) + channel", isAligned: isAligned, isTransposed: false,
          if: "isInside && row < \(rows) && depth < until", text),
        MatrixCopy(
          .right, format, weights, "column * \(length) + depth", isTransposed: false,
          if: "column < \(columns) && depth < until"),
      )
    }
    let gradient = pointer(step.right)
    let window =
      Self.splittingIndex("depth", ["image", "h", "w"], [g.output.y, g.output.z], index) + "\n"
      + Self.splittingIndex("column", ["tapH", "tapW", "channel"], [g.kernel.z, x], index) + "\n"
      + Self.inputPixel(g, index)
    return (
      MatrixCopy(
        .left, format, gradient.name, "\(gradient.offset) + depth * \(y) + row", isAligned: gradient.isAligned,
        isTransposed: true, if: "row < \(rows) && depth < until"),
      MatrixCopy(
        .right, format, image, "\(offset) + from * \(x) + channel", isAligned: isAligned, isTransposed: true,
        if: "isInside && column < \(columns) && depth < until", window),
    )
  }

  /// Code that computes `from`, the pixel of `x` that a tap reads for the pixel `(image, h, w)` of `y`, and `isInside`,
  /// whether this pixel is inside of the image.
  private static func inputPixel(_ g: ConvolutionGeometry, _ index: String) -> String {
    """
    const \(index) fromH = h * \(g.stride.y) + tapH * \(g.dilation.y) - \(g.padding.y);
    const \(index) fromW = w * \(g.stride.z) + tapW * \(g.dilation.z) - \(g.padding.z);
    const int isInside = fromH >= 0 && fromH < \(g.input.y) && fromW >= 0 && fromW < \(g.input.z);
    const \(index) from = (image * \(g.input.y) + fromH) * \(g.input.z) + fromW;
    """
  }

  /// Code that computes `from`, the pixel of `y` for which a tap reads the pixel `(image, h, w)` of `x`, and
  /// `isInside`, whether there is such a pixel.
  private static func outputPixel(_ g: ConvolutionGeometry, _ index: String) -> String {
    """
    const \(index) fromH = h + \(g.padding.y) - tapH * \(g.dilation.y);
    const \(index) fromW = w + \(g.padding.z) - tapW * \(g.dilation.z);
    const int isInside = fromH >= 0 && fromH % \(g.stride.y) == 0 && fromH / \(g.stride.y) < \(g.output.y)
        && fromW >= 0 && fromW % \(g.stride.z) == 0 && fromW / \(g.stride.z) < \(g.output.z);
    const \(index) from = (image * \(g.output.y) + fromH / \(g.stride.y)) * \(g.output.z) + fromW / \(g.stride.z);
    """
  }
}

extension MatrixCopy {
  /// A copy of chunks: after the code `text`, copies the chunk at `pointer[element]` if `condition` holds, and
  /// otherwise stores zeros. In a loop, a value may begin at any element; if it is not aligned to a chunk, the elements
  /// are copied one by one.
  fileprivate init(
    _ side: KernelTemplate.Side, _ format: MatrixFormat, _ pointer: String, _ element: String, isAligned: Bool = true,
    isTransposed: Bool, if condition: String, _ text: String = ""
  ) {
    let type = format.dtype.storage
    let code =
      isAligned
      ? "COPY_ASYNC(to, isUsed ? &\(pointer)[\(element)] : \(pointer), isUsed ? 16 : 0);"
      : "for (int q = 0; q < \(format.chunk); q += 1) ((\(type) *)to)[q] = isUsed ? \(pointer)[\(element) + q] : (\(type))0;"
    self.init(
      side: side, chunk: format.chunk, isTransposed: isTransposed, isAlong: !isTransposed, isAsynchronous: isAligned,
      text: "\(text)\nconst int isUsed = \(condition);\n\(code)")
  }
}
