import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Foundation
import Testing

@testable import ApusCPU

@Suite struct ElementwiseTests {
  /// c = a·b + a over a domain, with any layouts.
  private func multiplyAdd(
    _ domain: Shape, a: Layout, b: Layout, result: Layout? = nil, dtype: DType = .float32,
    threads: Int = 2
  ) throws -> (result: [Double], expected: [Double]) {
    var random = TestNumbers(seed: 31)
    var builder = PlanBuilder()
    let counts = [a, b].map { ($0.positions.max() ?? -1) + 1 }
    let x = random.integers(counts[0], -9...9)
    let y = random.integers(counts[1], -9...9)
    let (vx, vy) = (builder.input(x, dtype), builder.input(y, dtype))
    let target = result ?? Layout(contiguous: domain)
    let size = (target.positions.max() ?? -1) + 1
    let vz = builder.output(size, dtype)
    let lane = dtype.lane
    let program = Program(
      inputs: [.tensor(dtype), .tensor(dtype)],
      instructions: [
        Instruction(.multiply, lane: lane, operands: [0, 1]),
        Instruction(.add, lane: lane, operands: [2, 0]),
      ], outputs: [.init(register: 3, dtype: dtype)])
    builder.step(
      .elementwise(
        Elementwise(
          program: program,
          segments: [
            Binding(
              domain: domain,
              arguments: [
                .tensor(Operand(value: vx, layout: a)), .tensor(Operand(value: vy, layout: b)),
              ], results: [Operand(value: vz, layout: target)])
          ])))
    let output = try builder.run(on: cpu(threads: threads))[0]
    let positions = zip(zip(a.positions, b.positions), target.positions)
    var pairs: [(Double, Double)] = []
    for ((i, j), k) in positions { pairs.append((output[k], dtype.rounded(x[i] * y[j] + x[i]))) }
    return (pairs.map(\.0), pairs.map(\.1))
  }

  static let layouts: [(Shape, Layout, Layout)] = [
    ([], Layout(contiguous: []), Layout(contiguous: [])),
    ([1], Layout(contiguous: [1]), Layout(contiguous: [1])),
    ([0, 4], Layout(contiguous: [0, 4]), Layout(contiguous: [0, 4])),
    ([15], Layout(contiguous: [15]), Layout(shape: [15], strides: [0])),
    ([100_003], Layout(contiguous: [100_003]), Layout(shape: [100_003], strides: [-1], offset: 100_002)),
    ([128, 10], Layout(contiguous: [128, 10]), Layout(shape: [128, 10], strides: [0, 1])),
    ([128, 10], Layout(contiguous: [128, 10]), Layout(shape: [128, 10], strides: [1, 0])),
    ([5, 6, 28, 28], Layout(contiguous: [5, 6, 28, 28]), Layout(shape: [5, 6, 28, 28], strides: [0, 1, 0, 0])),
    (
      [7, 300], Layout(shape: [7, 300], strides: [1, 7]), Layout(shape: [7, 300], strides: [-300, 1], offset: 1800)
    ),
    ([3, 1000], Layout(shape: [3, 1000], strides: [3000, 3]), Layout(shape: [3, 1000], strides: [0, 0])),
    ([4, 5, 6], Layout(shape: [4, 5, 6], strides: [1, 24, 4]), Layout(shape: [4, 5, 6], strides: [6, 0, 1])),
    (
      [2, 3, 2, 700], Layout(shape: [2, 3, 2, 700], strides: [4200, 700, 2100, 1]), Layout(contiguous: [2, 3, 2, 700])
    ),
  ]

  @Test(arguments: layouts)
  func layoutsMatchScalarCode(test: (Shape, Layout, Layout)) throws {
    for dtype in [DType.float32, .float16, .bfloat16, .float64, .int32, .int64, .int8, .uint8] {
      let (result, expected) = try multiplyAdd(test.0, a: test.1, b: test.2, dtype: dtype)
      #expect(result.elementsEqual(expected), "\(dtype)")
    }
  }

