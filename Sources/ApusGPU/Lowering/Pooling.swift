import ApusDevice
import ApusSystem

extension Pooling {
  /// Whether indices of the input need more than 32 bits.
  fileprivate var isLarge: Bool { KernelBuilder.isLarge(planes * input.wrappedProduct) }
}

extension PlanLowering {
  mutating func lower(_ step: Pooling) {
    guard step.epilogue.binding.domain.elementCount > 0 else { return }
    if step.pass != .backward {
      lowerForward(step)
    } else if isCPU {
      lowerGradientOfPlanes(step)
    } else {
      lowerGradientOfElements(step)
    }
  }

  /// Returns a template with the values that all pooling templates share.
  private func names(_ step: Pooling, _ builder: inout KernelBuilder) -> KernelTemplate {
    let lane = step.dtype.lane
    var template = KernelTemplate("pooling/window.cl", lane, builder)
    template["laneType"] = lane.dtype.description
    template["dtype"] = step.dtype.description
    let reach = WindowPositions.reach(
      of: step.output.z, kernel: step.window.z, stride: step.stride.z, dilation: step.dilation.z)
    template["isInside"] = step.padding.z == 0 && reach <= step.input.z ? "1" : "0"
    template["planes"] = builder.number(step.planes)
    template["inputVolume"] = builder.number(step.input.wrappedProduct)
    let shape = [
      ("input", step.input, 1), ("output", step.output, 1), ("window", step.window, 1), ("stride", step.stride, 1),
      ("padding", step.padding, 0), ("dilation", step.dilation, 1),
    ]
    let isFlat = shape.allSatisfy { $0.1.x == $0.2 }
    for (name, extents, trivial) in shape {
      template[name + "D"] = isFlat ? String(trivial) : builder.number(extents.x)
      template[name + "H"] = builder.number(extents.y)
      template[name + "W"] = builder.number(extents.z)
    }
    (template["READ"], template["apart"]) =
      switch step.stride.z {
      case 1: ("LOAD", "")
      case 2: ("EVEN", "")
      default: ("GATHER", "\(template["strideW"]!), ")
      }
    return template
  }

  private func bind(
    _ value: Int, as name: String, _ dtype: DType, _ template: inout KernelTemplate,
    _ builder: inout KernelBuilder
  ) {
    let location = location(value: value)
    template[name] = builder.pointer(dtype.storage, slot: location.slot)
    template[name + "Offset"] = builder.number(location.offset)
  }

  /// Returns the loop over the taps (positions) of a vector of windows, with `use` as the code for each tap. If
  /// `reading` is true, the loop loads the tap's elements to `value`, and sets `valid` to 1 for those inside the input.
  private func windows(_ shared: KernelTemplate, use: String, reading: Bool = true) -> String {
    var window = shared.with(file: "pooling/window.cl")
    if reading {
      var tap = shared.with(file: "pooling/tap.cl")
      tap["USE"] = use
      window["TAP"] = tap.text
    } else {
      window["TAP"] = use
    }
    return window.text
  }

  /// Returns the loop that finds the first maximum of each window: its value `best`, and its offset in the plane,
  /// `best_position`.
  private func maxima(_ shared: KernelTemplate) -> String {
    var template = shared.with(file: "pooling/maxima.cl")
    template["WINDOWS"] = windows(shared, use: shared.with(file: "pooling/maximum_tap.cl").text)
    return template.text
  }

  /// Returns code that computes `divisor`, the number of elements that each window averages.
  private func divisor(_ step: Pooling, _ shared: KernelTemplate) -> String {
    let lane = step.dtype.lane
    guard !step.countsPadding else {
      return "const \(lane.vector) divisor = \(Scalar.integer(Int64(step.window.wrappedProduct)).text(lane));"
    }
    var template = shared.with(file: "pooling/divisor.cl")
    template["WINDOWS"] = windows(shared, use: shared.with(file: "pooling/size_tap.cl").text, reading: false)
    return template.text
  }

  // MARK: - Forward

  /// Returns code that computes `core`, the results of a vector of windows.
  private func core(_ step: Pooling, _ shared: inout KernelTemplate, _ builder: inout KernelBuilder) -> String {
    if step.kind == .average {
      var template = shared.with(file: "pooling/average.cl")
      template["WINDOWS"] = windows(shared, use: shared.with(file: "pooling/average_tap.cl").text)
      template["DIVISOR"] = divisor(step, shared)
      return template.text
    }
    guard step.pass == .select, let right = step.right else {
      return maxima(shared) + "\nconst \(step.dtype.lane.vector) core = best;"
    }
    bind(right, as: "chosen", step.dtype, &shared, &builder)
    var template = shared.with(file: "pooling/select.cl")
    template["MAXIMA"] = maxima(shared)
    return template.text
  }

