import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusGPU

@DeviceThread @Suite struct ElementwiseTests {
  /// `y = x·s + b` over `[rows, columns]`, with a scalar `s` and `b: [columns]` broadcast to all rows.
  static func affine(_ dtype: DType) -> Program {
    Program(
      inputs: [.tensor(dtype), .scalar(dtype.lane), .tensor(dtype)],
      instructions: [
        Instruction(.multiply, lane: dtype.lane, operands: [0, 1]),
        Instruction(.add, lane: dtype.lane, operands: [3, 2]),
      ],
      outputs: [Program.Output(register: 4, dtype: dtype)])
  }

  @Test(arguments: [DType.float32, .float16, .bfloat16, .int32, .int64, .float64])
  func broadcastsAndScales(dtype: DType) throws {
    for (_, device) in Harness.devices {
      for (rows, columns) in [(1, 1), (3, 5), (7, 33), (130, 257)] {
        var numbers = Numbers()
        let x = numbers.integers(rows * columns, -8..<8)
        let b = numbers.integers(columns, -8..<8)
        var builder = PlanBuilder()
        let shape: Shape = [rows, columns]
        let left = builder.input(x, dtype)
        let right = builder.input(b, dtype)
        let result = builder.output(rows * columns, dtype)
        let factor = builder.scalar(.integer(3), dtype.lane)
        builder.step(
          .elementwise(
            Elementwise(
              program: Self.affine(dtype),
              segments: [
                Binding(
                  domain: shape,
                  arguments: [
                    .tensor(Operand(value: left, layout: Layout(contiguous: shape))), .scalar(factor),
                    .tensor(
                      Operand(value: right, layout: Layout(contiguous: [columns]).broadcast(to: shape))),
                  ],
                  results: [Operand(value: result, layout: Layout(contiguous: shape))])
              ])))
        let output = try builder.results(on: device)[0]
        #expect(output == x.indices.map { x[$0] * 3 + b[$0 % columns] })
      }
    }
  }

