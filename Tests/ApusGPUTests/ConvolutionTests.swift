import ApusDevice
import ApusTestSupport
import Glibc
import Testing

@testable import ApusGPU

@DeviceThread @Suite struct ConvolutionTests {
  /// A geometry (the extents and strides of a convolution) with `padding` at both ends of each axis, plus `extra`
  /// padding at the far end.
  nonisolated static func geometry(
    _ batch: Int, _ input: Int, _ output: Int, groups: Int = 1, size: SIMD3<Int>, kernel: SIMD3<Int>,
    stride: SIMD3<Int> = .one, padding: SIMD3<Int> = .zero, dilation: SIMD3<Int> = .one,
    extra: SIMD3<Int> = .zero
  ) -> ConvolutionGeometry {
    let reach = dilation &* (kernel &- .one)
    return ConvolutionGeometry(
      batch: batch, groups: groups, inputChannels: input, outputChannels: output, input: size,
      kernel: kernel, output: (size &+ padding &+ padding &+ extra &- reach &- .one) / stride &+ .one,
      stride: stride, padding: padding, dilation: dilation)
  }

  nonisolated static let geometries: [ConvolutionGeometry] = [
    geometry(3, 1, 6, size: SIMD3(1, 12, 14), kernel: SIMD3(1, 5, 5), padding: SIMD3(0, 2, 2)),
    geometry(2, 6, 16, size: SIMD3(1, 14, 14), kernel: SIMD3(1, 5, 5)),
    geometry(2, 3, 9, size: SIMD3(1, 1, 40), kernel: SIMD3(1, 1, 3), padding: SIMD3(0, 0, 1)),
    geometry(
      2, 4, 10, groups: 2, size: SIMD3(1, 11, 13), kernel: SIMD3(1, 3, 2), stride: SIMD3(1, 2, 3),
      padding: SIMD3(0, 1, 2), dilation: SIMD3(1, 2, 1), extra: SIMD3(0, 1, 0)),
    geometry(
      1, 2, 5, size: SIMD3(4, 5, 6), kernel: SIMD3(2, 3, 2), stride: SIMD3(2, 1, 2), padding: SIMD3(1, 1, 0)),
    geometry(2, 5, 5, groups: 5, size: SIMD3(1, 9, 9), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(1, 2, 3, size: SIMD3(1, 5, 5), kernel: SIMD3(1, 1, 1), stride: SIMD3(1, 2, 2), padding: SIMD3(0, 3, 3)),
    // 1 × 1 convolutions: matrix products, and strides that skip most pixels.
    geometry(3, 5, 7, size: SIMD3(1, 6, 9), kernel: SIMD3(1, 1, 1)),
    geometry(2, 5, 7, size: SIMD3(1, 8, 9), kernel: SIMD3(1, 1, 1), stride: SIMD3(1, 2, 3)),
    geometry(2, 3, 4, size: SIMD3(3, 8, 9), kernel: SIMD3(1, 1, 1), stride: SIMD3(2, 2, 1)),
    // 1 × 1 convolutions of images whose pixels fill whole vector registers. The OpenCL kernels read these images in
    // place, without copying them.
    geometry(2, 6, 4, groups: 2, size: SIMD3(1, 8, 8), kernel: SIMD3(1, 1, 1)),
    geometry(3, 70, 5, size: SIMD3(1, 4, 8), kernel: SIMD3(1, 1, 1)),
    geometry(2, 5, 7, size: SIMD3(1, 8, 8), kernel: SIMD3(1, 1, 1), stride: SIMD3(1, 2, 2)),
    // Images that each work-item copies to a private array. The cases: elements that are grouped by their coordinates
    // modulo the stride, zeros inserted between elements, several depths, and channels in several blocks.
    geometry(
      17, 3, 13, size: SIMD3(1, 7, 20), kernel: SIMD3(1, 3, 2), stride: SIMD3(1, 2, 2), padding: SIMD3(0, 1, 1)),
    geometry(8, 4, 6, groups: 2, size: SIMD3(3, 4, 5), kernel: SIMD3(2, 2, 3), padding: SIMD3(1, 0, 1)),
    // Depthwise convolutions. Their OpenCL kernels compute one image row after another. The cases: rows of one and of
    // two registers, more rows than a tile has, a window larger than the image, and more taps than these kernels accept
    // (the last geometry, 7 × 7).
    geometry(2, 3, 3, groups: 3, size: SIMD3(1, 6, 30), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(3, 2, 2, groups: 2, size: SIMD3(1, 11, 37), kernel: SIMD3(1, 5, 5), padding: SIMD3(0, 1, 2)),
    geometry(2, 2, 2, groups: 2, size: SIMD3(1, 3, 2), kernel: SIMD3(1, 4, 5), padding: SIMD3(0, 3, 4)),
    geometry(2, 2, 2, groups: 2, size: SIMD3(1, 9, 17), kernel: SIMD3(1, 7, 7), padding: SIMD3(0, 3, 3)),
    // Weight gradients that are summed over blocks of images or over blocks of the pixels of one image, or that have
    // more channels than a work-item computes.
    geometry(11, 6, 16, size: SIMD3(1, 14, 14), kernel: SIMD3(1, 5, 5)),
    geometry(2, 3, 17, size: SIMD3(1, 48, 48), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(2, 1, 260, size: SIMD3(1, 6, 6), kernel: SIMD3(1, 3, 3)),
    // Stride 2: a row of the input gradient ends within a vector register, in which elements alternate with zeros.
    geometry(2, 5, 7, size: SIMD3(1, 5, 35), kernel: SIMD3(1, 1, 1), stride: SIMD3(1, 2, 2)),
  ]

  /// Channels-last geometries: padding, strides that skip some pixels entirely, more weights than a block of taps
  /// (kernel positions) may have, and more channels than a work-item processes.
  nonisolated static let pixels: [ConvolutionGeometry] = [
    geometry(2, 16, 20, size: SIMD3(1, 7, 9), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(
      1, 20, 33, size: SIMD3(1, 9, 8), kernel: SIMD3(1, 3, 2), stride: SIMD3(1, 2, 3), padding: SIMD3(0, 1, 2),
      dilation: SIMD3(1, 2, 1), extra: SIMD3(0, 1, 0)),
    geometry(1, 17, 16, size: SIMD3(1, 5, 5), kernel: SIMD3(1, 1, 1), stride: SIMD3(1, 2, 2)),
    geometry(1, 470, 32, size: SIMD3(1, 4, 4), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(1, 800, 17, size: SIMD3(1, 2, 3), kernel: SIMD3(1, 1, 2)),
    geometry(
      16, 3, 18, size: SIMD3(1, 20, 22), kernel: SIMD3(1, 5, 3), stride: SIMD3(1, 2, 2), padding: SIMD3(0, 2, 1)),
  ]

  /// Winograd geometries. In the first two geometries, tiles extend past the edge of the image, and registers and
  /// panels extend past the last channel. The plan of the second geometry transforms the patches in advance, and the
  /// plans of the other geometries transform the weights in advance. On at most 5 cores, the third geometry has more
  /// tasks than work-items.
  nonisolated static let transformed: [ConvolutionGeometry] = [
    geometry(10, 33, 40, size: SIMD3(1, 11, 13), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(6, 72, 100, size: SIMD3(1, 9, 6), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 0, 2)),
    geometry(6, 32, 32, size: SIMD3(1, 32, 28), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
  ]

  /// Geometries for matrix units: more pixels and channels than a tile, strides and dilations, 1 × 1 kernels, and weight
  /// gradients that are summed in parts.
  nonisolated static let matrix: [ConvolutionGeometry] = [
    geometry(2, 16, 24, size: SIMD3(1, 7, 9), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(
      1, 8, 40, size: SIMD3(1, 9, 8), kernel: SIMD3(1, 3, 2), stride: SIMD3(1, 2, 3), padding: SIMD3(0, 1, 2),
      dilation: SIMD3(1, 2, 1), extra: SIMD3(0, 1, 0)),
    geometry(2, 24, 16, size: SIMD3(1, 5, 5), kernel: SIMD3(1, 1, 1), stride: SIMD3(1, 2, 2)),
    geometry(3, 72, 136, size: SIMD3(1, 8, 8), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
    geometry(9, 8, 8, size: SIMD3(1, 16, 16), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1)),
  ]

  /// Calls `body` for each multiplication of a convolution, with the offsets of the elements in the input `x`, the
  /// kernel `w` and the output `y`.
  private func products(_ g: ConvolutionGeometry, _ body: (Int, Int, Int) -> Void) {
    let (x, y) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
    let taps = g.kernel.wrappedProduct
    for image in 0..<g.batch {
      for k in 0..<g.outputChannels {
        for position in 0..<g.output.wrappedProduct {
          let o = SIMD3(
            position / (g.output.y * g.output.z), position / g.output.z % g.output.y, position % g.output.z)
          for tap in 0..<taps {
            let r = SIMD3(tap / (g.kernel.y * g.kernel.z), tap / g.kernel.z % g.kernel.y, tap % g.kernel.z)
            let i = o &* g.stride &+ r &* g.dilation &- g.padding
            guard all(i .>= .zero), all(i .< g.input) else { continue }
            for c in 0..<x {
              let channel = k / y * x + c
              body(
                (((image * g.inputChannels + channel) * g.input.x + i.x) * g.input.y + i.y) * g.input.z + i.z,
                (k * x + c) * taps + tap,
                (image * g.outputChannels + k) * g.output.wrappedProduct + position)
            }
          }
        }
      }
    }
  }

  private func all(_ mask: SIMDMask<SIMD3<Int>>) -> Bool { mask[0] && mask[1] && mask[2] }

  /// The geometries for the simulator, which needs about 15 s for a pass of a kernel of class `gpu`. So outside of
  /// `.ci/nightly`, it runs these kernels on the geometries that differ most: groups with strides and dilation, three
  /// dimensions, 1 × 1 kernels with padding and with strides, and more channels than a tile.
  nonisolated static let simulated =
    Harness.isBriefSimulation
    ? [3, 4, 6, 8, 21] : Array(2..<9) + [14, 16, 21, 22]

  @Test(
    arguments: Harness.isSimulator ? simulated : Array(geometries.indices), Convolution.Pass.allCases)
  func passes(_ index: Int, _ pass: Convolution.Pass) throws {
    try check(Self.geometries[index], pass, .float32, tolerance: 0x1p-22)
  }

  @Test(arguments: Harness.isSimulator ? [.bfloat16] : [DType.float16, .bfloat16, .float64], Convolution.Pass.allCases)
  func types(_ dtype: DType, _ pass: Convolution.Pass) throws {
    try check(Self.geometries[3], pass, dtype, tolerance: 0x1p-22)
  }

  @Test(arguments: Harness.isSimulator ? 0..<3 : 0..<6, Convolution.Pass.allCases)
  func channelsLast(_ index: Int, _ pass: Convolution.Pass) throws {
    try check(Self.pixels[index], pass, .float32, order: .channelsLast, tolerance: 0x1p-20)
  }

  /// The error of Winograd results is at most `4·√K·2⁻²⁴·Σ|tᵢ|`, the tolerance for a sum of `K` terms `tᵢ`.
  @Test(
    .enabled(if: Harness.classes.contains(.cpu), "Winograd kernels are for CPUs"),
    arguments: Harness.isSimulator ? 0..<2 : 0..<3, [Convolution.Pass.output, .inputGradient])
  func transformedTiles(_ index: Int, _ pass: Convolution.Pass) throws {
    let g = Self.transformed[index]
    let tiling = try #require(WinogradTiling(g, pass, .float32, registerWidth: 16))
    #expect(tiling.sharesWeights == (index != 1) && (tiling.tasks > tiling.items(for: 2)) == (index == 2))
    let terms = 9 * (pass == .output ? g.inputChannels : g.outputChannels)
    try check(
      g, pass, .float32, order: .channelsLast, tolerance: 4 * Double(terms).squareRoot() * 0x1p-24)
  }

  /// Winograd weight gradients that are summed in parts (split-K), each over some of the tiles, or computed in blocks
  /// of channels. The last part and the last block are smaller than the others.
  @Test(
    .enabled(if: Harness.classes.contains(.cpu), "Winograd kernels are for CPUs"),
    arguments: [(32, 64, 25, true), (208, 96, 2, false)])
  func transformedGradients(_ channels: Int, _ columns: Int, _ batch: Int, hasParts: Bool) throws {
    let g = Self.geometry(
      batch, channels, columns, size: SIMD3(1, 9, 7), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1))
    let tiling = try #require(WinogradGradientTiling(g, .float32, registerWidth: 16))
    #expect(tiling.hasParts == hasParts)
    #expect(hasParts ? tiling.grid.tileCount > tiling.parts * tiling.tilesPerBlock : tiling.channelBlocks == 4)
    let terms = Double(batch * g.output.wrappedProduct)
    try check(g, .weightGradient, .float32, order: .channelsLast, tolerance: 4 * terms.squareRoot() * 0x1p-24)
  }

  /// Exactly four of the geometries in the test `passes` use the depthwise kernels.
  @Test(arguments: Convolution.Pass.allCases) func geometriesWithDepthwiseKernels(pass: Convolution.Pass) {
    let rows = Self.geometries.indices.filter { DepthwiseTiling(Self.geometries[$0], pass, registerWidth: 16) != nil }
    #expect(rows == [5, 15, 16, 17])
  }

  /// Winograd is used where it saves time: for 3 × 3 kernels of stride 1 with enough channels and pixels.
  @Test func winogradIsUsedWhereItSavesTime() {
    func takes(
      _ batch: Int, _ channels: Int, side: Int, kernel: Int = 3, stride: Int = 1, dilation: Int = 1,
      _ pass: Convolution.Pass = .output, _ dtype: DType = .float32
    ) -> Bool {
      let g = Self.geometry(
        batch, channels, channels, size: SIMD3(1, side, side), kernel: SIMD3(1, kernel, kernel),
        stride: SIMD3(1, stride, stride), padding: SIMD3(0, kernel / 2, kernel / 2),
        dilation: SIMD3(1, dilation, dilation))
      return pass == .weightGradient
        ? WinogradGradientTiling(g, dtype, registerWidth: 16) != nil
        : WinogradTiling(g, pass, dtype, registerWidth: 16) != nil
    }
    for (channels, side) in [(64, 32), (128, 16), (256, 8), (512, 4)] {
      for pass in Convolution.Pass.allCases {
        #expect(takes(32, channels, side: side, pass) && !takes(32, channels, side: side, pass, .float64))
      }
    }
    #expect(!takes(32, 72, side: 16, .weightGradient), "registers would reach past the last channel")
    #expect(!takes(32, 256, side: 64, .weightGradient), "the transforms would not stay in a cache")
    #expect(!takes(32, 512, side: 2), "most of a tile is past the end")
    #expect(!takes(32, 16, side: 32), "half of a panel is past the end")
    #expect(!takes(1, 32, side: 16), "too small")
    #expect(!takes(32, 64, side: 32, kernel: 5) && !takes(32, 64, side: 32, kernel: 1))
    #expect(!takes(32, 64, side: 32, stride: 2) && !takes(32, 64, side: 32, dilation: 2))
  }

  /// Channels-last convolutions with `Kernels/matmul/matrix.cl`: `bfloat16` and `float32` in two opposite modes of the
  /// stand-in, `float16` with copies that complete at once, and `float32` rounded to TF32 in the default mode.
  @Test(
    .enabled(if: !Harness.isSimulator, "the simulator runs OpenCL kernels"), arguments: matrix.indices,
    Convolution.Pass.allCases)
  func matrixProducts(_ index: Int, _ pass: Convolution.Pass) throws {
    let device = Harness.openCUDA()
    #expect(device.channelsLast(Self.matrix[index], pass, .bfloat16, .float32).condition == .always)
    #expect(device.channelsLast(Self.matrix[index], pass, .float32, .tf32).condition == .always)
    #expect(device.channelsLast(Self.matrix[index], pass, .float32, .float32).condition == .always)
    for (dtype, modes) in [
      (DType.bfloat16, CUDAStandIn.Mode.opposites), (.float32, CUDAStandIn.Mode.opposites),
      (.float16, [CUDAStandIn.Mode(copiesLandAtOnce: true)]),
    ] {
      _ = try CUDAStandIn.results(in: modes) { _ in
        try check(
          Self.matrix[index], pass, dtype, order: .channelsLast, tolerance: 0x1p-20, devices: [(.gpu, device)])
      }
    }
    try check(
      Self.matrix[index], pass, .float32, inputPrecision: .tf32, order: .channelsLast, tolerance: 0x1p-20,
      devices: [(.gpu, device)])
  }

  /// Without images, the weight gradient is the epilogue applied to zeros.
  @Test(arguments: [Convolution.Order.channelsFirst, .channelsLast]) func noImages(order: Convolution.Order) throws {
    let g = Self.geometry(0, 16, 20, size: SIMD3(1, 7, 9), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1))
    try check(g, .weightGradient, .float32, order: order, tolerance: 0)
  }

  @Test(arguments: [DType.float16, .float64], Convolution.Pass.allCases)
  func channelsLast(_ dtype: DType, _ pass: Convolution.Pass) throws {
    try check(Self.pixels[1], pass, dtype, order: .channelsLast, tolerance: 0x1p-22)
  }

  /// `float16` images are converted as kernels read them, so the device needs no second buffer of an image's size.
  @Test(
    .enabled(if: Harness.classes.contains(.cpu) && !Harness.isSimulator, "kernels for CPUs; the simulator takes hours"),
    arguments: Convolution.Pass.allCases)
  func halfPrecisionNeedsNoWiderImage(pass: Convolution.Pass) throws {
    let g = Self.geometry(10, 20, 33, size: SIMD3(1, 24, 24), kernel: SIMD3(1, 3, 3), padding: SIMD3(0, 1, 1))
    let device = Harness.devices.first { $0.kernelClass == .cpu }!.device
    device.releaseUnusedMemory()
    let before = device.memory.used
    try check(g, pass, .float16, order: .channelsLast, tolerance: 0x1p-20)
    // Arguments have 2 bytes for each element, and images that are results have 4. The memory pool allocates up to an
    // eighth more than requested.
    let (x, y) = (g.batch * g.inputChannels * 576, g.batch * g.outputChannels * 576)
    let bytes = pass == .output ? 2 * x + 4 * y : pass == .inputGradient ? 4 * x + 2 * y : 2 * (x + y)
    let image = 4 * (pass == .inputGradient ? y : x)
    #expect(device.memory.used + device.memory.pooled - before < bytes * 9 / 8 + image / 2)
  }

  /// The sums of a pass, and the sums of the magnitudes of their terms.
  private func expected(
    _ g: ConvolutionGeometry, _ pass: Convolution.Pass, _ x: [Double], _ y: [Double], _ w: [Double], count: Int
  ) -> (sums: [Double], sizes: [Double]) {
    var sums = [Double](repeating: 0, count: count)
    var sizes = sums
    products(g) { xPlace, wPlace, yPlace in
      let (position, term) =
        switch pass {
        case .output: (yPlace, x[xPlace] * w[wPlace])
        case .inputGradient: (xPlace, y[yPlace] * w[wPlace])
        case .weightGradient: (wPlace, x[xPlace] * y[yPlace])
        }
      sums[position] += term
      sizes[position] += abs(term)
    }
    return (sums, sizes)
  }

  /// Returns the elements of channels-first images in channels-last order.
  private func reordered(_ values: [Double], channels: Int, pixels: Int) -> [Double] {
    values.indices.map { position in
      let (image, pixel, channel) = (position / (channels * pixels), position / channels % pixels, position % channels)
      return values[(image * channels + channel) * pixels + pixel]
    }
  }

  private func check(
    _ g: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, inputPrecision: InputPrecision = .float32,
    order: Convolution.Order = .channelsFirst, tolerance: Double,
    devices: [(kernelClass: KernelTarget.Class, device: any Device)]? = nil
  ) throws {
    var numbers = Numbers(seed: 3)
    let x = numbers.array(g.batch * g.inputChannels * g.input.wrappedProduct)
    let y = numbers.array(g.batch * g.outputChannels * g.output.wrappedProduct)
    let w = numbers.array(g.outputChannels * g.inputChannels / g.groups * g.kernel.wrappedProduct)
    let spatial = [g.input.x, g.input.y, g.input.z]
    let domain =
      switch pass {
      case .output: Shape([g.batch, g.outputChannels, g.output.x, g.output.y, g.output.z])
      case .inputGradient: Shape([g.batch, g.inputChannels] + spatial)
      case .weightGradient:
        Shape([g.outputChannels, g.inputChannels / g.groups, g.kernel.x, g.kernel.y, g.kernel.z])
      }
    let (expected, sizes) = expected(g, pass, x, y, w, count: domain.elementCount)
    let isLast = order == .channelsLast
    func placed(_ values: [Double], _ channels: Int, _ pixels: Int) -> [Double] {
      isLast ? reordered(values, channels: channels, pixels: pixels) : values
    }
    let xPlaced = placed(x, g.inputChannels, g.input.wrappedProduct)
    let yPlaced = placed(y, g.outputChannels, g.output.wrappedProduct)
    for (kernelClass, device) in devices ?? Harness.devices.filter({ !isLast || $0.kernelClass == .cpu }) {
      var builder = PlanBuilder()
      let leftValue = builder.input(pass == .inputGradient ? yPlaced : xPlaced, dtype)
      let rightValue = builder.input(pass == .weightGradient ? yPlaced : w, dtype)
      // The bias has an element for each channel, or for each output channel of a weight gradient. Channels-last
      // results have the channel axis at the end.
      let channels = domain[pass == .weightGradient ? 0 : 1]
      let bias = numbers.array(channels)
      let biasValue = builder.input(bias, dtype.lane.dtype)
      let result = builder.output(domain.elementCount, dtype.lane.dtype)
      let isImage = pass != .weightGradient
      let laid = isLast && isImage ? Shape([domain[0], domain[2], domain[3], domain[4], domain[1]]) : domain
      var biasLayout = Layout(shape: laid, strides: Shape(repeating: 0, count: 5))
      biasLayout.strides[isImage ? (isLast ? 4 : 1) : 0] = 1
      let operand = Operand(value: result, layout: Layout(contiguous: laid))
      builder.step(
        .convolution(
          Convolution(
            pass: pass, geometry: g, order: order, left: leftValue, right: rightValue, dtype: dtype,
            inputPrecision: inputPrecision,
            epilogue: epilogue(
              dtype.lane, operand, domain: laid, bias: Operand(value: biasValue, layout: biasLayout)))))
      if devices != nil { try CUDADump.write(builder.plan, capabilities: [90]) }
      let raw = try builder.results(on: device)[0]
      // Called with pixels and channels swapped, `reordered` moves the channels back to the front.
      let pixels = domain[2] * domain[3] * domain[4]
      let output = isLast && isImage ? reordered(raw, channels: pixels, pixels: domain[1]) : raw
      let inner = domain.elementCount / (pass == .weightGradient ? domain[0] : domain[0] * domain[1])
      var worst = 0.0
      for position in expected.indices {
        let sum = max(0, expected[position] + bias[position / inner % channels])
        worst = max(worst, abs(output[position] - sum) / (sizes[position] + 2))
      }
      #expect(worst <= tolerance, "\(kernelClass)")
    }
  }
}
