import ApusDevice
import ApusSystem

/// How a depthwise convolution is computed row by row, by `Kernels/convolution/depthwise.cl` and
/// `Kernels/convolution/depthwise_gradient.cl`.
struct DepthwiseTiling {
  /// The image that windows read: the input or, for the gradient of the input, the gradient of the output.
  let image: PreparedImage
  /// The gradient of the output, for the gradient of the weights; `nil` for other passes.
  let gradient: PreparedImage?
  /// A work-item computes this number of registers of adjacent results in each row at a time.
  let vectors: Int

  /// The number of rows of results that share loads of the image.
  static let rows = 4
  /// The maximum number of elements of a prepared plane (one channel of one image with its padding), which the kernels
  /// keep in a private array.
  static let privateSize = 16384
  /// The maximum number of taps (elements of a channel's kernel) whose sums fit into registers.
  static let mostTaps = 25

  /// Returns `nil` unless the convolution is depthwise, images and kernel have depth 1, stride and dilation are 1,
  /// there are at most `mostTaps` taps, and a prepared plane has at most `privateSize` elements.
  init?(_ g: ConvolutionGeometry, _ pass: Convolution.Pass, registerWidth: Int) {
    let one = SIMD3(repeating: 1)
    guard g.groups > 1, g.inputChannels == g.groups, g.outputChannels == g.groups, g.stride == one, g.dilation == one,
      g.kernel.x == 1, g.input.x == 1, g.output.x == 1, g.kernel.wrappedProduct <= Self.mostTaps
    else { return nil }
    let width = pass == .inputGradient ? g.input.z : g.output.z
    vectors = width > registerWidth ? 2 : 1
    switch pass {
    case .output, .inputGradient:
      gradient = nil
      var image = pass == .output ? PreparedImage.input(g, slack: 0) : .outputGradient(g, slack: 0)
      image.slack = (Self.rows - 1) * image.target.z + vectors * registerWidth
      self.image = image
    case .weightGradient:
      // Rows are padded with zeros to whole registers, so the products past the last column are 0.
      let columns = roundUp(width, toMultipleOf: registerWidth)
      var image = PreparedImage.input(g, slack: 0)
      image.target.z = columns + g.kernel.z - 1
      image.slack = (Self.rows - 1) * image.target.z + registerWidth
      self.image = image
      gradient = PreparedImage(
        source: g.output, low: .zero, insert: one, phases: one, target: SIMD3(1, g.output.y, columns),
        slack: (Self.rows - 1) * columns)
    }
    guard max(image.stride, gradient?.stride ?? 0) <= Self.privateSize else { return nil }
  }
}

extension PlanLowering {
  mutating func lowerDepthwise(_ step: Convolution, _ tiling: DepthwiseTiling) {
    if let gradient = tiling.gradient {
      lowerDepthwiseGradient(step, tiling, gradient)
    } else {
      lowerDepthwiseRows(step, tiling)
    }
  }

  private func template(
    _ file: String, _ step: Convolution, _ builder: KernelBuilder
  ) -> KernelTemplate {
    var template = KernelTemplate(file, step.dtype.lane, builder)
    template["tileRows"] = String(DepthwiseTiling.rows)
    template["tapsH"] = String(step.geometry.kernel.y)
    template["tapsW"] = String(step.geometry.kernel.z)
    template["preparedSize"] = String(DepthwiseTiling.privateSize)
    return template
  }

  private mutating func lowerDepthwiseRows(_ step: Convolution, _ tiling: DepthwiseTiling) {
    let g = step.geometry
    let output = step.pass == .output ? g.output : g.input
    var builder = KernelBuilder(family: "convolution_depthwise", target: target, isLarge: true)
    var template = template("convolution/depthwise.cl", step, builder)
    let weights = location(value: step.right)
    template["weights"] = builder.pointer(step.dtype.storage, slot: weights.slot)
    template["weightOffset"] = builder.number(weights.offset)
    template["dtype"] = step.dtype.description
    // The gradient of the input reads the taps in reverse order.
    template["tap"] =
      step.pass == .output
      ? "(u - m) * \(g.kernel.z) + s" : "(\(g.kernel.y - 1) - u + m) * \(g.kernel.z) + \(g.kernel.z - 1) - s"
    template["vectors"] = String(tiling.vectors)
    for (name, value) in [("groups", g.groups), ("outputH", output.y), ("outputW", output.z)] {
      template[name] = builder.number(value)
    }
    template["image"] = "GROUP_ID()"
    template["IMAGE"] = copyText(
      tiling.image, first: 0, from: location(value: step.left), dtype: step.dtype, isPrivate: true, &template, &builder)
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    builder.append(template)
    launch(
      builder, groups: g.batch * g.groups)
  }

  private mutating func lowerDepthwiseGradient(
    _ step: Convolution, _ tiling: DepthwiseTiling, _ gradient: PreparedImage
  ) {
    let g = step.geometry
    let lane = step.dtype.lane
    // The sum over images is split into parts, so that a convolution with few channels has work-items for several
    // cores.
    let mostParts = min(g.batch, max(2, ceilDivide(16, g.groups)))
    let imagesPerPart = ceilDivide(g.batch, mostParts)
    let parts = ceilDivide(g.batch, imagesPerPart)
    needWorkspace(parts * g.groups * g.kernel.wrappedProduct * lane.dtype.byteCount)

    var builder = KernelBuilder(family: "convolution_depthwise", target: target, isLarge: true)
    var template = template("convolution/depthwise_gradient.cl", step, builder)
    template["target"] = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    for (name, value) in [("groups", g.groups), ("imagesPerPart", imagesPerPart), ("imageCount", g.batch)] {
      template[name] = builder.number(value)
    }
    template["image"] = "(image * \(template["groups"]!) + group)"
    for (image, value, names) in [
      (tiling.image, step.left, ("INPUT", "inputRows", "inputW")),
      (gradient, step.right, ("OUTPUT", "outputRows", "outputW")),
    ] {
      template[names.0] = copyText(
        image, first: 0, from: location(value: value), dtype: step.dtype, isPrivate: true, &template, &builder)
      template[names.1] = template["targetH"]
      template[names.2] = template["targetW"]
    }
    builder.append(template)
    launch(
      builder, groups: parts * g.groups)
    lowerSum(of: parts, lane: lane, workspaceOffset: 0, step.epilogue)
  }
}