  /// The tasks for the threads cover every element of a step whose segments (domains with their own arrays) have many
  /// sizes.
  @Test func segmentsOfAllSizesAreSplitIntoTasks() throws {
    var builder = PlanBuilder()
    let counts = [1, 40_000, 1024, 1025, 7, 100_000, 65_536, 2]
    let program = Program(
      inputs: [.tensor(.float32)],
      instructions: [Instruction(.add, lane: .float32, operands: [0, 0])],
      outputs: [.init(register: 1, dtype: .float32)])
    var segments: [Binding] = []
    for (number, count) in counts.enumerated() {
      let values = (0..<count).map { Double(($0 * 31 + number) % 1000) }
      let (source, result) = (builder.input(values, .float32), builder.output(count, .float32))
      let layout = Layout(contiguous: [count])
      segments.append(
        Binding(
          domain: [count], arguments: [.tensor(Operand(value: source, layout: layout))],
          results: [Operand(value: result, layout: layout)]))
    }
    builder.step(.elementwise(Elementwise(program: program, segments: segments)))
    for (number, result) in try builder.run(on: cpu(threads: 3)).enumerated() {
      #expect(result == (0..<counts[number]).map { 2 * Double(($0 * 31 + number) % 1000) }, "segment \(number)")
    }
  }

  @Test func stridedResults() throws {
    let domain: Shape = [6, 50]
    let contiguous = Layout(contiguous: domain)
    for target in [
      Layout(shape: domain, strides: [1, 6]), Layout(shape: domain, strides: [100, -2], offset: 98),
      Layout(shape: domain, strides: [70, 1], offset: 3),
    ] {
      for dtype in [DType.float32, .float16, .int64, .uint8] {
        let (result, expected) = try multiplyAdd(domain, a: contiguous, b: contiguous, result: target, dtype: dtype)
        #expect(result.elementsEqual(expected))
      }
    }
  }

  @Test func updatesInPlace() throws {
    // Momentum: `v' = 2 v + g` and `p' = p − rate·v'`, both in place. The old `p` is a third output.
    var builder = PlanBuilder()
    var random = TestNumbers(seed: 33)
    let counts = [50_000, 7, 2000]
    let rate = builder.scalar(.float(0.5), .float32)
    var segments: [Binding] = []
    var data: [(p: [Double], v: [Double], g: [Double])] = []
    for count in counts {
      let (p, v, g) = (
        random.integers(count, -8...8), random.integers(count, -8...8), random.integers(count, -8...8)
      )
      data.append((p, v, g))
      let (vp, vv, vg) = (
        builder.input(p, .float32), builder.input(v, .float32), builder.input(g, .float32)
      )
      let (np, nv, old) = (builder.output(over: vp), builder.output(over: vv), builder.output(count, .float32))
      let layout = Layout(contiguous: [count])
      segments.append(
        Binding(
          domain: [count],
          arguments: [
            .tensor(Operand(value: vp, layout: layout)), .tensor(Operand(value: vv, layout: layout)),
            .tensor(Operand(value: vg, layout: layout)), .scalar(rate),
          ], results: [np, nv, old].map { Operand(value: $0, layout: layout) }))
    }
    let program = Program(
      inputs: [.tensor(.float32), .tensor(.float32), .tensor(.float32), .scalar(.float32)],
      instructions: [
        Instruction(.constant, lane: .float32, operands: [], immediate: .float(2)),
        Instruction(.multiply, lane: .float32, operands: [4, 1]),
        Instruction(.add, lane: .float32, operands: [5, 2]),
        Instruction(.multiply, lane: .float32, operands: [3, 6]),
        Instruction(.subtract, lane: .float32, operands: [0, 7]),
      ],
      outputs: [
        .init(register: 8, dtype: .float32), .init(register: 6, dtype: .float32),
        .init(register: 0, dtype: .float32),
      ])
    builder.step(.elementwise(Elementwise(program: program, segments: segments)))
    let results = try builder.run(on: cpu())
    for (index, (p, v, g)) in data.enumerated() {
      let newV = zip(v, g).map { 2 * $0 + $1 }
      #expect(results[3 * index + 1] == newV)
      #expect(results[3 * index] == zip(p, newV).map { $0 - 0.5 * $1 })
      #expect(results[3 * index + 2] == p)
    }
  }

