import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: Convolution, device: String) throws(DeviceError) {
    guard step.epilogue.binding.domain.elementCount > 0 else { return }
    guard step.geometry.batch > 0 else { return lowerZeros(step) }
    let isGradient = step.pass == .weightGradient
    let method = ConvolutionMethod(
      step.geometry, step.pass, step.order, step.dtype, step.inputPrecision, target,
      product: isGradient ? step.pointwiseGradientProducts : step.pointwiseProduct,
      mergesWeights: isGradient && canMerge(step.epilogue, from: 1))
    switch method {
    case .tiled: lowerTiled(step)
    case .matrix: lowerMatrix(step)
    case .pixels: lowerPixels(step)
    case .pixelGradient: lowerPixelGradient(step)
    case .winograd(let tiling): lowerWinograd(step, tiling)
    case .winogradGradient(let tiling): lowerWinogradGradient(step, tiling)
    case .product(let product): lower(product)
    case .gradientProducts(let products):
      lowerVector(products, keepsSums: true)
      lowerSum(of: step.geometry.batch, lane: step.dtype.lane, workspaceOffset: 0, step.epilogue)
    case .depthwise(let tiling): lowerDepthwise(step, tiling)
    case .planes: lowerPlanes(step)
    case .planeGradient: lowerWeightGradient(step)
    case nil: throw .unsupported(device: device, feature: "channels-last images in this convolution")
    }
  }

  /// Lowers the weight gradient of an empty batch, which is 0.
  private mutating func lowerZeros(_ step: Convolution) {
    let lane = step.dtype.lane
    let count = step.epilogue.binding.domain.elementCount
    needWorkspace(count * lane.dtype.byteCount)
    let zero = Program(
      instructions: [Instruction(.constant, lane: lane, operands: [], immediate: .integer(0))],
      outputs: [Program.Output(register: 0, dtype: lane.dtype)])
    let bound = BoundProgram(
      arguments: [], results: [MemoryLocation(slot: slots.workspace, offset: 0)], bankSlot: slots.bank,
      layouts: [Layout(contiguous: Shape([count]))])
    lower(zero, [(bound, Shape([count]))])
    lowerSum(of: 1, lane: lane, workspaceOffset: 0, step.epilogue)
  }
}

/// The layout of an image (one channel of one example) for kernels without bounds checks: see
/// `Kernels/convolution/image.cl`.
struct PreparedImage {
  /// The extents of the source image.
  var source: SIMD3<Int>
  /// The number of zeros before the first element; negative if elements are left out.
  var low: SIMD3<Int>
  /// The distance at which neighboring elements of the source are stored; zeros fill the gaps.
  var insert: SIMD3<Int>
  /// The divisors of the coordinates: elements with the same remainder form a phase.
  var phases: SIMD3<Int>
  /// Only phases whose remainders are below this number are stored: no tap (kernel position) reads the others.
  var readPhases = SIMD3(repeating: 1)
  /// The extents of a phase.
  var target: SIMD3<Int>
  /// The number of padding elements after the end, for registers that extend past the end.
  var slack: Int

  var rowsPerImage: Int { readPhases.wrappedProduct * target.x * target.y }

  /// Whether a value of type `dtype` already has this layout: whole registers, without zeros around, between or after
  /// its elements.
  func isInPlace(_ dtype: DType, width: Int) -> Bool {
    let one = SIMD3(repeating: 1)
    return dtype == dtype.lane.dtype && low == .zero && insert == one && phases == one && target == source
      && source.wrappedProduct % width == 0
  }

  var stride: Int { rowsPerImage * target.z + slack }

  /// Returns the layout of a convolution's input.
  static func input(_ g: ConvolutionGeometry, slack: Int) -> PreparedImage {
    let one = SIMD3(repeating: 1)
    let window = WindowPositions.span(kernel: g.kernel, dilation: g.dilation)
    let needed = WindowPositions.reach(of: g.output, kernel: g.kernel, stride: g.stride, dilation: g.dilation)
    return PreparedImage(
      source: g.input, low: g.padding, insert: one, phases: g.stride,
      readPhases: pointwiseMin(g.stride, window), target: (needed &+ g.stride &- one) / g.stride, slack: slack)
  }

  /// Returns the layout of the gradient of the output. The gradient of the input is the convolution of this image with
  /// the flipped weights, at stride 1.
  static func outputGradient(_ g: ConvolutionGeometry, slack: Int) -> PreparedImage {
    let one = SIMD3(repeating: 1)
    let reach = WindowPositions.span(kernel: g.kernel, dilation: g.dilation) &- one
    return PreparedImage(
      source: g.output, low: reach &- g.padding, insert: g.stride, phases: one, target: g.input &+ reach,
      slack: slack)
  }

