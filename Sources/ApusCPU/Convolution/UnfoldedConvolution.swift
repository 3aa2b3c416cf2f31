import ApusDevice
import CSIMD

/// The output of a convolution: weights times windows.
final class UnfoldedConvolutionStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: UnfoldedGeometry
  private let product: MatrixProduct
  /// The weights of a group; `nil` for integers.
  private let packedWeights: PackedRows?
  private let epilogue: EpilogueKernel
  private let input: Int
  private let weights: Int

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = UnfoldedGeometry(step, builder)
    product = MatrixProduct(geometry.lane, builder)
    packedWeights =
      step.dtype.isFloatingPoint
      ? PackedRows(m: geometry.outputs, k: geometry.tapCount, geometry.lane, builder) : nil
    epilogue = try EpilogueKernel(step.epilogue, lanes: [geometry.lane], builder)
    (input, weights) = (step.left, step.right)
    workspaceByteCount =
      geometry.linesByteCount + geometry.pixelsByteCount
      + max(
        geometry.imageByteCount, epilogue.workspaceByteCount,
        packedWeights?.workspaceByteCount(columns: geometry.matrixPixels) ?? 0)
    sharedByteCount = geometry.weightsByteCount + geometry.g.groups * (packedWeights?.byteCount ?? 0)
  }

  var taskCount: Int { geometry.imageBlocks * geometry.g.groups * geometry.rowBlocks }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let (frame, workspaces) = (context.frame, context.workspaces)
    let input = context.address(input)
    let weights = packWeights(context)
    context.pool.run(taskCount) { task, worker in
      let (rest, rowBlock) = task.quotientAndRemainder(dividingBy: geometry.rowBlocks)
      let (imageBlock, group) = rest.quotientAndRemainder(dividingBy: geometry.g.groups)
      run(
        geometry.images(imageBlock), group, geometry.rows(rowBlock), of: input, weights: weights, frame,
        workspace: workspaces[worker])
    }
  }

  /// The weights as the products of `multiply` take them.
  private func packWeights(_ context: borrowing RunContext) -> UnsafeMutableRawPointer {
    let weights = geometry.weights(weights, context)
    guard let packedWeights else { return weights }
    let (target, size) = (context.shared + geometry.weightsByteCount, geometry.lane.byteCount)
    context.pool.run(geometry.g.groups * packedWeights.chainCount) { task, _ in
      let (group, chain) = task.quotientAndRemainder(dividingBy: packedWeights.chainCount)
      let first = weights + group * geometry.outputs * geometry.tapCount * size
      packedWeights.pack(
        chain, of: BlockKernels.Factor(pointer: first, row: geometry.tapCount, column: 1),
        into: target + group * packedWeights.byteCount)
    }
    return target
  }

  /// The outputs of a group from the windows of some images.
  private func multiply(
    _ weights: UnsafeMutableRawPointer, _ group: Int, n: Int, _ lines: MatrixProduct.Factor,
    _ target: UnsafeMutableRawPointer, leading: Int, room: UnsafeMutableRawPointer, ahead: csimd_prefetch_block
  ) {
    guard let packedWeights else {
      product.multiply(
        m: geometry.outputs, n: n, k: geometry.tapCount,
        .init(
          weights + group * geometry.outputs * geometry.tapCount * geometry.lane.byteCount, leading: geometry.tapCount),
        lines, target, leading: leading)
      return
    }
    packedWeights.multiply(
      weights + group * packedWeights.byteCount, n: n,
      BlockKernels.Factor(pointer: lines.pointer, row: lines.order.leading, column: 1), target, leading: leading,
      room: room, ahead: ahead)
  }

  private func run(
    _ images: Range<Int>, _ group: Int, _ rows: Range<Int>, of input: UnsafeMutableRawPointer,
    weights: UnsafeMutableRawPointer, _ frame: RunFrame, workspace: UnsafeMutableRawPointer
  ) {
    let room = workspace + geometry.linesByteCount + geometry.pixelsByteCount
    let lines = geometry.unfold(input, images, group: group, rows, into: workspace, room: room)
    let size = geometry.lane.byteCount
    let width = rows.count * geometry.g.output.z
    let place = epilogue.place(frame)
    func position(_ image: Int, _ channel: Int) -> Int {
      (image * geometry.g.outputChannels + group * geometry.outputs + channel) * geometry.pixels
        + rows.lowerBound * geometry.g.output.z
    }
    var target = workspace + geometry.linesByteCount
    var leading = images.count * width
    let isInPlace = images.count == 1 && place != nil
    if isInPlace, let place {
      target = place + position(images.lowerBound, 0) * size
      leading = geometry.pixels
    }
    multiply(
      weights, group, n: images.count * width, lines, target, leading: leading, room: room,
      ahead: geometry.imageAhead(input, images, group: group))
    for (number, image) in images.enumerated() {
      for channel in 0..<geometry.outputs {
        let first = position(image, channel)
        var core = target + (channel * leading + number * width) * size
        if let place, !isInPlace {
          (place + first * size).copyMemory(from: core, byteCount: width * size)
          core = place + first * size
        }
        epilogue.run(first..<(first + width), core: core, frame, workspace: room)
      }
    }
  }
}

