import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct ReductionTests {
  struct Case: CustomTestStringConvertible {
    var shape: [Int]
    var axes: [Int]
    var permutation: [Int]?
    var testDescription: String { "\(shape) over \(axes), order \(permutation ?? [])" }
  }

  nonisolated static let cases = [
    Case(shape: [1], axes: [0]), Case(shape: [5, 7], axes: [1]), Case(shape: [5, 7], axes: [0]),
    Case(shape: [5, 7], axes: [0, 1]), Case(shape: [3, 4, 50], axes: [1]),
    Case(shape: [3, 40, 21], axes: [0, 2]), Case(shape: [64, 6, 81], axes: [0, 2]),
    Case(shape: [3, 4, 70], axes: [1, 2], permutation: [2, 0, 1]),
    Case(shape: [200_000], axes: [0]), Case(shape: [3000, 70], axes: [0]),
    Case(shape: [2, 90_000], axes: [1]), Case(shape: [21, 300], axes: [1]), Case(shape: [9, 0, 3], axes: [1]),
    Case(shape: [12], axes: []),
    Case(shape: [130, 10], axes: [1], permutation: [1, 0]),
  ]

  /// For each result, the row-major positions of the elements that are reduced to it.
  private func groups(_ shape: [Int], _ axes: [Int]) -> [[Int]] {
    let kept = shape.indices.filter { !axes.contains($0) }
    var groups = [[Int]](repeating: [], count: kept.reduce(1) { $0 * shape[$1] })
    for position in 0..<shape.reduce(1, *) {
      var rest = position
      var index = [Int](repeating: 0, count: shape.count)
      for axis in shape.indices.reversed() {
        index[axis] = rest % shape[axis]
        rest /= shape[axis]
      }
      groups[kept.reduce(0) { $0 * shape[$1] + index[$1] }].append(position)
    }
    return groups
  }

  /// The program that runs on each element before the reduction. Its outputs are the square of the element, two copies
  /// of the element, and whether the element exceeds 1.875.
  nonisolated private static let prologue = Program(
    inputs: [.tensor(.float32)],
    instructions: [
      Instruction(.multiply, lane: .float32, operands: [0, 0]),
      Instruction(.constant, lane: .float32, operands: [], immediate: .float(1.875)),
      Instruction(.greater, lane: .float32, result: .int32, operands: [0, 2]),
    ],
    outputs: [
      Program.Output(register: 1, dtype: .float32), Program.Output(register: 0, dtype: .float32),
      Program.Output(register: 0, dtype: .float32), Program.Output(register: 3, dtype: .bool),
    ])

  /// The program that runs on the results of the reduction. It doubles the first result, and stores the other three.
  nonisolated private static let epilogue = Program(
    inputs: [.core(.float32), .core(.float32), .core(.int64), .core(.int32)],
    instructions: [Instruction(.add, lane: .float32, operands: [0, 0])],
    outputs: [
      Program.Output(register: 4, dtype: .float32), Program.Output(register: 1, dtype: .float32),
      Program.Output(register: 2, dtype: .int64), Program.Output(register: 3, dtype: .bool),
    ])

  /// Computes a sum of squares, max, argmin and any in one reduction. The epilogue doubles the sum.
  @Test(arguments: Harness.isBriefSimulation ? cases.filter { $0.shape != [2, 90_000] } : cases)
  func severalReducersInOneStep(_ item: Case) throws {
    for (kernelClass, device) in Harness.devices { try check(item, on: device, "\(kernelClass)") }
  }

  /// Checks a case of `severalReducersInOneStep` on one device.
  func check(_ item: Case, on device: any Device, _ name: String = "") throws {
    let shape = Shape(item.shape)
    var numbers = Numbers(seed: UInt64(shape.elementCount))
    let x = numbers.array(shape.elementCount)
    let kept = Shape(item.shape.indices.map { item.axes.contains($0) ? 1 : item.shape[$0] })
    // `permutation` is the order of the axes in memory.
    let order = item.permutation ?? Array(item.shape.indices)
    let memory = Shape(order.map { item.shape[$0] })
    var inverse = order
    for (position, axis) in order.enumerated() { inverse[axis] = position }
    let layout = Layout(contiguous: memory).transposed(inverse)
    var stored = x
    for (element, offset) in layout.positions.enumerated() { stored[offset] = x[element] }
    let groups = groups(item.shape, item.axes)
    var builder = PlanBuilder()
    let input = builder.input(stored, .float32)
    let count = kept.elementCount
    let results = [DType.float32, .float32, .int64, .bool].map { dtype in
      Operand(value: builder.output(count, dtype), layout: Layout(contiguous: kept))
    }
    builder.step(
      .reduction(
        Reduction(
          domain: shape, axes: item.axes, prologue: Self.prologue,
          arguments: [.tensor(Operand(value: input, layout: layout))],
          reducers: [.sum, .max, .argmin, .any],
          epilogue: Epilogue(
            program: Self.epilogue,
            binding: Binding(domain: kept, arguments: (0..<4).map(Argument.core), results: results)))))
    let outputs = try builder.results(on: device)
    for (index, group) in groups.enumerated() {
      let values = group.map { x[$0] }
      let sum = values.reduce(0) { $0 + $1 * $1 }
      let tolerance = 8 * Double(values.count).squareRoot() * 0x1p-24
      #expect(abs(outputs[0][index] - 2 * sum) <= tolerance * sum, "\(name) \(index)")
      #expect(outputs[1][index] == values.max() ?? -.infinity, "\(name) \(index)")
      if let least = values.min() {
        #expect(outputs[2][index] == Double(values.firstIndex(of: least)!), "\(name) \(index)")
      }
      #expect(outputs[3][index] == (values.contains { $0 > 1.875 } ? 1 : 0), "\(name) \(index)")
    }
  }

  /// The results of each reducer over each column of a matrix with `rows` rows.
  private func columns(
    _ numbers: [Double], rows: Int, _ reducers: [ReductionRow], on device: any Device
  ) throws -> [[Double]] {
    let (shape, kept): (Shape, Shape) = ([rows, numbers.count / rows], [1, numbers.count / rows])
    var builder = PlanBuilder()
    let input = builder.input(numbers, .float32)
    let types = reducers.map { $0.isIndex ? DType.int64 : .float32 }
    let results = types.map { Operand(value: builder.output(kept.elementCount, $0), layout: Layout(contiguous: kept)) }
    builder.step(
      .reduction(
        Reduction(
          domain: shape, axes: [0],
          prologue: Program(
            inputs: [.tensor(.float32)],
            outputs: reducers.map { _ in Program.Output(register: 0, dtype: .float32) }),
          arguments: [.tensor(Operand(value: input, layout: Layout(contiguous: shape)))], reducers: reducers,
          epilogue: Epilogue(
            program: Program(
              inputs: types.map { .core($0 == .int64 ? .int64 : .float32) },
              outputs: types.indices.map { Program.Output(register: $0, dtype: types[$0]) }),
            binding: Binding(domain: kept, arguments: types.indices.map(Argument.core), results: results)))))
    return try builder.results(on: device)
  }

  /// With many columns, kernels reduce several vector registers of columns at a time. The results have the same bits as
  /// with few columns.
  @Test(
    arguments: [[ReductionRow.sum], [.max], [.argmin], [.sum, .argmax]],
    Harness.isBriefSimulation ? [(3, 512), (40, 1056)] : [(3, 512), (300, 512), (600, 256), (40, 1056)])
  func wideColumns(_ reducers: [ReductionRow], _ size: (rows: Int, width: Int)) throws {
    let few = 112
    var numbers = Numbers(seed: UInt64(size.rows))
    let x = numbers.array(size.rows * size.width)
    let narrow = (0..<size.rows).flatMap { x[$0 * size.width..<$0 * size.width + few] }
    for (kernelClass, device) in Harness.devices {
      let wide = try columns(x, rows: size.rows, reducers, on: device)
      let alone = try columns(narrow, rows: size.rows, reducers, on: device)
      #expect(wide.map { Array($0[..<few]) } == alone, "\(kernelClass)")
      for (reducer, results) in zip(reducers, wide) {
        for column in 0..<size.width {
          let values = (0..<size.rows).map { x[$0 * size.width + column] }
          let expected =
            switch reducer {
            case .sum: values.reduce(0, +)
            case .max: values.max()!
            case .argmin: Double(values.firstIndex(of: values.min()!)!)
            default: Double(values.firstIndex(of: values.max()!)!)
            }
          let tolerance = reducer == .sum ? 0x1p-22 * values.reduce(0) { $0 + abs($1) } : 0
          #expect(abs(results[column] - expected) <= tolerance, "\(kernelClass) \(reducer) \(column)")
        }
      }
    }
  }

  /// If a row contains NaN, `min` returns NaN and `argmax` the index of the first NaN.
  @Test func minAndArgmaxPreferNaN() throws {
    for (_, device) in Harness.devices {
      var builder = PlanBuilder()
      let input = builder.input([1, .nan, -3, .nan, 5, 2], .float32)
      let shape: Shape = [1, 6]
      let results = [DType.float32, .int64].map {
        Operand(value: builder.output(1, $0), layout: Layout(contiguous: [1, 1]))
      }
      builder.step(
        .reduction(
          Reduction(
            domain: shape, axes: [1],
            prologue: Program(
              inputs: [.tensor(.float32)],
              outputs: [
                Program.Output(register: 0, dtype: .float32), Program.Output(register: 0, dtype: .float32),
              ]),
            arguments: [.tensor(Operand(value: input, layout: Layout(contiguous: shape)))],
            reducers: [.min, .argmax],
            epilogue: Epilogue(
              program: Program(
                inputs: [.core(.float32), .core(.int64)],
                outputs: [
                  Program.Output(register: 0, dtype: .float32), Program.Output(register: 1, dtype: .int64),
                ]),
              binding: Binding(domain: [1, 1], arguments: [.core(0), .core(1)], results: results)))))
      let outputs = try builder.results(on: device)
      #expect(outputs[0][0].isNaN)
      #expect(outputs[1] == [1])
    }
  }
}