  private mutating func lowerForward(_ step: Pooling) {
    var builder = KernelBuilder(family: "pooling_forward", target: target, isLarge: step.isLarge)
    builder.begin("const i64 start = 0;")
    var shared = names(step, &builder)
    bind(step.left, as: "source", step.dtype, &shared, &builder)
    let index = builder.index
    let text = core(step, &shared, &builder)
    var filled = KernelTemplate("pooling/window.cl")
    fillEpilogue(step.epilogue, &filled, &builder, cores: ["core"])
    let coordinates = Self.splittingIndex(
      "row", ["plane", "d", "h"], [shared["outputD"]!, shared["outputH"]!], index)
    let groups = builder.overRows(
      step.planes * step.output.x * step.output.y, columns: step.output.z,
      elementsPerGroup: isCPU ? 2048 : 256,
      begin: {
        $0.lines(coordinates)
        $0.line("const \(index) output = row;")
        $0.lines(filled["ROW"]!)
      },
      body: {
        $0.lines(text)
        $0.lines(filled["EPILOGUE"]!)
      })
    launch(
      builder, groups: groups, localSize: isCPU ? 1 : 256)
  }

  // MARK: - Backward

  /// Returns code that distributes `gradient`, the gradients of the windows' outputs, to the elements of the windows.
  /// `add(offset, number)` returns the code that adds `number` to the gradient of the element at `offset` in the plane.
  private func contributions(
    _ step: Pooling, _ shared: KernelTemplate, add: (_ offset: String, _ number: String) -> String
  ) -> String {
    if step.kind == .maximum {
      var template = shared.with(file: "pooling/gradient_maximum.cl")
      template["MAXIMA"] = maxima(shared)
      template["ADD"] = add("positions[lane]", "gradients[lane]")
      return template.text
    }
    var tap = shared.with(file: "pooling/gradient_tap.cl")
    tap["ADD"] = add("inPlane + at", "gradients[lane]")
    var template = shared.with(file: "pooling/gradient_average.cl")
    template["WINDOWS"] = windows(shared, use: tap.text, reading: false)
    template["DIVISOR"] = divisor(step, shared)
    return template.text
  }

  private mutating func lowerGradientOfPlanes(_ step: Pooling) {
    let lane = step.dtype.lane
    let volume = step.input.wrappedProduct
    let planesPerItem = max(1, min(8192 / max(1, volume), ceilDivide(step.planes, 16)))
    let items = ceilDivide(step.planes, planesPerItem)
    var builder = KernelBuilder(family: "pooling_gradient_planes", target: target, isLarge: true)
    var shared = names(step, &builder)
    bind(step.left, as: "source", step.dtype, &shared, &builder)
    bind(step.right ?? step.left, as: "gradient", step.dtype, &shared, &builder)
    var template = shared.with(file: "pooling/gradient_planes.cl")
    template["workspace"] = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    template["planesPerItem"] = builder.number(planesPerItem)
    template["WINDOWS"] = contributions(step, shared) { "stage[\($0)] += \($1);" }
    let stageStride = roundUp(volume, toMultipleOf: width)
    template["stageStride"] = builder.number(stageStride)
    let extent = fillEpilogue(step.epilogue, &template, &builder, cores: ["core"], mergingFrom: 1)
    template["rowLength"] = builder.number(extent)
    template["rowCount"] = builder.number(volume / extent)
    builder.append(template)
    needWorkspace(items * stageStride * lane.dtype.byteCount)
    launch(builder, groups: items)
  }

  private mutating func lowerGradientOfElements(_ step: Pooling) {
    var builder = KernelBuilder(family: "pooling_gradient_elements", target: target, isLarge: step.isLarge)
    builder.begin("const i64 start = 0;")
    let index = builder.index
    var shared = names(step, &builder)
    bind(step.left, as: "source", step.dtype, &shared, &builder)
    bind(step.right ?? step.left, as: "gradient", step.dtype, &shared, &builder)
    var template = shared.with(file: "pooling/gradient_elements.cl")
    template["WINDOWS"] = contributions(step, shared) { "if (\($0) == own) core += \($1);" }
    fillEpilogue(step.epilogue, &template, &builder, cores: ["core"])
    let coordinates = Self.splittingIndex(
      "row", ["plane", "inputD", "inputH"],
      [shared["inputD"]!, shared["inputH"]!], index)
    let groups = builder.overRows(
      step.planes * step.input.x * step.input.y, columns: step.input.z, elementsPerGroup: 256,
      begin: {
        $0.lines(coordinates)
        $0.line("const \(index) output = row;")
        $0.lines(template["ROW"]!)
      },
      body: {
        $0.line("const \(index) element = column;")
        $0.line(
          "const \(index) own = (inputD * \(shared["inputH"]!) + inputH) * \(shared["inputW"]!) + element;")
        $0.append(template)
        $0.lines(template["EPILOGUE"]!)
      })
    launch(builder, groups: groups, localSize: 256)
  }
}
