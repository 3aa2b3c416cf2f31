import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusCPU

/// Instructions of a program that the CPU fuses into one loop.
@Suite struct FusedRowTests {
  /// The difference of a row of the input and `shift` (one number for each row), in three forms:
  /// `rowFirst` has the arguments (row, shift) and computes `row − shift`;
  /// `rowLast` has the arguments (shift, row) and computes `row − shift`;
  /// `subtracted` has the arguments (shift, row) and computes `shift − row`.
  enum Order: CaseIterable {
    case rowFirst, rowLast, subtracted

    /// The operands of the difference, as argument indices.
    var operands: [Int] { self == .rowLast ? [1, 0] : [0, 1] }
    /// Whether the row is the first argument.
    var beginsWithRow: Bool { self == .rowFirst }
    var sign: Double { self == .subtracted ? -1 : 1 }
  }

  /// Sums over input rows that are shorter than a vector register, that end within one, or that are long enough to be
  /// split into parts (see `ReductionStep`).
  @Test(arguments: [1, 5, 16, 63, 64, 65, 1000, 5000, 40000], [ElementwiseRow.multiply, .exp])
  func sumsOfDifferences(length: Int, function: ElementwiseRow) throws {
    for lane in [Lane.float32, .float64] {
      for order in Order.allCases { try checkSums(length, function, lane, order) }
    }
  }

