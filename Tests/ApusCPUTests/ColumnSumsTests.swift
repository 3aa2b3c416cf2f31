import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Testing

@testable import ApusCPU

/// The tasks of a product, which run on the threads of the CPU, can also sum its columns. These sums equal the results
/// of a reduction that reads the stored product.
@Suite struct ColumnSumsTests {
  struct Case: CustomStringConvertible {
    var batch: Shape = []
    var m: Int
    var n: Int
    var k: Int
    var dtype: DType = .float32
    /// Whether all products of the batch share the right factor.
    var isStacked = false
    /// Whether the product's tasks compute the sums. This requires several columns (a single column is reduced as a
    /// row). It also requires that tiles begin at multiples of `ReductionShape.linesAtOnce` rows, because the reduction
    /// first combines groups of this many rows.
    var isJoined = true

    var description: String { "\(batch) \(m)x\(n)x\(k) \(dtype)" }
  }

  static let cases: [Case] = [
    Case(m: 2048, n: 96, k: 40), Case(m: 500, n: 300, k: 300), Case(m: 128, n: 500, k: 80), Case(m: 7, n: 33, k: 5),
    Case(m: 331, n: 70, k: 20, dtype: .float64), Case(m: 97, n: 5000, k: 8), Case(m: 1000, n: 17, k: 600),
    Case(batch: [16], m: 60, n: 48, k: 30), Case(batch: [3], m: 50, n: 64, k: 10, isStacked: true),
    Case(batch: [3], m: 50, n: 64, k: 10, isJoined: false), Case(m: 600, n: 1, k: 70, isJoined: false),
    Case(m: 0, n: 40, k: 8), Case(m: 30, n: 40, k: 0),
  ]

  /// A plan with two outputs: `2·relu(a·b)`, and the reduction of its columns by `reducer`. If `stored` is given, the
  /// only output is the reduction of the columns of `stored`.
  private func plan(_ test: Case, stored: [Double]?, reducer: ReductionRow = .sum) -> PlanBuilder {
    var (builder, numbers) = (PlanBuilder(), TestNumbers(seed: 7))
    let lane = test.dtype.lane
    let domain = Shape(Array(test.batch) + [test.m, test.n])
    let value: Int
    if let stored {
      value = builder.input(stored, test.dtype)
    } else {
      let batches = test.batch.elementCount
      let a = builder.input(numbers.array(batches * test.m * test.k), test.dtype)
      let b = builder.input(numbers.array((test.isStacked ? 1 : batches) * test.k * test.n), test.dtype)
      value = builder.output(domain.elementCount, test.dtype)
      var right = Layout(contiguous: Shape(Array(test.batch) + [test.k, test.n]))
      if test.isStacked { right.strides[0] = 0 }
      var epilogue = Epilogue.plain(domain, lane: lane, into: value)
      epilogue.program.instructions = [
        Instruction(.constant, lane: lane, operands: [], immediate: .float(0)),
        Instruction(.maximum, lane: lane, operands: [0, 1]), Instruction(.add, lane: lane, operands: [2, 2]),
      ]
      epilogue.program.outputs[0].register = 3
      builder.step(
        .matmul(
          Matmul(
            batch: test.batch, m: test.m, n: test.n, k: test.k,
            a: Operand(value: a, layout: Layout(contiguous: Shape(Array(test.batch) + [test.m, test.k]))),
            b: Operand(value: b, layout: right), dtype: test.dtype, epilogue: epilogue)))
    }
    let isPlace = reducer == .argmax
    let sums = builder.output(test.n, isPlace ? .int64 : test.dtype)
    var kept = Shape(repeating: 1, count: domain.rank)
    kept[domain.rank - 1] = test.n
    builder.step(
      .reduction(
        Reduction(
          domain: domain, axes: Array(0..<domain.rank - 1),
          prologue: Program(
            inputs: [.tensor(test.dtype)], outputs: [Program.Output(register: 0, dtype: test.dtype)]),
          arguments: [.tensor(Operand(value: value, layout: Layout(contiguous: domain)))], reducers: [reducer],
          epilogue: .plain(kept, lane: isPlace ? .int64 : lane, into: sums))))
    return builder
  }

  @Test(arguments: cases, availableSets) func columnSumsEqualTheReduction(_ test: Case, simd: String) throws {
    let builder = plan(test, stored: nil)
    let results = try builder.run(on: cpu(simd: simd))
    #expect(results[1] == (try plan(test, stored: results[0]).run(on: cpu(simd: simd)))[0])
    #expect(results == (try builder.run(on: cpu(threads: 1, simd: simd))))
    let sums = (0..<test.n).map { column in
      stride(from: column, to: results[0].count, by: test.n).reduce(0) { $0 + results[0][$1] }
    }
    let bound = Double(max(1, results[0].count / test.n)).squareRoot() * 0x1p-22
    #expect(zip(results[1], sums).allSatisfy { abs($0 - $1) <= bound * max(1, abs($1)) })
  }

  /// A product's tasks compute only sums. Column reductions with other reducers read the stored product.
  @Test(arguments: [ReductionRow.max, .argmax, .product]) func otherReductions(reducer: ReductionRow) throws {
    let test = Case(m: 50, n: 40, k: 9)
    let found = try plan(test, stored: nil, reducer: reducer).run(on: cpu())
    #expect(found[1] == (try plan(test, stored: found[0], reducer: reducer).run(on: cpu()))[0])
  }

  /// The product's step computes the column sums in exactly the cases with `isJoined`.
  @Test(arguments: cases) func productsComputeTheSums(_ test: Case) throws {
    let steps = StepBuilder(plan: plan(test, stored: nil).plan, loops: try #require(csimd_choose(nil)), threadCount: 2)
    let built = try steps.plan.steps.map { try steps.build($0) }
    built.joinColumnSums(steps.plan)
    #expect(((built[0] as? FloatMatmulStep)?.columnSums.count == 1) == test.isJoined)
  }
}