  @Test func convertsAndSelectsSpecialNumbers() throws {
    var builder = PlanBuilder()
    let x = builder.input([-3, -0.5, 0, .nan, 1e20, -1e20, 2.7, .infinity], .float32)
    let integers = builder.output(8, .int32)
    let wide = builder.output(8, .int64)
    let chosen = builder.output(8, .float64)
    let places = builder.output(8, .int32)
    let layout = Layout(contiguous: [2, 4])
    let program = Program(
      inputs: [.tensor(.float32), .index(.int32)],
      instructions: [
        Instruction(.convert, lane: .float32, result: .int32, operands: [0]),
        Instruction(.convert, lane: .float32, result: .int64, operands: [0]),
        Instruction(.convert, lane: .float32, result: .float64, operands: [0]),
        Instruction(.constant, lane: .float64, operands: [], immediate: .float(0.25)),
        Instruction(.select, lane: .float64, operands: [2, 4, 5]),
      ],
      outputs: [
        .init(register: 2, dtype: .int32), .init(register: 3, dtype: .int64),
        .init(register: 6, dtype: .float64), .init(register: 1, dtype: .int32),
      ])
    builder.step(
      .elementwise(
        Elementwise(
          program: program,
          segments: [
            Binding(
              domain: [2, 4], arguments: [.tensor(Operand(value: x, layout: layout)), .index(layout)],
              results: [integers, wide, chosen, places].map { Operand(value: $0, layout: layout) })
          ])))
    let results = try builder.run(on: cpu())
    let (least, greatest) = (Double(Int32.min), Double(Int32.max))
    #expect(results[0] == [-3, 0, 0, 0, greatest, least, 2, greatest])
    #expect(results[1] == [-3, 0, 0, 0, Double(Int64.max), Double(Int64.min), 2, Double(Int64.max)])
    #expect(results[2][0] == -3 && results[2][1] == 0.25 && results[2][4] == Double(Float(1e20)))
    #expect(results[3] == [0, 1, 2, 3, 4, 5, 6, 7])
  }

  /// If the result of a comparison is stored only as bool, it is written directly as bytes. If it is also stored as
  /// int32, the bytes are converted from a register.
  @Test(arguments: availableSets) func comparisonsAreStoredAsBytes(simd: String) throws {
    let names: [ElementwiseRow] = [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual]
    let ofFloats: [ElementwiseRow] = [.isNaN, .isFinite, .isInfinite]
    for dtype in [DType.int32, .int64, .float32, .float64] {
      for name in names + (dtype.isFloatingPoint ? ofFloats : []) {
        var random = TestNumbers(seed: 5)
        var builder = PlanBuilder()
        let special: [Double] = dtype.isFloatingPoint ? [.nan, .infinity, -.infinity] : [0, 1, -1]
        let values = (0..<2).map { number in
          builder.input(special + random.integers(1000, -3...3) + special.dropFirst(number), dtype)
        }
        let inputs = ofFloats.contains(name) ? [values[1]] : values
        let count = 1005
        let layout = Layout(contiguous: [count])
        let test = Instruction(name, lane: dtype.lane, result: .int32, operands: Array(inputs.indices))
        for types in [[DType.bool], [.bool, .int32]] {
          let results = types.map { builder.output(count, $0) }
          builder.step(
            .elementwise(
              Elementwise(
                program: Program(
                  inputs: inputs.map { _ in .tensor(dtype) }, instructions: [test],
                  outputs: types.map { Program.Output(register: inputs.count, dtype: $0) }),
                segments: [
                  Binding(
                    domain: [count], arguments: inputs.map { .tensor(Operand(value: $0, layout: layout)) },
                    results: results.map { Operand(value: $0, layout: layout) })
                ])))
        }
        let found = try builder.run(on: cpu(simd: simd))
        #expect(found[0] == found[2] && found[1] == found[2], "\(name) of \(dtype)")
        #expect(Set(found[0]).isSubset(of: [0, 1]))
      }
    }
  }

