import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct MatmulTests {
  struct Case: CustomStringConvertible {
    var batch: Shape = []
    var m: Int
    var n: Int
    var k: Int
    var transposesA = false
    var transposesB = false
    var broadcastsB = false
    var dtype: DType = .float32

    var description: String { "\(batch) \(m)x\(n)x\(k) \(transposesA) \(transposesB) \(dtype)" }
  }

  static let cases: [Case] = [
    Case(m: 3, n: 4, k: 5), Case(m: 1, n: 7, k: 9), Case(m: 9, n: 1, k: 7), Case(m: 128, n: 120, k: 400),
    Case(m: 400, n: 120, k: 128, transposesA: true), Case(m: 128, n: 400, k: 120, transposesB: true),
    Case(m: 10, n: 3000, k: 64), Case(m: 33, n: 2500, k: 70, transposesA: true, transposesB: true),
    Case(batch: [3, 2], m: 20, n: 30, k: 10), Case(batch: [4], m: 70, n: 90, k: 11, broadcastsB: true),
    Case(m: 5, n: 6, k: 0), Case(m: 64, n: 65, k: 66, dtype: .float64),
    Case(m: 40, n: 50, k: 60, transposesB: true, dtype: .float16),
    Case(batch: [2], m: 40, n: 50, k: 60, transposesA: true, dtype: .bfloat16),
    Case(m: 17, n: 19, k: 23, dtype: .int8), Case(m: 17, n: 19, k: 23, transposesB: true, dtype: .uint8),
    Case(batch: [2], m: 17, n: 19, k: 23, transposesA: true, dtype: .int32),
    Case(m: 17, n: 19, k: 23, transposesA: true, transposesB: true, dtype: .int64),
  ]

  /// Products that cover every way of splitting a product and of packing its factors.
  static let splits: [Case] = [
    Case(m: 300, n: 290, k: 530), Case(m: 300, n: 290, k: 530, transposesB: true),
    Case(m: 300, n: 290, k: 530, transposesA: true), Case(m: 250, n: 272, k: 260, transposesA: true, transposesB: true),
    Case(m: 500, n: 1, k: 700), Case(m: 500, n: 1, k: 700, transposesA: true), Case(m: 1, n: 900, k: 700),
    Case(m: 1, n: 900, k: 700, transposesB: true), Case(m: 1000, n: 16, k: 300), Case(m: 500, n: 10, k: 300),
    Case(m: 250, n: 1000, k: 300), Case(m: 64, n: 64, k: 900, transposesB: true), Case(m: 13, n: 1000, k: 300),
    Case(m: 25, n: 1030, k: 100),
    Case(m: 196, n: 520, k: 1100, transposesA: true), Case(m: 516, n: 200, k: 1030, transposesA: true),
    Case(batch: [20], m: 64, n: 64, k: 64),
    Case(batch: [20], m: 64, n: 30, k: 64, transposesA: true, transposesB: true),
    Case(m: 300, n: 10, k: 900, transposesA: true), Case(m: 130, n: 16, k: 700, transposesA: true, dtype: .float64),
    Case(batch: [3], m: 7, n: 12, k: 300, transposesA: true), Case(m: 61, n: 16, k: 256, transposesA: true),
    Case(batch: [3], m: 250, n: 280, k: 40), Case(m: 130, n: 150, k: 300, dtype: .float64),
    Case(m: 130, n: 150, k: 300, transposesA: true, transposesB: true, dtype: .float64),
    Case(m: 64, n: 64, k: 4090), Case(m: 61, n: 70, k: 3000, transposesA: true, transposesB: true),
    Case(m: 40, n: 10, k: 5130, transposesA: true), Case(m: 1, n: 3, k: 20_100, transposesB: true),
    Case(m: 1, n: 1, k: 40_000), Case(m: 30, n: 33, k: 2600, dtype: .float64),
  ]

  /// Products with a factor that is read in place, not packed, if the caches allow it. The factors of the last two
  /// products are packed.
  static let inPlace: [Case] = [
    Case(m: 128, n: 256, k: 784), Case(m: 128, n: 256, k: 784, transposesA: true), Case(m: 61, n: 224, k: 530),
    Case(m: 64, n: 576, k: 1100), Case(m: 64, n: 576, k: 1100, transposesA: true), Case(m: 64, n: 64, k: 2100),
    Case(m: 61, n: 64, k: 2100, transposesA: true), Case(m: 603, n: 16, k: 2100),
    Case(m: 300, n: 1000, k: 600), Case(m: 300, n: 1000, k: 600, transposesB: true),
    Case(m: 603, n: 10, k: 2100, transposesA: true), Case(m: 603, n: 16, k: 2100, transposesA: true, transposesB: true),
    Case(batch: [3], m: 70, n: 96, k: 300, dtype: .float64),
    // Transposed left factors whose stride along k is so large that they are packed: without and with a split along k.
    Case(m: 520, n: 120, k: 300, transposesA: true), Case(m: 400, n: 72, k: 2100, transposesA: true),
  ]

  private func operand(
    _ value: Int, _ batch: Shape, rows: Int, columns: Int, transposed: Bool, broadcast: Bool
  ) -> Operand {
    var layout = Layout(contiguous: Shape(Array(batch) + (transposed ? [columns, rows] : [rows, columns])))
    if transposed { layout = layout.transposed(Array(0..<batch.rank) + [batch.rank + 1, batch.rank]) }
    if broadcast { for axis in 0..<batch.rank { layout.strides[axis] = 0 } }
    return Operand(value: value, layout: layout)
  }

  private func run(
    _ test: Case, bias: Bool, threads: Int = 2, simd: String? = nil, caches: Caches = .host
  ) throws -> (result: [Double], expected: () -> [Double], scale: Double) {
    var (rows, columns) = (TestNumbers(seed: 21), TestNumbers(seed: 22))
    var builder = PlanBuilder()
    let batches = test.batch.elementCount
    let isFloat = test.dtype.isFloatingPoint
    // A and B have separate generators, so that B and the leading rows of A do not depend on the number of rows.
    func numbers(_ count: Int, _ random: inout TestNumbers) -> [Double] {
      (isFloat ? random.array(count) : random.integers(count, -5...5)).map(test.dtype.rounded)
    }
    let a = numbers(batches * test.m * test.k, &rows)
    let b = numbers((test.broadcastsB ? 1 : batches) * test.k * test.n, &columns)
    let offsets = numbers(test.n, &columns)
    let lane = test.dtype.lane
    let (va, vb) = (builder.input(a, test.dtype), builder.input(b, test.dtype))
    let vbias = builder.input(offsets, lane.dtype)
    let domain = Shape(Array(test.batch) + [test.m, test.n])
    let vc = builder.output(domain.elementCount, lane.dtype)
    var epilogue = Epilogue.plain(domain, lane: lane, into: vc)
    if bias {
      var row = Layout(shape: domain, strides: Shape(repeating: 0, count: domain.rank))
      row.strides[domain.rank - 1] = 1
      epilogue.program.inputs.append(.tensor(lane.dtype))
      epilogue.program.instructions = [Instruction(.add, lane: lane, operands: [0, 1])]
      epilogue.program.outputs[0].register = 2
      epilogue.binding.arguments.append(.tensor(Operand(value: vbias, layout: row)))
    }
    let (oa, ob) = (
      operand(va, test.batch, rows: test.m, columns: test.k, transposed: test.transposesA, broadcast: false),
      operand(
        vb, test.batch, rows: test.k, columns: test.n, transposed: test.transposesB,
        broadcast: test.broadcastsB)
    )
    builder.step(
      .matmul(
        Matmul(
          batch: test.batch, m: test.m, n: test.n, k: test.k, a: oa, b: ob, dtype: test.dtype,
          epilogue: epilogue)))
    let (pa, pb) = (oa.layout.positions, ob.layout.positions)
    func expected() -> [Double] {
      var expected: [Double] = []
      for index in 0..<batches {
        for row in 0..<test.m {
          for column in 0..<test.n {
            var sum = bias ? offsets[column] : 0
            for j in 0..<test.k {
              sum +=
                a[pa[(index * test.m + row) * test.k + j]] * b[pb[(index * test.k + j) * test.n + column]]
            }
            expected.append(sum)
          }
        }
      }
      return expected
    }
    return (try builder.run(on: cpu(threads: threads, simd: simd, caches: caches))[0], expected, 4)
  }

  @Test(arguments: cases, [false, true])
  func matchesScalarCode(test: Case, bias: Bool) throws {
    try expectScalarResult(test, bias: bias, simd: nil)
  }

  @Test(arguments: splits, availableSets)
  func everySplit(test: Case, simd: String) throws {
    try expectScalarResult(test, bias: true, simd: simd)
  }

  private func expectScalarResult(_ test: Case, bias: Bool, simd: String?) throws {
    let product = try run(test, bias: bias, simd: simd)
    let (result, expected, scale) = (product.result, product.expected(), product.scale)
    #expect(result.count == expected.count)
    let bound =
      test.dtype.isFloatingPoint ? 4 * Double(test.k + 1).squareRoot() * 0x1p-24 * scale * Double(test.k + 1) : 0
    #expect(zip(result, expected).allSatisfy { abs($0 - $1) <= bound }, "\(test)")
  }

  @Test(arguments: cases.prefix(10) + splits)
  func bitsDoNotDependOnThreads(test: Case) throws {
    let one = try run(test, bias: true, threads: 1).result
    for threads in [2, 5] { #expect(try run(test, bias: true, threads: threads).result == one) }
  }

  /// Sums have the same bits, whether factors are packed or read in place, and whether a product is split along k.
  @Test(arguments: cases.filter { $0.dtype == .float32 } + splits + inPlace, availableSets)
  func bitsDoNotDependOnCaches(test: Case, simd: String) throws {
    let packed = try run(test, bias: true, simd: simd, caches: Caches(firstLevelWays: 8, secondLevelByteCount: 1 << 20))
    let inPlace = try run(
      test, bias: true, simd: simd, caches: Caches(firstLevelWays: 12, secondLevelByteCount: 2 << 20))
    #expect(packed.result.elementsEqual(inPlace.result))
  }

  /// A row of a product has the same bits alone and among other rows, wherever the product is split.
  @Test(arguments: [1, 5, 12, 47, 100, 250], availableSets)
  func bitsOfARowDoNotDependOnOthers(rows: Int, simd: String) throws {
    for (transposed, dtype) in [(false, DType.float32), (true, .float32), (true, .float64)] {
      func result(_ rows: Int) throws -> [Double] {
        try run(Case(m: rows, n: 290, k: 530, transposesB: transposed, dtype: dtype), bias: true, simd: simd).result
      }
      let (most, some) = (try result(500), try result(rows))
      #expect(some == Array(most.prefix(some.count)), "\(dtype), transposed: \(transposed)")
    }
  }
}
