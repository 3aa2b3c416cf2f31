import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusCPU

/// The results have the same bits whether the steps of a softmax or log-sum-exp are fused into one pass over rows or
/// run one after the other.
@Suite struct SoftmaxRowsTests {
  /// What a plan computes from the row maxima.
  enum Kind: CaseIterable, Sendable {
    /// `softmax`: exponentials divided by their sums. `exponentials`: exponentials and their sums. `sums`: sums of
    /// exponentials; before, each maximum that is not finite is replaced by 0.25. `storedSums`: as `sums`, and the
    /// exponentials are stored.
    case softmax, exponentials, sums, storedSums

    var replacesInfinite: Bool { self == .sums || self == .storedSums }
    var storesExponentials: Bool { self != .sums }
    /// Whether the exponentials, if they are stored, are an output of the plan.
    var isReadLater: Bool { self != .softmax }
  }

  private func plan(
    _ kind: Kind, _ numbers: [Double], rows: Int, dtype: DType, isTogether: Bool, overwrites: Bool = false
  ) -> PlanBuilder {
    var plan = RowPlan(numbers, rows: rows, dtype: dtype, isTogether: isTogether)
    plan.add(kind, overwrites: overwrites)
    return plan.builder
  }

  /// Whether the results have the same bits; all NaNs count as equal. The first result is ignored: only the unrelated
  /// steps of `RowPlan` write it.
  private func isEqual(_ left: [[Double]], _ right: [[Double]]) -> Bool {
    left.count == right.count
      && zip(left, right).dropFirst().allSatisfy {
        zip($0, $1).allSatisfy { $0 == $1 && $0.sign == $1.sign || $0.isNaN && $1.isNaN }
      }
  }

  /// Some row lengths fill whole vectors or groups of four vectors, and others do not. Some rows contain NaN,
  /// infinities or zeros of both signs.
  @Test(arguments: Kind.allCases, [16, 17, 64, 100, 257, 4096]) func sameBits(kind: Kind, length: Int) throws {
    let rows = 70
    for dtype in [DType.float32, .float64] {
      var random = TestNumbers(seed: UInt64(length))
      var numbers = random.array(rows * length, -9...9)
      numbers[3 * length + length / 2] = .nan
      numbers[5 * length] = .infinity
      for column in 0..<length {
        numbers[8 * length + column] = -.infinity
        numbers[9 * length + column] = column == length - 1 ? -.infinity : 3e38
        numbers[10 * length + column] = column == 7 ? 0 : -.infinity
        numbers[11 * length + column] = .nan
        numbers[12 * length + column] = column / 64 % 2 == 0 ? -0.0 : 0
        numbers[13 * length + column] = column / 64 % 2 == 0 ? 0 : -0.0
      }
      numbers[(rows - 1) * length + length - 1] = .nan
      for simd in availableSets {
        let device = try cpu(simd: simd)
        let apart = try plan(kind, numbers, rows: rows, dtype: dtype, isTogether: false).run(on: device)
        let together = plan(kind, numbers, rows: rows, dtype: dtype, isTogether: true)
        #expect(isEqual(try together.run(on: device), apart), "\(dtype) on \(simd)")
        #expect(isEqual(try together.run(on: cpu(threads: 1, simd: simd)), apart), "\(dtype) on \(simd), one thread")
        guard kind == .softmax else { continue }
        let overwriting = plan(kind, numbers, rows: rows, dtype: dtype, isTogether: true, overwrites: true)
        #expect(isEqual(try overwriting.run(on: device), apart), "\(dtype) on \(simd), in place")
      }
    }
  }

  /// An array larger than the caches, so that the quotients are written with non-temporal stores.
  @Test(arguments: availableSets, [DType.float32, .float64]) func largeRows(simd: String, dtype: DType) throws {
    let (rows, length) = (8224 / dtype.byteCount, 4096)
    var random = TestNumbers(seed: 5)
    let row = random.array(length + rows)
    let numbers = (0..<rows).flatMap { row[$0..<($0 + length)] }
    let device = try cpu(simd: simd)
    let apart = try plan(.softmax, numbers, rows: rows, dtype: dtype, isTogether: false).run(on: device)
    let together = try plan(.softmax, numbers, rows: rows, dtype: dtype, isTogether: true).run(on: device)
    #expect(isEqual(together, apart))
  }

  /// Steps that deviate from the pattern are not fused.
  @Test func patterns() {
    func pattern(_ kind: Kind, _ change: (inout [Step]) -> Void = { _ in }, aliases: Bool = false) -> SoftmaxPattern? {
      let numbers = [Double](repeating: 0, count: 64)
      var steps = plan(kind, numbers, rows: 2, dtype: .float32, isTogether: true).plan.steps.map(\.step)
      change(&steps)
      return SoftmaxPattern(steps, isLast: { _, _ in !kind.isReadLater }, mayAlias: { _, _ in aliases })
    }
    #expect(Kind.allCases.map { pattern($0)?.count } == [4, 3, 3, 4])
    #expect(pattern(.softmax)?.quotients != nil && pattern(.exponentials)?.exponentials != nil)
    // Rows with NaN are read a second time, so the exponentials must not overwrite the numbers.
    #expect(pattern(.softmax, aliases: true) == nil)
    let others: [(inout Reduction) -> Void] = [
      { $0.reducers = [.min] }, { $0.axes = [0] },
      { $0.arguments = [.tensor(Operand(value: 9, layout: .init(contiguous: [2, 32])))] },
      { $0.epilogue.program.instructions = [Instruction(.negate, lane: .float32, operands: [0])] },
    ]
    for other in others {
      let changed = pattern(.exponentials) { steps in
        guard case .reduction(var maximum) = steps[0] else { return }
        other(&maximum)
        steps[0] = .reduction(maximum)
      }
      #expect(changed == nil)
    }
    for position in 1...2 {
      #expect(pattern(.softmax) { $0.remove(at: position) } == nil)
    }
    #expect(pattern(.softmax) { $0.removeLast() }?.quotients == nil)
  }
}