  /// Returns the layout in which the kernel for the gradient of the weights reads the gradient of the output. Its rows
  /// and planes have the sizes of a phase of the prepared input, so that a position has the same offset in both images.
  static func positions(_ g: ConvolutionGeometry, like input: PreparedImage, slack: Int) -> PreparedImage {
    let one = SIMD3(repeating: 1)
    return PreparedImage(
      source: g.output, low: .zero, insert: one, phases: one,
      target: SIMD3(g.output.x, input.target.y, input.target.z), slack: slack)
  }

  /// Returns the offset of each tap's element from the position of the result.
  func tapOffsets(_ g: ConvolutionGeometry) -> [Int] {
    let volume = target.wrappedProduct
    var offsets: [Int] = []
    for d in 0..<g.kernel.x {
      for h in 0..<g.kernel.y {
        for w in 0..<g.kernel.z {
          let tap = SIMD3(d, h, w) &* g.dilation
          let shift = tap / phases
          let phase = tap &- shift &* phases
          offsets.append(
            ((phase.x * readPhases.y + phase.y) * readPhases.z + phase.z) * volume
              + (shift.x * target.y + shift.y) * target.z + shift.z)
        }
      }
    }
    return offsets
  }
}

extension PlanLowering {
  /// Emits the launch that prepares `count` images in the workspace, starting at image `first` of the value at
  /// `location`.
  mutating func prepare(
    _ image: PreparedImage, count: Int, first: Int, from location: MemoryLocation, dtype: DType, to workspaceOffset: Int
  ) {
    let lane = dtype.lane
    var builder = KernelBuilder(family: "convolution_image", target: target, isLarge: true)
    var template = KernelTemplate("convolution/image.cl", lane, builder)
    let target = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["target"] = "(\(target) + \(builder.number(workspaceOffset)))"
    template["image"] = "image"
    template["IMAGE"] = copyText(
      image, first: first, from: location, dtype: dtype, isPrivate: false, &template, &builder)
    // A work-item copies images of at most 8,192 elements in total, or one larger image. Up to 8 large images are split
    // into bands of rows, for at most 16 work-items.
    let imagesPerItem = max(1, min(8192 / image.stride, ceilDivide(count, 16)))
    let bands = max(1, min(image.target.y, image.stride / 8192, 16 / count))
    let rowsPerBand = ceilDivide(image.target.y, bands)
    for (name, value) in [
      ("imagesPerItem", imagesPerItem), ("bands", bands), ("rowsPerBand", rowsPerBand),
      ("imageCount", count), ("imageStride", image.stride),
    ] {
      template[name] = builder.number(value)
    }
    builder.append(template)
    launch(
      builder, groups: ceilDivide(count, imagesPerItem) * bands,
      .part(
        "prepared images", read: count * image.source.wrappedProduct * dtype.byteCount,
        written: count * image.stride * lane.dtype.byteCount))
  }

  /// Returns code that copies image `$image` of the value at `location`, counted from image `first`. Fills in the names
  /// that the code uses.
  func copyText(
    _ image: PreparedImage, first: Int, from location: MemoryLocation, dtype: DType, isPrivate: Bool,
    _ template: inout KernelTemplate, _ builder: inout KernelBuilder
  ) -> String {
    let source = builder.pointer(dtype.storage, slot: location.slot)
    template["space"] = isPrivate ? "" : "GLOBAL"
    template["offset"] = builder.number(location.offset + first * image.source.wrappedProduct)
    template["laneType"] = dtype.lane.dtype.description
    template["rowsPerImage"] = builder.number(image.rowsPerImage)
    template["slack"] = builder.number(image.slack)
    let one = SIMD3(repeating: 1)
    let isDense = image.phases == one && image.insert == one
    let shape = [
      ("target", image.target, 1, false), ("phases", image.phases, 1, isDense),
      ("readPhases", image.readPhases, 1, isDense), ("low", image.low, 0, false),
      ("insert", image.insert, 1, isDense), ("source", image.source, 1, false),
    ]
    let isFlat = shape.allSatisfy { $0.1.x == $0.2 }
    for (name, extents, trivial, isTrivial) in shape {
      for (axis, letter) in ["D", "H", "W"].enumerated() {
        let isStructure = isTrivial || isFlat && axis == 0
        template[name + letter] = isStructure ? String(trivial) : builder.number(extents[axis])
      }
    }
    for (letter, axis) in [("D", 0), ("H", 1)] {
      let insert = template["insert\(letter)"]!
      template["POSITION\(letter)"] =
        image.insert[axis] == 1 ? "source\(letter)" : "source\(letter) / \(insert)"
    }
    template["RANGE"] = builder.captured { rowRange(image, template, &$0) }
    template["COPY"] = builder.captured {
      copyRow(image, dtype, source: source, isPrivate: isPrivate, template, &$0)
    }
    return template.with(file: "convolution/image_copy.cl").text
  }

