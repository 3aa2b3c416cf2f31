import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Testing

@testable import ApusCPU

@Suite struct ReductionTests {
  /// Reduces a tensor and returns the result. The prologue and the epilogue, the elementwise programs before and after
  /// the reduction, change no value.
  private func reduce(
    _ numbers: [Double], _ domain: Shape, axes: [Int], _ reducer: ReductionRow, _ dtype: DType = .float32,
    layout: Layout? = nil, threads: Int = 2, simd: String? = nil
  ) throws -> [Double] {
    var builder = PlanBuilder()
    let x = builder.input(numbers, dtype)
    var kept = domain
    for axis in axes { kept[axis] = 1 }
    let isIndex = reducer.isIndex
    let type: DType = isIndex ? .int64 : dtype
    let y = builder.output(kept.elementCount, type)
    let operand = Operand(value: x, layout: layout ?? Layout(contiguous: domain))
    builder.step(
      .reduction(
        Reduction(
          domain: domain, axes: axes,
          prologue: Program(
            inputs: [.tensor(dtype)], outputs: [Program.Output(register: 0, dtype: dtype.lane.dtype)]),
          arguments: [.tensor(operand)], reducers: [reducer],
          epilogue: .plain(kept, lane: isIndex ? .int64 : dtype.lane, into: y, type))))
    return try builder.run(on: cpu(threads: threads, simd: simd))[0]
  }

  /// The expected result, computed in scalar code.
  private func scalarResult(
    _ numbers: [Double], _ domain: Shape, axes: [Int], _ reducer: ReductionRow, layout: Layout
  ) -> [Double] {
    var groups: [[Double]] = []
    var kept = domain
    for axis in axes { kept[axis] = 1 }
    groups = Array(repeating: [], count: kept.elementCount)
    for (index, position) in layout.positions.enumerated() {
      var (rest, target, factor) = (index, 0, 1)
      for axis in (0..<domain.rank).reversed() {
        if !axes.contains(axis) {
          target += rest % domain[axis] * factor
          factor *= domain[axis]
        }
        rest /= domain[axis]
      }
      groups[target].append(numbers[position])
    }
    return groups.map { group in
      switch reducer {
      case .sum: return group.reduce(0, +)
      case .product: return group.reduce(1, *)
      case .min: return group.contains(where: \.isNaN) ? .nan : group.min() ?? .infinity
      case .max: return group.contains(where: \.isNaN) ? .nan : group.max() ?? -.infinity
      default:
        if let nan = group.firstIndex(where: \.isNaN) { return Double(nan) }
        let best = reducer == .argmin ? group.min() : group.max()
        return Double(best.flatMap { group.firstIndex(of: $0) } ?? 0)
      }
    }
  }

  /// A reducer's functions `row` and `deviation_row`, which reduce a whole array in one call, give the same bits as its
  /// functions `begin`, `take` and `finish`, which keep a state between calls.
  @Test(arguments: availableSets, [0, 16, 48, 64, 80, 777, 1008, 1024, 1040, 4096])
  func rowFunctionsEqualStateFunctions(simd: String, count: Int) throws {
    let loops = try #require(csimd_choose(simd))
    var random = TestNumbers(seed: UInt64(count + 1))
    // Vector loads may read beyond the last element, so the array has 64 more elements.
    let numbers = random.array(count + 64).map(Float.init)
    let mean = [Float](repeating: 0.37, count: 16)
    var memory = [UInt64](repeating: 0, count: 2 * Int(CSIMD_STATE_BYTES) / 8 + 8)
    numbers.withUnsafeBytes { numbers in
      mean.withUnsafeBytes { mean in
        memory.withUnsafeMutableBytes { memory in
          let states = memory.baseAddress!.alignedUp(toMultipleOf: 64)
          let operands = [
            csimd_operand(data: numbers.baseAddress!, step: 1), csimd_operand(data: mean.baseAddress!, step: 0),
          ]
          func state(_ name: String) -> (csimd_reducer, Float) {
            let reducer = csimd_find_reducer(loops, name, Int32(Lane.float32.rawValue))!.pointee
            var result: Float = 0
            reducer.begin(states)
            reducer.take(count, states, operands, 0, nil)
            reducer.finish(states, &result)
            return (reducer, result)
          }
          let names = [
            "sum", "max", "min", "product", "sum_difference", "sum_squared_difference", "sum_exp_difference",
          ]
          for name in names {
            let (reducer, expected) = state(name)
            var result: Float = 0
            reducer.row(count, operands, &result, nil)
            #expect(result.bitPattern == expected.bitPattern, "\(name)")
          }
          let ((squares, square), (_, sum)) = (state("sum_squared_difference"), state("sum_difference"))
          var results: (Float, Float) = (0, 0)
          squares.deviation_row(count, operands, &results.0, &results.1, nil)
          #expect(results.0.bitPattern == square.bitPattern && results.1.bitPattern == sum.bitPattern)
        }
      }
    }
  }