/// A plan with the steps of a softmax over rows. Unless `isTogether`, unrelated steps separate them, which prevents
/// their fusion.
private struct RowPlan {
  var builder = PlanBuilder()
  private let domain: Shape
  private let dtype: DType
  private let isTogether: Bool
  private let numbers: Int
  private let other: (source: Int, result: Int)

  private var lane: Lane { dtype.lane }
  private var rows: Int { domain[0] }

  init(_ numbers: [Double], rows: Int, dtype: DType, isTogether: Bool) {
    (domain, self.dtype, self.isTogether) = ([rows, numbers.count / rows], dtype, isTogether)
    other = (builder.input([1], dtype), builder.output(1, dtype))
    self.numbers = builder.input(numbers, dtype)
  }

  mutating func add(_ kind: SoftmaxRowsTests.Kind, overwrites: Bool) {
    let (peaks, sums) = (builder.output(rows, dtype), builder.output(rows, dtype))
    let exponentials = kind.storesExponentials ? array(isOutput: kind.isReadLater) : numbers
    let plain = Program(inputs: [.tensor(dtype)], outputs: [.init(register: 0, dtype: dtype)])
    let difference = program(
      2, [Instruction(.subtract, lane: lane, operands: [0, 1]), Instruction(.exp, lane: lane, operands: [2])])

    reduce(.max, plain, [whole(numbers)], .plain([rows, 1], lane: lane, into: peaks, dtype))
    let shift = kind.replacesInfinite ? addShift(of: peaks) : peaks
    if kind.storesExponentials { elementwise(difference, domain, [whole(numbers), perRow(shift)], exponentials) }
    var epilogue = Epilogue.plain([rows, 1], lane: lane, into: sums, dtype)
    if kind == .softmax {
      epilogue.program.instructions = [Instruction(.reciprocal, lane: lane, operands: [0])]
      epilogue.program.outputs[0].register = 1
    }
    if kind.storesExponentials {
      reduce(.sum, plain, [whole(exponentials)], epilogue)
    } else {
      reduce(.sum, difference, [whole(numbers), perRow(shift)], epilogue)
    }
    guard kind == .softmax else { return }
    let quotients = overwrites ? builder.output(over: numbers) : array(isOutput: true)
    let product = program(2, [Instruction(.multiply, lane: lane, operands: [0, 1])])
    elementwise(product, domain, [whole(exponentials), perRow(sums)], quotients)
  }

  private mutating func addShift(of peaks: Int) -> Int {
    let shift = builder.output(rows, dtype)
    var select = program(
      2,
      [
        Instruction(.isFinite, lane: lane, result: .int32, operands: [0]),
        Instruction(.select, lane: lane, operands: [2, 0, 1]),
      ])
    select.inputs[1] = .scalar(lane)
    let substitute = builder.scalar(.float(0.25), lane)
    let source = Operand(value: peaks, layout: Layout(contiguous: [rows, 1]))
    elementwise(select, [rows, 1], [.tensor(source), .scalar(substitute)], shift)
    return shift
  }

  private mutating func array(isOutput: Bool) -> Int {
    isOutput ? builder.output(domain.elementCount, dtype) : builder.scratch(domain.elementCount, dtype)
  }

  private func whole(_ value: Int) -> Argument {
    .tensor(Operand(value: value, layout: Layout(contiguous: domain)))
  }

  private func perRow(_ value: Int) -> Argument {
    .tensor(Operand(value: value, layout: Layout(shape: domain, strides: [1, 0], offset: 0)))
  }

  private func program(_ inputCount: Int, _ instructions: [Instruction]) -> Program {
    Program(
      inputs: Array(repeating: .tensor(dtype), count: inputCount), instructions: instructions,
      outputs: [.init(register: inputCount + instructions.count - 1, dtype: dtype)])
  }

  private mutating func elementwise(_ program: Program, _ domain: Shape, _ arguments: [Argument], _ result: Int) {
    let results = [Operand(value: result, layout: Layout(contiguous: domain))]
    let binding = Binding(domain: domain, arguments: arguments, results: results)
    add(.elementwise(Elementwise(program: program, segments: [binding])))
  }

  private mutating func reduce(
    _ reducer: ReductionRow, _ prologue: Program, _ arguments: [Argument], _ epilogue: Epilogue
  ) {
    let step = Reduction(
      domain: domain, axes: [1], prologue: prologue, arguments: arguments, reducers: [reducer], epilogue: epilogue)
    add(.reduction(step))
  }

  private mutating func add(_ step: Step) {
    if !builder.plan.steps.isEmpty && !isTogether {
      let scan = Scan(
        outer: 1, extent: 1, inner: 1, combine: .sum, isReversed: false, dtype: dtype, source: other.source,
        result: other.result)
      builder.step(.scan(scan))
    }
    builder.step(step)
  }
}