/// The input gradient of a convolution: transposed weights times pixels, added where the windows lie.
final class UnfoldedInputGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: UnfoldedGeometry
  private let product: MatrixProduct
  private let epilogue: EpilogueKernel
  private let gradient: Int
  private let weights: Int

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = UnfoldedGeometry(step, builder)
    product = MatrixProduct(geometry.lane, builder)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [geometry.lane], builder)
    (gradient, weights) = (step.left, step.right)
    workspaceByteCount =
      geometry.linesByteCount + geometry.pixelsByteCount
      + geometry.imageByteCount * geometry.imageGrain + epilogue.workspaceByteCount
    sharedByteCount = geometry.weightsByteCount
  }

  var taskCount: Int { geometry.imageBlocks * geometry.g.groups }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let (frame, workspaces) = (context.frame, context.workspaces)
    let (gradient, weights) = (context.address(gradient), geometry.weights(weights, context))
    context.pool.run(taskCount) { task, worker in
      let (block, group) = task.quotientAndRemainder(dividingBy: geometry.g.groups)
      run(
        geometry.images(block), group, of: gradient, weights: weights, frame, workspace: workspaces[worker])
    }
  }

  private func run(
    _ images: Range<Int>, _ group: Int, of gradient: UnsafeMutableRawPointer,
    weights: UnsafeMutableRawPointer, _ frame: RunFrame, workspace: UnsafeMutableRawPointer
  ) {
    let size = geometry.lane.byteCount
    let count = geometry.inputs * geometry.inputSize
    let place = epilogue.place(frame)
    let room = workspace + geometry.linesByteCount + geometry.pixelsByteCount
    func first(_ image: Int) -> Int {
      (image * geometry.g.inputChannels + group * geometry.inputs) * geometry.inputSize
    }
    func core(_ image: Int) -> UnsafeMutableRawPointer {
      place.map { $0 + first(image) * size }
        ?? room + (image - images.lowerBound) * geometry.imageByteCount
    }
    for image in images where !geometry.isInPlace {
      core(image).initializeMemory(as: UInt8.self, repeating: 0, count: count * size)
    }
    let factor = MatrixProduct.Factor(
      weights + group * geometry.outputs * geometry.tapCount * size, leading: geometry.tapCount,
      isTransposed: true)
    for rowBlock in 0..<geometry.rowBlocks {
      let rows = geometry.rows(rowBlock)
      let width = rows.count * geometry.g.output.z
      let pixels = geometry.collect(
        gradient, images, group: group, channels: 0..<geometry.outputs, rows,
        into: workspace + geometry.linesByteCount)
      if geometry.isInPlace {
        product.multiply(
          m: geometry.tapCount, n: width, k: geometry.outputs, factor, pixels,
          core(images.lowerBound) + rows.lowerBound * geometry.g.output.z * size,
          leading: geometry.inputSize)
        continue
      }
      product.multiply(
        m: geometry.tapCount, n: images.count * width, k: geometry.outputs, factor, pixels, workspace,
        leading: images.count * width)
      withUnsafePointer(to: geometry.windows) { windows in
        for (number, image) in images.enumerated() {
          csimd_fold(
            windows, Int32(geometry.lane.rawValue), workspace + number * width * size,
            images.count * width, rows.lowerBound, rows.upperBound, core(image))
        }
      }
    }
    let epilogueRoom = room + geometry.imageByteCount * geometry.imageGrain
    for image in images {
      epilogue.run(first(image)..<(first(image) + count), core: core(image), frame, workspace: epilogueRoom)
    }
  }
}