  static let cases: [(Shape, [Int])] = [
    ([7], [0]), ([1000], [0]), ([300_000], [0]), ([3, 5], [1]), ([128, 10], [1]), ([128, 10], [0]),
    ([5, 3000], [0]), ([4, 6, 14, 14], [0, 2, 3]), ([8, 6, 784], [0, 2]), ([3, 4, 5], [1]),
    ([3, 40, 50], [0, 1]), ([2, 100, 3], [1]), ([70_000, 2], [0]), ([64, 64], [0]), ([9, 1, 4], [1]),
    ([16, 16, 16], [0, 1, 2]), ([2, 70_000], [1]), ([37, 100], [0]),
  ]

  @Test(arguments: [ReductionRow.sum, .max, .min, .argmax, .argmin], cases)
  func matchesScalarCode(reducer: ReductionRow, shape: (Shape, [Int])) throws {
    let (domain, axes) = shape
    var random = TestNumbers(seed: 3)
    let isIndex = reducer.isIndex
    // Long sums use integers and are compared exactly: a tolerance for rounding would hide missing elements.
    let isLong = axes.reduce(1) { $0 * domain[$1] } > 1000
    let numbers =
      isIndex || isLong ? random.integers(domain.elementCount, -50...50) : random.array(domain.elementCount)
    let floats = numbers.map { Double(Float($0)) }
    let expected = scalarResult(
      floats, domain, axes: axes, reducer, layout: Layout(contiguous: domain))
    let result = try reduce(numbers, domain, axes: axes, reducer)
    let count = Double(domain.elementCount / max(1, expected.count))
    for (a, b) in zip(result, expected) {
      let tolerance = reducer == .sum && !isLong ? 4 * count.squareRoot() * 0x1p-24 * count * 2 : 0
      #expect(abs(a - b) <= tolerance, "\(a) for \(b)")
    }
    #expect(result.count == expected.count)
  }