  /// Emits the range of elements that a row contains: `first` to `end`, as indices of the target or, if zeros are
  /// inserted between elements, of the source.
  private func rowRange(
    _ image: PreparedImage, _ template: KernelTemplate, _ builder: inout KernelBuilder
  ) {
    let index = builder.index
    let (low, targetW, sourceW) = (template["lowW"]!, template["targetW"]!, template["sourceW"]!)
    if image.insert.z > 1 {
      let insert = template["insertW"]!
      builder.line("const \(index) first = MULTIPLES_BELOW(-\(low), \(insert));")
      builder.line("const \(index) end = SMALLER(\(sourceW), CEIL_DIVIDE(\(targetW) - \(low), \(insert)));")
    } else {
      let step = template["phasesW"]!
      builder.line("const \(index) shift = \(low) - phaseW;")
      builder.line("const \(index) first = MULTIPLES_BELOW(shift, \(step));")
      builder.line("const \(index) end = SMALLER(\(targetW), MULTIPLES_BELOW(\(sourceW) + shift, \(step)));")
    }
  }

  /// Emits the copy of one row from `from` to `to`, or zeros if the row is outside of the source. In private memory,
  /// rows are written in order, as whole registers.
  private func copyRow(
    _ image: PreparedImage, _ dtype: DType, source: String, isPrivate: Bool, _ template: KernelTemplate,
    _ builder: inout KernelBuilder
  ) {
    let index = builder.index
    let lane = dtype.lane
    let zero = template["zero"]!
    func store(_ value: String, at position: String, count: String) -> String {
      isPrivate ? "VSTORE(\(value), to + \(position));" : "STORE_\(lane.dtype)(to, \(position), \(count), \(value));"
    }
    let rest = "(int)SMALLER(clear - w, (\(index))WIDTH)"
    if image.insert.z == 1 && image.phases.z == 1 {
      if isPrivate {
        builder.line("const \(index) begin = SMALLER(first, last);")
        builder.line("for (\(index) w = 0; w < begin; w += WIDTH) VSTORE(\(zero), to + w);")
        builder.line(
          "for (\(index) w = begin; w < last; w += WIDTH) VSTORE(LOAD_\(dtype)(\(source), from + w - shift, WIDTH), to + w);"
        )
        builder.line("for (\(index) w = last; w < clear; w += WIDTH) VSTORE(\(zero), to + w);")
        return
      }
      builder.block("for (\(index) w = 0; w < clear; w += WIDTH)") { builder in
        plainRow(dtype, source: source, zero: zero, &builder)
        builder.line(store("value", at: "w", count: rest))
      }
      return
    }
    builder.block("for (\(index) w = 0; w < clear; w += WIDTH)") { builder in
      builder.line(store(zero, at: "w", count: rest))
    }
    builder.block("for (\(index) t = first; t < last; t += WIDTH)") { builder in
      builder.line("const int count = (int)SMALLER(last - t, (\(index))WIDTH);")
      if image.insert.z > 1 {
        let insert = template["insertW"]!
        builder.line("\(lane.scalar) part[WIDTH];")
        builder.line("VSTORE(LOAD_\(dtype)(\(source), from + t, count), part);")
        builder.line(
          "NO_UNROLL for (int lane = 0; lane < count; lane += 1) to[(t + lane) * \(insert) + \(template["lowW"]!)] = part[lane];"
        )
      } else {
        let step = template["phasesW"]!
        let picked = "GATHER_\(dtype)(\(source), from + t * \(step) - shift, \(step), count)"
        // Private memory receives a whole register, which must be 0 past the last element.
        let value = isPrivate ? "CHOOSE_\(lane.suffix)(LANE_MASK(count), \(picked), \(zero))" : picked
        builder.line(store(value, at: "t", count: "count"))
      }
    }
  }

  /// Emits code for `value`: a register of elements and the zeros around them.
  private func plainRow(_ dtype: DType, source: String, zero: String, _ builder: inout KernelBuilder) {
    let index = builder.index
    let lane = dtype.lane
    builder.line("\(lane.vector) value = \(zero);")
    builder.block("if (w < last && w + WIDTH > first)") { builder in
      // A register that begins before the row may begin before the buffer: it is loaded from the start of the buffer,
      // and then rotated.
      builder.line("const \(index) at = from + w - shift;")
      builder.line("value = LOAD_\(dtype)(\(source), LARGER(at, (\(index))0), WIDTH);")
      builder.line("if (at < 0) value = ROTATE_\(lane.suffix)(value, (int)(WIDTH + at));")
      builder.line("const VI position = LANES_I + (VI)((int)w);")
      builder.line(
        "value = CHOOSE_\(lane.suffix)(TRUTH32(position >= (VI)((int)first)) & TRUTH32(position < (VI)((int)last)), "
          + "value, \(zero));")
    }
  }
}