  /// A scalar that a program stores needs room for a block of elements in the workspace. Here the scalar has 64 bits,
  /// but the other values have 16 and 32 bits.
  @Test func storedNumbersBesideArrays() throws {
    var (builder, numbers) = (PlanBuilder(), TestNumbers(seed: 9))
    let count = 5000
    let x = numbers.integers(count, -9...9)
    let (input, number) = (builder.input(x, .float16), builder.scalar(.integer(1 << 40 | 3), .int64))
    let results = [builder.output(count, .int64), builder.output(count, .float32), builder.output(count, .float16)]
    let layout = Layout(contiguous: [count])
    builder.step(
      .elementwise(
        Elementwise(
          program: Program(
            inputs: [.scalar(.int64), .tensor(.float16)],
            instructions: [Instruction(.negate, lane: .float32, operands: [1])],
            outputs: zip([0, 1, 2], [DType.int64, .float32, .float16]).map { Program.Output(register: $0, dtype: $1) }),
          segments: [
            Binding(
              domain: [count], arguments: [.scalar(number), .tensor(Operand(value: input, layout: layout))],
              results: results.map { Operand(value: $0, layout: layout) })
          ])))
    let found = try builder.run(on: cpu())
    #expect(found[0].allSatisfy { $0 == Double(1 << 40 | 3) })
    #expect(found[1] == x && found[2] == x.map { -$0 })
  }

  /// Programs over large contiguous arrays run over short blocks of elements. Their results equal the results of the
  /// same program over slices of the arrays. One value of the program is stored and read again, and one result
  /// overwrites an argument.
  @Test(arguments: availableSets, [(DType.float32, 0), (.float64, 0), (.float32, 8)])
  func flatPrograms(simd: String, test: (dtype: DType, more: Int)) throws {
    var numbers = TestNumbers(seed: 4)
    let (count, dtype, lane) = (600_011, test.dtype, test.dtype.lane)
    let arrays = (0..<3).map { _ in numbers.array(count) }
    func results(_ range: Range<Int>) throws -> [[Double]] {
      var builder = PlanBuilder()
      let inputs = arrays.map { builder.input(Array($0[range]), dtype) }
      let results =
        [builder.output(range.count, dtype), builder.output(range.count, .bool), builder.output(over: inputs[2])]
      let number = builder.scalar(.float(0.25), lane)
      let layout = Layout(contiguous: [range.count])
      // With more than two instructions per array, blocks are longer (`flat_block` in `program.c`). An even number of
      // negations leaves the result unchanged.
      let last = 7 + test.more
      let program = Program(
        inputs: [.tensor(dtype), .tensor(dtype), .tensor(dtype), .scalar(lane)],
        instructions: [
          Instruction(.multiply, lane: lane, operands: [0, 1]),
          Instruction(.add, lane: lane, operands: [4, 2]),
          Instruction(.tanh, lane: lane, operands: [5]),
          Instruction(.multiply, lane: lane, operands: [6, 3]),
        ] + (0..<test.more).map { Instruction(.negate, lane: lane, operands: [7 + $0]) } + [
          Instruction(.less, lane: lane, result: .int32, operands: [last, 2]),
          Instruction(.maximum, lane: lane, operands: [last, 0]),
        ],
        outputs: zip([last, last + 1, last + 2], [dtype, .bool, dtype]).map { Program.Output(register: $0, dtype: $1) })
      let binding = Binding(
        domain: [range.count],
        arguments: inputs.map { .tensor(Operand(value: $0, layout: layout)) } + [.scalar(number)],
        results: results.map { Operand(value: $0, layout: layout) })
      let kernel = try Kernel(
        program, domain: [range.count], arguments: binding.arguments, results: binding.results,
        StepBuilder(plan: builder.plan, loops: csimd_choose(simd), threadCount: 1))
      #expect(kernel.raw.pointee.is_flat == 1 && (kernel.raw.pointee.is_large == 1) == (range.count == count))
      builder.step(.elementwise(Elementwise(program: program, segments: [binding])))
      return try builder.run(on: cpu(simd: simd))
    }
    let whole = try results(0..<count)
    for range in [0..<1000, 299_990..<310_001, (count - 700)..<count] {
      let part = try results(range)
      for (all, some) in zip(whole, part) { #expect(Array(all[range]) == some) }
    }
    for index in stride(from: 0, to: count, by: 1009) {
      let (a, b, c) = (arrays[0][index], arrays[1][index], arrays[2][index])
      let y = tanh(a * b + c) * 0.25
      #expect(abs(whole[0][index] - y) < 1e-6 && abs(whole[2][index] - max(y, a)) < 1e-6)
    }
  }
}