  @Test func stridedAndReversed() throws {
    var random = TestNumbers(seed: 5)
    let numbers = random.array(600).map { Double(Float($0)) }
    let layout = Layout(shape: [10, 6, 8], strides: [1, -60, 10], offset: 310)
    for axes in [[0], [1], [2], [0, 2], [0, 1, 2]] {
      let expected = scalarResult(numbers, layout.shape, axes: axes, .sum, layout: layout)
      let result = try reduce(numbers, layout.shape, axes: axes, .sum, layout: layout)
      for (a, b) in zip(result, expected) { #expect(abs(a - b) < 1e-4) }
    }
  }

  @Test func bitsDependOnNeitherThreadsNorInstructionSet() throws {
    var random = TestNumbers(seed: 7)
    let numbers = random.array(300_000)
    for (domain, axes): (Shape, [Int]) in [
      ([300_000], [0]), ([300, 1000], [0]), ([3, 100_000], [1]), ([100, 6, 500], [0, 2]),
    ] {
      let one = try reduce(numbers, domain, axes: axes, .sum, threads: 1)
      for threads in [2, 3] {
        #expect(try reduce(numbers, domain, axes: axes, .sum, threads: threads) == one)
      }
      for simd in availableSets {
        #expect(try reduce(numbers, domain, axes: axes, .sum, simd: simd) == one)
      }
    }
  }

  @Test func emptyReductionsGiveIdentities() throws {
    #expect(try reduce([], [3, 0], axes: [1], .sum) == [0, 0, 0])
    #expect(try reduce([], [3, 0], axes: [1], .product) == [1, 1, 1])
    #expect(try reduce([], [0, 2], axes: [0], .min) == [.infinity, .infinity])
    #expect(try reduce([], [0, 2], axes: [0], .max, .int32) == [Double(Int32.min), Double(Int32.min)])
    #expect(try reduce([], [0, 3], axes: [1], .sum) == [])
  }

  @Test func nanWins() throws {
    let numbers: [Double] = [1, .nan, 3, -1, 2, 0]
    #expect(try reduce(numbers, [2, 3], axes: [1], .max)[0].isNaN)
    #expect(try reduce(numbers, [2, 3], axes: [1], .argmax) == [1, 1])
    #expect(try reduce(numbers, [2, 3], axes: [0], .argmin) == [1, 0, 1])
    // With several NaNs, the index of the first NaN is returned, wherever in a vector the NaNs are.
    for indices in [[70, 150], [17, 18], [199, 3], [64, 128], [190]] {
      var row = (0..<200).map { Double($0 % 7) }
      for index in indices { row[index] = .nan }
      for reducer in [ReductionRow.argmax, .argmin] {
        for simd in availableSets {
          #expect(try reduce(row, [200], axes: [0], reducer, simd: simd) == [Double(indices.min()!)])
        }
      }
    }
  }

  @Test(arguments: [DType.int32, .int64, .int8, .uint8, .float16, .bfloat16, .float64])
  func otherTypes(dtype: DType) throws {
    var random = TestNumbers(seed: 9)
    let numbers = random.integers(700, 0...9)
    let domain: Shape = [7, 100]
    let maxima = try reduce(numbers, domain, axes: [0], .max, dtype)
    let expected = scalarResult(numbers, domain, axes: [0], .max, layout: Layout(contiguous: domain))
    #expect(maxima == expected)
    let indices = try reduce(numbers, domain, axes: [1], .argmin, dtype)
    #expect(indices == scalarResult(numbers, domain, axes: [1], .argmin, layout: Layout(contiguous: domain)))
  }

  @Test func prologueAndEpilogue() throws {
    // A step with two reducers, a prologue and an epilogue: the mean of the squares plus the maximum.
    var builder = PlanBuilder()
    var random = TestNumbers(seed: 11)
    let numbers = random.array(40 * 300).map { Double(Float($0)) }
    let x = builder.input(numbers, .float32)
    let y = builder.output(40, .float32)
    let scale = builder.scalar(.float(1.0 / 300), .float32)
    let domain: Shape = [40, 300]
    let kept: Shape = [40, 1]
    let square = Instruction(.multiply, lane: .float32, operands: [0, 0])
    let prologue = Program(
      inputs: [.tensor(.float32)], instructions: [square],
      outputs: [.init(register: 1, dtype: .float32), .init(register: 0, dtype: .float32)])
    let epilogue = Program(
      inputs: [.core(.float32), .scalar(.float32), .core(.float32)],
      instructions: [
        Instruction(.multiply, lane: .float32, operands: [0, 1]),
        Instruction(.add, lane: .float32, operands: [3, 2]),
      ], outputs: [.init(register: 4, dtype: .float32)])
    builder.step(
      .reduction(
        Reduction(
          domain: domain, axes: [1], prologue: prologue,
          arguments: [.tensor(Operand(value: x, layout: Layout(contiguous: domain)))],
          reducers: [.sum, .max],
          epilogue: Epilogue(
            program: epilogue,
            binding: Binding(
              domain: kept, arguments: [.core(0), .scalar(scale), .core(1)],
              results: [Operand(value: y, layout: Layout(contiguous: kept))])))))
    let result = try builder.run(on: cpu())[0]
    for row in 0..<40 {
      let part = numbers[(row * 300)..<(row * 300 + 300)]
      let expected = part.reduce(0) { $0 + $1 * $1 } / 300 + part.max()!
      #expect(abs(result[row] - expected) < 1e-5)
    }
  }
}

extension Epilogue {
  /// An epilogue that stores the result of the step unchanged.
  static func plain(_ domain: Shape, lane: Lane, into value: Int, _ dtype: DType? = nil) -> Epilogue {
    Epilogue(
      program: Program(
        inputs: [.core(lane)], outputs: [Program.Output(register: 0, dtype: dtype ?? lane.dtype)]),
      binding: Binding(
        domain: domain, arguments: [.core(0)],
        results: [Operand(value: value, layout: Layout(contiguous: domain))]))
  }
}
