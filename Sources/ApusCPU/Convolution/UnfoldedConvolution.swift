import ApusDevice
import ApusCSIMD

/// The output of a convolution: weights times the matrix of windows (im2col).
final class UnfoldedConvolutionStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: UnfoldedGeometry
  private let products: UnfoldedWeights
  private let epilogue: EpilogueKernel
  private let input: Int
  private let weights: Int

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = UnfoldedGeometry(step, builder)
    products = UnfoldedWeights(step, geometry, isTransposed: false, builder)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [geometry.lane], builder)
    (input, weights) = (step.left, step.right)
    workspaceByteCount =
      geometry.linesByteCount + geometry.pixelsByteCount
      + max(geometry.imageByteCount, epilogue.workspaceByteCount, products.scratchByteCount)
    sharedByteCount = products.sharedByteCount
  }

  var taskCount: Int { geometry.imageBlocks * geometry.g.groups * geometry.rowBlocks }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let (frame, workspaces) = (context.frame, context.workspaces)
    let input = context.address(input)
    let weights = products.prepare(weights, context)
    context.pool.run(taskCount) { task, worker in
      let (rest, rowBlock) = task.quotientAndRemainder(dividingBy: geometry.rowBlocks)
      let (imageBlock, group) = rest.quotientAndRemainder(dividingBy: geometry.g.groups)
      run(
        geometry.images(imageBlock), group, geometry.rows(rowBlock), of: input, weights: weights, frame,
        workspace: workspaces[worker])
    }
  }

  private func run(
    _ images: Range<Int>, _ group: Int, _ rows: Range<Int>, of input: UnsafeMutableRawPointer,
    weights: UnsafeMutableRawPointer, _ frame: RunFrame, workspace: UnsafeMutableRawPointer
  ) {
    let scratch = workspace + geometry.linesByteCount + geometry.pixelsByteCount
    let lines = geometry.unfold(input, images, group: group, rows, into: workspace, scratch: scratch)
    let size = geometry.lane.byteCount
    let width = rows.count * geometry.g.output.z
    let resultBase = epilogue.target(frame)
    func position(_ image: Int, _ channel: Int) -> Int {
      (image * geometry.g.outputChannels + group * geometry.outputs + channel) * geometry.pixels
        + rows.lowerBound * geometry.g.output.z
    }
    var target = workspace + geometry.linesByteCount
    var leading = images.count * width
    let isInPlace = images.count == 1 && resultBase != nil
    if isInPlace, let resultBase {
      target = resultBase + position(images.lowerBound, 0) * size
      leading = geometry.pixels
    }
    products.multiply(
      weights, group, n: images.count * width, lines, isPadded: !geometry.isInPlace, target, leading: leading,
      scratch: scratch, ahead: geometry.imageAhead(input, images, group: group))
    for (number, image) in images.enumerated() {
      for channel in 0..<geometry.outputs {
        let first = position(image, channel)
        var core = target + (channel * leading + number * width) * size
        if let resultBase, !isInPlace {
          (resultBase + first * size).copyMemory(from: core, byteCount: width * size)
          core = resultBase + first * size
        }
        epilogue.run(first..<(first + width), core: core, frame, workspace: scratch)
      }
    }
  }
}

/// The input gradient of a convolution: transposed weights times the pixels of the output's gradient. The products are
/// added to the pixels of the windows (col2im).
final class UnfoldedInputGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let geometry: UnfoldedGeometry
  private let products: UnfoldedWeights
  private let epilogue: EpilogueKernel
  private let gradient: Int
  private let weights: Int

  init(_ step: Convolution, _ builder: StepBuilder) throws(DeviceError) {
    geometry = UnfoldedGeometry(step, builder)
    products = UnfoldedWeights(step, geometry, isTransposed: true, builder)
    epilogue = try EpilogueKernel(step.epilogue, lanes: [geometry.lane], builder)
    (gradient, weights) = (step.left, step.right)
    workspaceByteCount =
      geometry.linesByteCount + geometry.pixelsByteCount
      + geometry.imageByteCount * geometry.imageGrain + max(epilogue.workspaceByteCount, products.scratchByteCount)
    sharedByteCount = products.sharedByteCount
  }

  var taskCount: Int { geometry.imageBlocks * geometry.g.groups }

  func run(_ context: borrowing RunContext) {
    guard epilogue.count > 0 else { return }
    let (frame, workspaces) = (context.frame, context.workspaces)
    let (gradient, weights) = (context.address(gradient), products.prepare(weights, context))
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
    let resultBase = epilogue.target(frame)
    let scratch = workspace + geometry.linesByteCount + geometry.pixelsByteCount
    let productScratch = scratch + geometry.imageByteCount * geometry.imageGrain
    func first(_ image: Int) -> Int {
      (image * geometry.g.inputChannels + group * geometry.inputs) * geometry.inputSize
    }
    func core(_ image: Int) -> UnsafeMutableRawPointer {
      resultBase.map { $0 + first(image) * size }
        ?? scratch + (image - images.lowerBound) * geometry.imageByteCount
    }
    for image in images where !geometry.isInPlace {
      core(image).initializeMemory(as: UInt8.self, repeating: 0, count: count * size)
    }
    for rowBlock in 0..<geometry.rowBlocks {
      let rows = geometry.rows(rowBlock)
      let width = rows.count * geometry.g.output.z
      let pixels = geometry.collect(
        gradient, images, group: group, channels: 0..<geometry.outputs, rows,
        into: workspace + geometry.linesByteCount)
      if geometry.isInPlace {
        products.multiply(
          weights, group, n: width, pixels, core(images.lowerBound) + rows.lowerBound * geometry.g.output.z * size,
          leading: geometry.inputSize, scratch: productScratch)
        continue
      }
      products.multiply(
        weights, group, n: images.count * width, pixels, workspace, leading: images.count * width,
        scratch: productScratch)
      withUnsafePointer(to: geometry.windows) { windows in
        for (number, image) in images.enumerated() {
          csimd_fold(
            windows, Int32(geometry.lane.rawValue), workspace + number * width * size,
            images.count * width, rows.lowerBound, rows.upperBound, core(image))
        }
      }
    }
    for image in images {
      epilogue.run(first(image)..<(first(image) + count), core: core(image), frame, workspace: productScratch)
    }
  }
}