  /// Kernels for GPUs read and write large arrays in chunks of up to 16 bytes, if the elements of a chunk are contiguous
  /// and aligned: here rows of `x` from an offset on, rows of `y` that repeat, and a column of `z`.
  @Test(
    .enabled(if: !Harness.isSimulator, "the arrays are large"),
    arguments: [
      (DType.float32, 0, "uint4"), (.float32, 2, "uint2"), (.float32, 1, nil), (.bfloat16, 0, "uint4"),
      (.float16, 4, "uint2"), (.float16, 2, "u32"), (.float16, 1, nil), (.int32, 4, "uint4"), (.uint8, 8, "uint2"),
      (.int64, 0, "uint4"),
    ] as [(DType, Int, String?)])
  func largeArraysAreReadInChunks(dtype: DType, offset: Int, words: String?) throws {
    let (rows, columns) = (260, 256)
    let (shape, count): (Shape, Int) = ([rows, columns], rows * columns)
    // Small integers, whose sums are exact in every type.
    func numbers(_ count: Int, _ factor: Int) -> [Double] { (0..<count).map { Double($0 * factor % 23) } }
    let (x, y, z) = (numbers(count + offset, 7), numbers(columns, 5), numbers(rows, 3))
    var builder = PlanBuilder()
    let layouts = [
      Layout(shape: shape, strides: [columns, 1], offset: offset), Layout(shape: shape, strides: [0, 1]),
      Layout(shape: shape, strides: [1, 0]),
    ]
    let arguments = zip([x, y, z], layouts).map { numbers, layout in
      Argument.tensor(Operand(value: builder.input(numbers, dtype), layout: layout))
    }
    let result = Operand(value: builder.output(count, dtype), layout: Layout(contiguous: shape))
    let program = Program(
      inputs: [.tensor(dtype), .tensor(dtype), .tensor(dtype), .index(.int32)],
      instructions: [
        Instruction(.add, lane: dtype.lane, operands: [0, 1]), Instruction(.add, lane: dtype.lane, operands: [4, 2]),
        dtype.lane == .int32
          ? Instruction(.absolute, lane: .int32, operands: [3])
          : Instruction(.convert, lane: .int32, result: dtype.lane, operands: [3]),
        Instruction(.add, lane: dtype.lane, operands: [5, 6]),
      ],
      outputs: [Program.Output(register: 7, dtype: dtype)])
    let index = Argument.index(Layout(shape: shape, strides: [0, 1]))
    builder.step(
      .elementwise(
        Elementwise(
          program: program, segments: [Binding(domain: shape, arguments: arguments + [index], results: [result])])))
    let expected = (0..<count).map { position in
      let (row, column) = (position / columns, position % columns)
      let sum = x[position + offset] + y[column] + z[row] + Double(column)
      return dtype == .uint8 ? sum.truncatingRemainder(dividingBy: 256) : dtype.rounded(sum)
    }
    for (_, device) in Harness.devices { #expect(try builder.results(on: device)[0] == expected) }
    let kernel = try Harness.openCUDA().lower(builder.plan, TuningTable()).launches[0].kernel.text
    #expect(words.map { kernel.contains("LOAD_CHUNK(\($0), ") } ?? !kernel.contains("CHUNK"), "\(kernel)")
  }

  /// Every 16-bit number converts to `float32` exactly. A `float32` number between two 16-bit numbers rounds to the
  /// nearest one, or to the even one if it is in the middle.
  @Test(arguments: [DType.float16, .bfloat16]) func halfPrecisionRounds(dtype: DType) throws {
    let halves = stride(from: 0, to: 65_536, by: Harness.isSimulator ? 97 : 1).map { bits -> Float in
      let bits = UInt16(bits)
      return dtype == .float16 ? Float(Float16(bitPattern: bits)) : Float(bitPattern: UInt32(bits) << 16)
    }
    let floats = halves.flatMap { half -> [Float] in
      let unit = dtype == .float16 ? max(half.ulp * 0x1p13, 0x1p-24) : half.ulp * 0x1p16
      let middle = half.magnitude + unit / 2
      return [middle.nextDown, middle, middle.nextUp].map { Float(signOf: half, magnitudeOf: $0) }
    }
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      let wide = builder.input(floats.map(Double.init), .float32)
      let narrow = builder.input(halves.map(Double.init), dtype)
      let (rounded, widened) = (builder.output(floats.count, dtype), builder.output(floats.count, .float32))
      let shape = Shape([halves.count, 3])
      let laid = Layout(contiguous: shape)
      let program = Program(
        inputs: [.tensor(.float32), .tensor(dtype)],
        outputs: [Program.Output(register: 0, dtype: dtype), Program.Output(register: 1, dtype: .float32)])
      let binding = Binding(
        domain: shape,
        arguments: [
          .tensor(Operand(value: wide, layout: laid)),
          .tensor(Operand(value: narrow, layout: Layout(shape: shape, strides: [1, 0]))),
        ], results: [Operand(value: rounded, layout: laid), Operand(value: widened, layout: laid)])
      builder.step(.elementwise(Elementwise(program: program, segments: [binding])))
      let results = try builder.results(on: device)
      func differ(_ value: Double, _ expected: Double) -> Bool {
        value.isNaN ? !expected.isNaN : value != expected || value.sign != expected.sign
      }
      let wrong = floats.indices.filter {
        differ(results[0][$0], dtype.rounded(Double(floats[$0]))) || differ(results[1][$0], Double(halves[$0 / 3]))
      }
      #expect(wrong.isEmpty, "\(kernelClass): \(wrong.count), the first \(wrong.first.map { floats[$0] } ?? 0)")
    }
  }

  /// The kernel that copies a transposed matrix of 16-bit numbers works block by block, here with partial blocks at the
  /// edges.
  @Test(arguments: [DType.float16, .bfloat16]) func transposesHalfPrecision(dtype: DType) throws {
    let (rows, columns) = (37, 150)
    let numbers = (0..<rows * columns).map { Double($0 % 251 - 125) }
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      let shape = Shape([columns, rows])
      let source = Operand(value: builder.input(numbers, dtype), layout: Layout(shape: shape, strides: [1, columns]))
      let result = Operand(value: builder.output(numbers.count, dtype), layout: Layout(contiguous: shape))
      let program = Program(inputs: [.tensor(dtype)], outputs: [Program.Output(register: 0, dtype: dtype)])
      let binding = Binding(domain: shape, arguments: [.tensor(source)], results: [result])
      builder.step(.elementwise(Elementwise(program: program, segments: [binding])))
      let output = try builder.results(on: device)[0]
      #expect(output == numbers.indices.map { numbers[$0 % rows * columns + $0 / rows] }, "\(kernelClass)")
    }
  }
}
