import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct ConvolutionTests {
  /// Each vector is `[depth, height, width]`. `padding` is before the image in each axis, `behind` after it (negative
  /// values crop the image).
  static func geometry(
    batch: Int, groups: Int = 1, _ inputs: Int, _ outputs: Int, input: SIMD3<Int>, kernel: SIMD3<Int>,
    stride: SIMD3<Int> = [1, 1, 1], padding: SIMD3<Int> = [0, 0, 0], behind: SIMD3<Int>? = nil,
    dilation: SIMD3<Int> = [1, 1, 1]
  ) -> ConvolutionGeometry {
    let reach = (kernel &- 1) &* dilation
    let span = input &+ padding &+ (behind ?? padding) &- reach &- 1
    let output = SIMD3(span.x / stride.x + 1, span.y / stride.y + 1, span.z / stride.z + 1)
    return ConvolutionGeometry(
      batch: batch, groups: groups, inputChannels: inputs, outputChannels: outputs, input: input,
      kernel: kernel, output: output, stride: stride, padding: padding, dilation: dilation)
  }

  static let geometries: [ConvolutionGeometry] = [
    geometry(batch: 5, 1, 6, input: [1, 28, 28], kernel: [1, 5, 5], padding: [0, 2, 2]),
    geometry(batch: 3, 6, 16, input: [1, 14, 14], kernel: [1, 5, 5]),
    geometry(batch: 2, 3, 7, input: [1, 9, 11], kernel: [1, 3, 2], stride: [1, 2, 3], padding: [0, 1, 1]),
    geometry(
      batch: 2, groups: 2, 4, 6, input: [1, 12, 40], kernel: [1, 3, 3], padding: [0, 2, 1],
      behind: [0, 1, 3], dilation: [1, 2, 1]),
    geometry(batch: 2, groups: 8, 8, 8, input: [1, 20, 20], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 9, 5, 4, input: [1, 4, 4], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 2, 3, 4, input: [1, 1, 50], kernel: [1, 1, 7], padding: [0, 0, 3]),
    geometry(batch: 2, 2, 3, input: [5, 6, 18], kernel: [3, 2, 3], padding: [1, 0, 1]),
    geometry(batch: 1, 2, 3, input: [5, 6, 7], kernel: [3, 2, 3], stride: [2, 1, 2], padding: [1, 1, 1]),
    geometry(batch: 2, 3, 5, input: [1, 10, 20], kernel: [1, 1, 1]),
    geometry(batch: 2, groups: 2, 12, 10, input: [1, 15, 20], kernel: [1, 1, 1]),
    geometry(batch: 3, 9, 5, input: [1, 3, 4], kernel: [1, 1, 1]),
    geometry(batch: 4, 40, 50, input: [1, 5, 5], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 1, 2, 2, input: [1, 6, 30], kernel: [1, 2, 3], padding: [0, 3, 4]),
    geometry(batch: 1, 16, 9, input: [1, 90, 90], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 3, 4, 4, input: [1, 3, 3], kernel: [1, 3, 3]),
    geometry(batch: 3, 70, 33, input: [1, 17, 31], kernel: [1, 1, 1]),
    geometry(batch: 2, 1, 19, input: [2, 9, 10], kernel: [1, 1, 1]),
    geometry(batch: 2, 5, 1, input: [1, 12, 13], kernel: [1, 1, 1]),
    geometry(batch: 2, 8, 6, input: [1, 16, 16], kernel: [1, 1, 1], padding: [0, 1, 1], behind: [0, -1, -1]),
    // Depthwise 3 × 3 kernels: a last vector or tile that overlaps the one before it, images of few rows, and images
    // that are split into several strips of rows.
    geometry(batch: 2, groups: 5, 5, 5, input: [1, 7, 37], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 2, groups: 3, 3, 3, input: [2, 5, 18], kernel: [1, 3, 3]),
    geometry(batch: 1, groups: 2, 2, 2, input: [1, 260, 300], kernel: [1, 3, 3], padding: [0, 2, 1]),
    // im2col matrices: several accumulation chains; channels whose stride is a multiple of the page size; and images
    // that are used as matrices without a copy.
    geometry(batch: 3, 40, 50, input: [1, 30, 33], kernel: [1, 1, 1], stride: [1, 2, 2]),
    geometry(batch: 2, 40, 50, input: [1, 33, 33], kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1]),
    geometry(batch: 2, 9, 20, input: [1, 64, 64], kernel: [1, 2, 2], stride: [1, 2, 2]),
    geometry(batch: 2, groups: 2, 12, 10, input: [1, 16, 20], kernel: [1, 1, 1]),
    geometry(batch: 2, 3, 4, input: [3, 9, 8], kernel: [2, 3, 3], stride: [2, 2, 2], padding: [1, 1, 2]),
    // 1 × 1 kernels with at least twice as many input channels as output channels. The weight gradient is computed
    // transposed. In this order, the cases have several blocks of pixels, several groups, and a single block of pixels.
    geometry(batch: 2, 64, 32, input: [1, 33, 32], kernel: [1, 1, 1]),
    geometry(batch: 2, groups: 2, 24, 10, input: [1, 16, 20], kernel: [1, 1, 1]),
    geometry(batch: 2, 260, 20, input: [1, 10, 20], kernel: [1, 1, 1]),
  ]

  /// Channels-last geometries: channel counts that fill whole vectors and counts that do not, small images, 1 × 1
  /// kernels, and kernel elements outside of the image.
  static let channelsLast: [ConvolutionGeometry] = [
    geometry(batch: 3, 6, 16, input: [1, 14, 14], kernel: [1, 5, 5]),
    geometry(batch: 2, 3, 64, input: [1, 30, 29], kernel: [1, 7, 7], stride: [1, 2, 2], padding: [0, 3, 3]),
    geometry(batch: 2, 3, 16, input: [1, 35, 35], kernel: [1, 11, 11], stride: [1, 4, 4], padding: [0, 2, 2]),
    geometry(batch: 13, 20, 48, input: [1, 4, 4], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 40, 16, 16, input: [1, 2, 3], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 2, 33, 80, input: [1, 9, 17], kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1]),
    geometry(batch: 2, 40, 32, input: [1, 8, 8], kernel: [1, 1, 1], stride: [1, 2, 2]),
    geometry(batch: 2, 40, 32, input: [1, 8, 9], kernel: [1, 1, 1]),
    geometry(batch: 2, 20, 32, input: [1, 16, 16], kernel: [1, 1, 1], padding: [0, 1, 1], behind: [0, -1, -1]),
    geometry(batch: 1, 17, 16, input: [1, 11, 40], kernel: [1, 3, 5], padding: [0, 2, 4], dilation: [1, 2, 3]),
    geometry(
      batch: 2, 5, 16, input: [1, 12, 19], kernel: [1, 3, 2], stride: [1, 1, 3], padding: [0, 2, 1],
      behind: [0, 1, 3], dilation: [1, 2, 1]),
    geometry(batch: 2, 16, 18, input: [3, 5, 20], kernel: [1, 2, 3], padding: [0, 1, 2]),
    geometry(batch: 2, 4, 16, input: [1, 1, 50], kernel: [1, 1, 7], padding: [0, 0, 3]),
    geometry(batch: 1, 16, 16, input: [1, 2, 2], kernel: [1, 2, 2], padding: [0, 5, 5]),
    geometry(batch: 0, 16, 16, input: [1, 4, 4], kernel: [1, 3, 3]),
  ]

  /// Winograd geometries. The cases cover tasks of threads that are blocks of tiles or blocks of channels; tiles that
  /// extend beyond the image; and weight gradients that are summed in parts (ranges of tiles) or in blocks of channels.
  static let transformed: [ConvolutionGeometry] = [
    geometry(batch: 9, 32, 48, input: [1, 8, 8], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 2, 64, 32, input: [1, 13, 22], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 33, 96, 80, input: [1, 4, 4], kernel: [1, 3, 3], padding: [0, 1, 1]),
    geometry(batch: 4, 48, 32, input: [1, 12, 14], kernel: [1, 3, 3]),
    geometry(batch: 3, 32, 32, input: [1, 11, 13], kernel: [1, 3, 3], padding: [0, 3, 2], behind: [0, 1, 0]),
  ]

  /// Moves the channel axis of images after the spatial axes; with `channels` and `pixels` exchanged, moves it back.
  private func reordered(_ images: [Double], channels: Int, pixels: Int) -> [Double] {
    var result = images
    for index in images.indices {
      let (image, rest) = index.quotientAndRemainder(dividingBy: channels * pixels)
      let (channel, pixel) = rest.quotientAndRemainder(dividingBy: pixels)
      result[(image * pixels + pixel) * channels + channel] = images[index]
    }
    return result
  }

  /// The expected result, computed in scalar code.
  private func scalarResult(
    _ g: ConvolutionGeometry, _ pass: Convolution.Pass, _ left: [Double], _ right: [Double]
  ) -> [Double] {
    let (ci, co) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
    let counts = [
      g.batch * g.inputChannels * g.input.wrappedProduct,
      g.outputChannels * ci * g.kernel.wrappedProduct,
      g.batch * g.outputChannels * g.output.wrappedProduct,
    ]
    var result = [Double](
      repeating: 0, count: pass == .output ? counts[2] : pass == .inputGradient ? counts[0] : counts[1])
    for n in 0..<g.batch {
      for k in 0..<g.outputChannels {
        for c in 0..<ci {
          for o in 0..<g.output.wrappedProduct {
            let at = SIMD3(o / (g.output.y * g.output.z), o / g.output.z % g.output.y, o % g.output.z)
            for r in 0..<g.kernel.wrappedProduct {
              let tap = SIMD3(r / (g.kernel.y * g.kernel.z), r / g.kernel.z % g.kernel.y, r % g.kernel.z)
              let i = at &* g.stride &+ tap &* g.dilation &- g.padding
              guard all(i .>= SIMD3(0, 0, 0)), all(i .< g.input) else { continue }
              let channel = n * g.inputChannels + k / co * ci + c
              let x = channel * g.input.wrappedProduct + (i.x * g.input.y + i.y) * g.input.z + i.z
              let y = (n * g.outputChannels + k) * g.output.wrappedProduct + o
              let w = (k * ci + c) * g.kernel.wrappedProduct + r
              switch pass {
              case .output: result[y] += left[x] * right[w]
              case .inputGradient: result[x] += left[y] * right[w]
              case .weightGradient: result[w] += left[x] * right[y]
              }
            }
          }
        }
      }
    }
    return result
  }

  private func domain(of g: ConvolutionGeometry, _ pass: Convolution.Pass) -> Shape {
    switch pass {
    case .output: [g.batch, g.outputChannels, g.output.x, g.output.y, g.output.z]
    case .inputGradient: [g.batch, g.inputChannels, g.input.x, g.input.y, g.input.z]
    case .weightGradient:
      [g.outputChannels, g.inputChannels / g.groups, g.kernel.x, g.kernel.y, g.kernel.z]
    }
  }

  private func run(
    _ g: ConvolutionGeometry, _ pass: Convolution.Pass, dtype: DType = .float32, threads: Int = 2,
    simd: String? = nil, doubles: Bool = false, order: Convolution.Order = .channelsFirst
  ) throws -> (result: [Double], expected: [Double]) {
    var random = TestNumbers(seed: 51)
    let weightCount = g.outputChannels * g.inputChannels / g.groups * g.kernel.wrappedProduct
    let xCount = g.batch * g.inputChannels * g.input.wrappedProduct
    let yCount = g.batch * g.outputChannels * g.output.wrappedProduct
    // Sums of small integers are exact, so the comparison finds every error.
    let x = random.integers(xCount, -3...3)
    let w = random.integers(weightCount, -3...3)
    let y = random.integers(yCount, -3...3)
    let (left, right) =
      pass == .output ? (x, w) : pass == .inputGradient ? (y, w) : (x, y)
    let placedX = order == .channelsLast ? reordered(x, channels: g.inputChannels, pixels: g.input.wrappedProduct) : x
    let placedY =
      order == .channelsFirst ? y : reordered(y, channels: g.outputChannels, pixels: g.output.wrappedProduct)
    var builder = PlanBuilder()
    let vl = builder.input(pass == .inputGradient ? placedY : placedX, dtype)
    let vr = builder.input(pass == .weightGradient ? placedY : w, dtype)
    var domain = domain(of: g, pass)
    let channelCount = domain[1]
    let isReordered = order != .channelsFirst && pass != .weightGradient
    if isReordered { domain = [domain[0], domain[2], domain[3], domain[4], domain[1]] }
    let lane = dtype.lane
    let result = builder.output(domain.elementCount, lane.dtype)
    var epilogue = Epilogue.plain(domain, lane: lane, into: result)
    if doubles {
      // The epilogue doubles the result and adds the channel's index, which it reads from a tensor.
      let channels = builder.input((0..<channelCount).map(Double.init), lane.dtype)
      epilogue.program.inputs.append(.tensor(lane.dtype))
      epilogue.program.instructions = [
        Instruction(.add, lane: lane, operands: [0, 0]),
        Instruction(.add, lane: lane, operands: [2, 1]),
      ]
      epilogue.program.outputs[0].register = 3
      epilogue.binding.arguments.append(
        .tensor(
          Operand(
            value: channels, layout: Layout(shape: domain, strides: isReordered ? [0, 0, 0, 0, 1] : [0, 1, 0, 0, 0]))))
    }
    builder.step(
      .convolution(
        Convolution(
          pass: pass, geometry: g, order: order, left: vl, right: vr, dtype: dtype,
          epilogue: epilogue)))
    var expected = scalarResult(g, pass, left, right)
    let inner = domain.elementCount / max(1, domain[0] * channelCount)
    if doubles {
      for index in expected.indices {
        expected[index] = 2 * expected[index] + Double(index / inner % channelCount)
      }
    }
    if isReordered { expected = reordered(expected, channels: channelCount, pixels: inner) }
    return (try builder.run(on: cpu(threads: threads, simd: simd))[0], expected)
  }

  /// Winograd results are within the tolerance of a sum of `K` terms `tᵢ`, `4·√K·2⁻²⁴·Σ|tᵢ|`.
  @Test(arguments: transformed, Convolution.Pass.allCases)
  func winogradIsWithinTheTolerance(geometry: ConvolutionGeometry, pass: Convolution.Pass) throws {
    #expect(WinogradGeometry.profitable(geometry, pass: pass) != nil)
    let terms = pass == .weightGradient ? geometry.batch * geometry.output.wrappedProduct : 9 * geometry.inputChannels
    for simd in availableSets {
      for doubles in [false, true] {
        let (result, expected) = try run(geometry, pass, simd: simd, doubles: doubles, order: .channelsLast)
        // The factors are integers in -3 … 3, whose products have a mean magnitude of (12/7)².
        let bound = 4 * Double(terms).squareRoot() * 0x1p-24 * Double(terms) * 144 / 49
        #expect(result.count == expected.count)
        #expect(zip(result, expected).allSatisfy { abs($0 - $1) <= bound }, "\(simd) \(doubles)")
      }
    }
    let one = try run(geometry, pass, threads: 1, order: .channelsLast).result
    for threads in [2, 5] { #expect(try run(geometry, pass, threads: threads, order: .channelsLast).result == one) }
  }

  /// Whether the CPU device has a method for this pass with images in this order.
  private static func reads(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ order: Convolution.Order, _ dtype: DType = .float32
  ) -> Bool {
    ConvolutionMethod(geometry, pass, order, dtype) != nil
  }

  /// All passes of the geometries `channelsLast` can use channels-last images, except one weight gradient, whose 18
  /// output channels do not fill vectors. Convolutions with groups or in `float64`, and input gradients with a stride
  /// and a dilation, cannot use channels-last images.
  @Test func passesWithChannelsLast() {
    let pairs = Self.channelsLast.flatMap { geometry in Convolution.Pass.allCases.map { (geometry, $0) } }
    let refused = pairs.filter { !Self.reads($0, $1, .channelsLast) }
    #expect(refused.map(\.0.outputChannels) == [18] && refused.map(\.1) == [.weightGradient])
    #expect(!Self.reads(Self.channelsLast[0], .output, .channelsLast, .float64))
    let grouped = Self.geometry(batch: 1, groups: 2, 16, 32, input: [1, 8, 8], kernel: [1, 3, 3])
    #expect(!Self.reads(grouped, .output, .channelsLast))
    let spread = Self.geometry(
      batch: 1, 16, 16, input: [1, 9, 9], kernel: [1, 3, 3], stride: [1, 2, 2], dilation: [1, 2, 2])
    #expect(Self.reads(spread, .output, .channelsLast) && !Self.reads(spread, .inputGradient, .channelsLast))
  }

  /// The device prefers channels-last images only where they save more time than the copies to channels-last order
  /// take.
  @Test func channelsLastIsPreferredWhereItSavesTime() throws {
    let device = try cpu()
    func wanted(
      _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, _ pass: Convolution.Pass = .output,
      _ dtype: DType = .float32
    ) -> ChannelsLastPreference {
      let geometry = Self.geometry(
        batch: 1, inputs, outputs, input: [1, 20, 20], kernel: [1, kernel, kernel], stride: [1, stride, stride])
      return device.channelsLast(geometry, pass, dtype, .float32)
    }
    for pass in Convolution.Pass.allCases { #expect(wanted(64, 64, kernel: 3, pass) == .init(.always)) }
    #expect(wanted(64, 64, kernel: 3, .output, .float64) == .never)
    #expect(wanted(64, 8, kernel: 3) == .never && wanted(8, 64, kernel: 3, .inputGradient) == .never)
    #expect(wanted(64, 64, kernel: 1) == .init(.ifConverted))
    #expect(wanted(64, 64, kernel: 1, stride: 2) == .init(.ifChained))
    #expect(wanted(64, 64, kernel: 3, stride: 2) == .init(.always, readsChannelsFirst: true))
    #expect(wanted(256, 64, kernel: 3, stride: 2) == .init(.always))
    #expect(wanted(64, 64, kernel: 3, stride: 2, .weightGradient) == .init(.always))
    #expect(wanted(3, 64, kernel: 7, stride: 2) == .init(.always, readsChannelsFirst: true))
    #expect(wanted(3, 64, kernel: 5) == .init(.ifChained, readsChannelsFirst: true))
    #expect(wanted(6, 16, kernel: 5) == .init(.ifChained))
    #expect(wanted(6, 16, kernel: 5, .weightGradient) == .init(.always))
  }

  /// The passes of the geometries `channelsLast` for which a convolution method exists for this order of the images.
  private static func passes(
    _ order: Convolution.Order, _ passes: [Convolution.Pass]
  ) -> [(ConvolutionGeometry, Convolution.Pass)] {
    channelsLast.flatMap { geometry in passes.filter { reads(geometry, $0, order) }.map { (geometry, $0) } }
  }

  @Test(arguments: passes(.channelsLast, Convolution.Pass.allCases))
  func channelsLastMatchesScalarCode(geometry: ConvolutionGeometry, pass: Convolution.Pass) throws {
    for simd in availableSets {
      for doubles in [false, true] {
        let (result, expected) = try run(geometry, pass, simd: simd, doubles: doubles, order: .channelsLast)
        #expect(result.elementsEqual(expected), "\(simd) \(doubles)")
      }
    }
    let one = try run(geometry, pass, threads: 1, order: .channelsLast).result
    #expect(try run(geometry, pass, threads: 5, order: .channelsLast).result == one)
  }

  /// With the order `mixed`, the input is channels-first and the output is channels-last. The test runs all geometries
  /// of `channelsLast` that can be read in this order. For many of them, `readsPlanes` is false, so the device would
  /// choose another order.
  @Test(arguments: passes(.mixed, [.output, .weightGradient]))
  func mixedOrderMatchesScalarCode(geometry: ConvolutionGeometry, pass: Convolution.Pass) throws {
    for simd in availableSets {
      for doubles in [false, true] {
        let (result, expected) = try run(geometry, pass, simd: simd, doubles: doubles, order: .mixed)
        #expect(result.elementsEqual(expected), "\(simd) \(doubles)")
      }
    }
    let one = try run(geometry, pass, threads: 1, order: .mixed).result
    #expect(try run(geometry, pass, threads: 5, order: .mixed).result == one)
  }

  /// Geometries whose windows are read in place from channels-first images: windows of few channels, or strided windows
  /// of more channels.
  static let planes: [(ConvolutionGeometry, Convolution.Pass)] =
    [Convolution.Pass.output, .weightGradient].flatMap { pass in
      let fewChannels = channelsLast.filter { $0.inputChannels <= 4 && $0.kernel.z >= 5 }
      // The result of the first of these geometries exceeds the caches, and its rows do not begin at cache lines.
      let others = [
        geometry(batch: 1, 2, 96, input: [1, 219, 114], kernel: [1, 1, 5], stride: [1, 2, 1]),
        geometry(batch: 5, 6, 32, input: [1, 14, 14], kernel: [1, 5, 5]),
      ]
      return (fewChannels + others).map { ($0, pass) }
    }
    + [
      geometry(batch: 2, 20, 40, input: [1, 19, 33], kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1]),
      geometry(batch: 20, 128, 16, input: [1, 4, 16], kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1]),
      geometry(batch: 1, 48, 16, input: [1, 20, 40], kernel: [1, 2, 2], stride: [1, 2, 2]),
      geometry(batch: 2, 3, 32, input: [1, 30, 40], kernel: [1, 4, 4], stride: [1, 4, 4]),
      geometry(batch: 1, 16, 17, input: [1, 9, 30], kernel: [1, 3, 3], stride: [1, 1, 3], padding: [0, 2, 4]),
    ].map { ($0, .output) }

  @Test(arguments: planes)
  func windowsOfPlanesMatchScalarCode(geometry: ConvolutionGeometry, pass: Convolution.Pass) throws {
    #expect(Self.reads(geometry, pass, .mixed) && geometry.readsPlanes(pass, fewChannels: 8))
    for simd in availableSets {
      for doubles in [false, true] {
        let (result, expected) = try run(geometry, pass, simd: simd, doubles: doubles)
        #expect(result.elementsEqual(expected), "\(simd) \(doubles)")
      }
    }
    let one = try run(geometry, pass, threads: 1).result
    #expect(try run(geometry, pass, threads: 5).result == one)
  }

  @Test(arguments: geometries, Convolution.Pass.allCases)
  func matchesScalarCode(geometry: ConvolutionGeometry, pass: Convolution.Pass) throws {
    for simd in availableSets {
      let (result, expected) = try run(geometry, pass, simd: simd)
      #expect(result.elementsEqual(expected), "\(simd)")
    }
    let (fused, fusedExpected) = try run(geometry, pass, doubles: true)
    #expect(fused.elementsEqual(fusedExpected))
  }

  @Test(arguments: [DType.float16, .bfloat16, .float64, .int32, .int64, .int8])
  func otherTypes(dtype: DType) throws {
    for index in [1, 2, 3, 5] {
      for pass in Convolution.Pass.allCases {
        let (result, expected) = try run(Self.geometries[index], pass, dtype: dtype)
        #expect(result.elementsEqual(expected))
      }
    }
  }

  @Test func bitsDoNotDependOnThreads() throws {
    for index in [0, 1, 2, 11] {
      for pass in Convolution.Pass.allCases {
        let one = try run(Self.geometries[index], pass, threads: 1).result
        #expect(try run(Self.geometries[index], pass, threads: 3).result.elementsEqual(one))
      }
    }
  }
}
