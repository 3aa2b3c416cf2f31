import ApusDevice

/// A sum of products. It is accumulated in `Double` for the floating-point lanes (arithmetic types), and in wrapping
/// integers for the integer lanes.
private struct Accumulator {
  private let lane: Lane
  private var float = 0.0
  private var integer: Int64 = 0

  init(_ lane: Lane) { self.lane = lane }

  mutating func add(_ a: Scalar, _ b: Scalar) {
    if lane.isFloatingPoint { float += a.double * b.double } else { integer &+= a.integer &* b.integer }
  }

  var result: Scalar { lane.holding(lane.isFloatingPoint ? .float(float) : .integer(integer)) }
}

extension Interpreter {
  func run(_ step: Matmul) {
    let (a, b) = (Places(step.a.layout), Places(step.b.layout))
    var core: [Scalar] = []
    for batch in 0..<step.batch.elementCount {
      for row in 0..<step.m {
        for column in 0..<step.n {
          var sum = Accumulator(step.dtype.lane)
          for k in 0..<step.k {
            sum.add(
              arrays[step.a.value][a[(batch * step.m + row) * step.k + k]],
              arrays[step.b.value][b[(batch * step.k + k) * step.n + column]])
          }
          core.append(sum.result)
        }
      }
    }
    run(step.epilogue.program, step.epilogue.binding, cores: [core])
  }

  /// All three passes iterate over the same triples of elements of the input `x`, the kernel `w` and the output `y`.
  /// Each pass adds the product of two of the elements to the sum at the index of the third.
  func run(_ step: Convolution) {
    let g = step.geometry
    let count =
      switch step.pass {
      case .output: g.batch * g.outputChannels * g.output.wrappedProduct
      case .inputGradient: g.batch * g.inputChannels * g.input.wrappedProduct
      case .weightGradient: g.outputChannels * (g.inputChannels / g.groups) * g.kernel.wrappedProduct
      }
    var sums = Array(repeating: Accumulator(step.dtype.lane), count: count)
    let (left, right) = (arrays[step.left], arrays[step.right])
    forEachTerm(g, step.order) { x, w, y in
      switch step.pass {
      case .output: sums[y].add(left[x], right[w])
      case .inputGradient: sums[x].add(left[y], right[w])
      case .weightGradient: sums[w].add(left[x], right[y])
      }
    }
    run(step.epilogue.program, step.epilogue.binding, cores: [sums.map(\.result)])
  }

  /// Calls `body` with the indices in the input `x`, the kernel `w` and the output `y` for each multiply-add of a
  /// convolution.
  private func forEachTerm(
    _ g: ConvolutionGeometry, _ order: Convolution.Order, _ body: (Int, Int, Int) -> Void
  ) {
    let channels = g.inputChannels / g.groups
    func place(
      _ image: Int, _ channel: Int, _ pixel: Int, of count: Int, _ extents: SIMD3<Int>, isLast: Bool
    ) -> Int {
      isLast
        ? (image * extents.wrappedProduct + pixel) * count + channel
        : (image * count + channel) * extents.wrappedProduct + pixel
    }
    for n in 0..<g.batch {
      for k in 0..<g.outputChannels {
        let group = k / (g.outputChannels / g.groups)
        for c in 0..<channels {
          let w = (k * channels + c) * g.kernel.wrappedProduct
          for o in grid(g.output) {
            for r in grid(g.kernel) {
              let read = o.place &* g.stride &+ r.place &* g.dilation &- g.padding
              guard let index = index(read, in: g.input) else { continue }
              body(
                place(n, group * channels + c, index, of: g.inputChannels, g.input, isLast: order == .channelsLast),
                w + r.index,
                place(n, k, o.index, of: g.outputChannels, g.output, isLast: order != .channelsFirst))
            }
          }
        }
      }
    }
  }

  func run(_ step: Pooling) {
    let (left, right) = (arrays[step.left], step.right.map { arrays[$0] })
    let (inputs, outputs) = (step.input.wrappedProduct, step.output.wrappedProduct)
    let isBackward = step.pass == .backward
    var core = Array(
      repeating: Accumulator(step.dtype.lane), count: step.planes * (isBackward ? inputs : outputs))
    for plane in 0..<step.planes {
      for o in grid(step.output) {
        let y = plane * outputs + o.index
        let window = window(step, at: o.place)
        switch (step.kind, step.pass) {
        case (.average, .select): fatalError("average pooling has no pass that selects elements")
        case (.average, _):
          let scale = Scalar.float(1 / Double(window.divisor))
          for x in window.inside {
            if isBackward {
              core[plane * inputs + x].add(left[y], scale)
            } else {
              core[y].add(left[plane * inputs + x], scale)
            }
          }
        case (.maximum, let pass):
          let x = plane * inputs + largest(window.inside, left, plane * inputs)
          let one: Scalar = step.dtype.isFloatingPoint ? .float(1) : .integer(1)
          switch pass {
          case .forward: core[y].add(left[x], one)
          case .backward: core[x].add(right![y], one)
          case .select: core[y].add(right![x], one)
          }
        }
      }
    }
    run(step.epilogue.program, step.epilogue.binding, cores: [core.map(\.result)])
  }

  /// The elements of a window that are in the input, and the divisor of an average.
  private func window(_ step: Pooling, at output: SIMD3<Int>) -> (inside: [Int], divisor: Int) {
    let start = output &* step.stride &- step.padding
    let inside = grid(step.window).compactMap { index(start &+ $0.place &* step.dilation, in: step.input) }
    return (inside, step.countsPadding ? step.window.wrappedProduct : inside.count)
  }

  private func largest(_ places: [Int], _ array: HostArray, _ base: Int) -> Int {
    var best = places[0]
    for place in places.dropFirst() {
      let (a, b) = (array[base + place].double, array[base + best].double)
      if a > b || a.isNaN && !b.isNaN { best = place }
    }
    return best
  }

  private func index(_ place: SIMD3<Int>, in extents: SIMD3<Int>) -> Int? {
    guard (0..<3).allSatisfy({ (0..<extents[$0]).contains(place[$0]) }) else { return nil }
    return (place.x * extents.y + place.y) * extents.z + place.z
  }

  private func grid(_ extents: SIMD3<Int>) -> [(index: Int, place: SIMD3<Int>)] {
    (0..<extents.wrappedProduct).map { index in
      (index, SIMD3(index / extents.z / extents.y, index / extents.z % extents.y, index % extents.z))
    }
  }
}