  private func checkSums(_ length: Int, _ function: ElementwiseRow, _ lane: Lane, _ order: Order) throws {
    let rows = 3
    var random = TestNumbers(seed: UInt64(length))
    let numbers = random.array(rows * length).map { Double(Float($0)) }
    let shifts = random.array(rows).map { Double(Float($0)) }
    func sums(threads: Int, simd: String?) throws -> [Double] {
      var builder = PlanBuilder()
      let domain: Shape = [rows, length]
      let row = Operand(value: builder.input(numbers, lane.dtype), layout: Layout(contiguous: domain))
      let shift = Operand(
        value: builder.input(shifts, lane.dtype), layout: Layout(shape: domain, strides: [1, 0], offset: 0))
      let y = builder.output(rows, lane.dtype)
      let difference = Instruction(.subtract, lane: lane, operands: order.operands)
      let last = Instruction(function, lane: lane, operands: function == .multiply ? [2, 2] : [2])
      let prologue = Program(
        inputs: [.tensor(lane.dtype), .tensor(lane.dtype)], instructions: [difference, last],
        outputs: [.init(register: 3, dtype: lane.dtype)])
      let arguments = (order.beginsWithRow ? [row, shift] : [shift, row]).map { Argument.tensor($0) }
      let step = Reduction(
        domain: domain, axes: [1], prologue: prologue, arguments: arguments, reducers: [.sum],
        epilogue: .plain([rows, 1], lane: lane, into: y, lane.dtype))
      // A sum is fused only if the subtrahend is constant along a row. In `subtracted`, the row is the subtrahend.
      let joined = SumFusion(step, over: step.arguments.map { $0.selecting([1]) })
      #expect((joined != nil) == (order != .subtracted || length == 1))
      builder.step(.reduction(step))
      return try builder.run(on: cpu(threads: threads, simd: simd))[0]
    }
    let results = try availableSets.map { try sums(threads: 2, simd: $0) }
    #expect(try sums(threads: 1, simd: availableSets[0]) == results[0])
    for index in 0..<rows {
      let terms = numbers[(index * length)..<((index + 1) * length)].map { number in
        let difference = (number - shifts[index]) * order.sign
        return function == .exp ? exp(difference) : difference * difference
      }
      let expected = terms.reduce(0, +)
      let bound = (lane == .float32 ? 1e-6 : 1e-12) * expected
      for result in results { #expect(abs(result[index] - expected) <= bound, "row \(index) of \(length)") }
    }
  }

  /// `exp(a − b)` is fused into one instruction, unless the difference is also an output.
  @Test(arguments: [false, true]) func exponentialsOfDifferences(keepsDifference: Bool) throws {
    let count = 1000
    var random = TestNumbers(seed: 3)
    let a = random.array(count).map { Double(Float($0)) }
    let b = random.array(count).map { Double(Float($0)) }
    for simd in availableSets {
      var builder = PlanBuilder()
      let operands = [builder.input(a, .float32), builder.input(b, .float32)].map {
        Operand(value: $0, layout: Layout(contiguous: [count]))
      }
      let results = [builder.output(count, .float32)] + (keepsDifference ? [builder.output(count, .float32)] : [])
      let program = Program(
        inputs: [.tensor(.float32), .tensor(.float32)],
        instructions: [
          Instruction(.subtract, lane: .float32, operands: [0, 1]),
          Instruction(.exp, lane: .float32, operands: [2]),
        ],
        outputs: [.init(register: 3, dtype: .float32)]
          + (keepsDifference ? [.init(register: 2, dtype: .float32)] : []))
      #expect(program.fusingRows { _ in false }.contains(nil) == !keepsDifference)
      let binding = Binding(
        domain: [count], arguments: operands.map { .tensor($0) },
        results: results.map { Operand(value: $0, layout: Layout(contiguous: [count])) })
      builder.step(.elementwise(Elementwise(program: program, segments: [binding])))
      let values = try builder.run(on: cpu(simd: simd))
      for index in 0..<count {
        let difference = Double(Float(a[index]) - Float(b[index]))
        #expect(abs(values[0][index] - exp(difference)) <= 2e-7 * exp(difference))
        if keepsDifference { #expect(values[1][index] == difference) }
      }
    }
  }

  /// `c + a·b` and `c − a·b` are fused into one instruction, unless another instruction or output also reads the
  /// product, or both factors are uniform.
  @Test func productsInSums() {
    func joined(
      _ function: ElementwiseRow, _ operands: [Int], outputs: [Int] = [4], uniform: Set<Int> = []
    ) -> [LoopInstruction?] {
      Program(
        inputs: [.tensor(.float32), .tensor(.float32), .tensor(.float32)],
        instructions: [
          Instruction(.multiply, lane: .float32, operands: [0, 1]),
          Instruction(function, lane: .float32, operands: operands),
        ], outputs: outputs.map { Program.Output(register: $0, dtype: .float32) }
      ).fusingRows(isUniform: uniform.contains)
    }
    for operands in [[3, 2], [2, 3]] {
      #expect(joined(.add, operands).map(\.?.fused) == [nil, .multiplyAdd])
      #expect(joined(.add, operands)[1]?.instruction.operands == [0, 1, 2])
    }
    #expect(joined(.subtract, [2, 3])[1]?.fused == .subtractProduct)
    #expect(joined(.subtract, [2, 3])[1]?.instruction.operands == [0, 1, 2])
    #expect(joined(.subtract, [3, 2])[0] != nil)
    #expect(joined(.add, [3, 3])[0] != nil && joined(.maximum, [3, 2])[0] != nil)
    #expect(joined(.add, [3, 2], outputs: [4, 3])[0] != nil)
    // A fused instruction is not fused again.
    var chain = Program(
      inputs: [.tensor(.float32), .tensor(.float32), .tensor(.float32)],
      instructions: [
        Instruction(.multiply, lane: .float32, operands: [0, 1]),
        Instruction(.subtract, lane: .float32, operands: [2, 3]), Instruction(.exp, lane: .float32, operands: [4]),
      ], outputs: [Program.Output(register: 5, dtype: .float32)])
    var found = chain.fusingRows { _ in false }
    #expect(found[0] == nil && found[1]?.fused == .subtractProduct && found[2]?.instruction == chain.instructions[2])
    chain.instructions[1...] = [
      Instruction(.multiply, lane: .float32, operands: [1, 2]), Instruction(.add, lane: .float32, operands: [3, 4]),
    ]
    found = chain.fusingRows { _ in false }
    #expect(found[0] == nil && found[1]?.instruction == chain.instructions[1] && found[2]?.fused == .multiplyAdd)
    #expect(joined(.add, [3, 2], uniform: [0, 1])[0] != nil && joined(.add, [3, 2], uniform: [1])[0] == nil)
  }
}
