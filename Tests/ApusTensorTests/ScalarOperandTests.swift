import Apus
import ApusTestSupport
import Testing

/// Operations of tensors with Swift numbers, comparisons, tensors made of nested lists, and the arguments `axis:` and
/// `axes:`.
@Suite struct ScalarOperandTests {
  private let n = 3
  private let f: Float = 0.5
  private let d = 0.25

  @Test func elementTypesFollowPyTorch() {
    withDevice(ComputeDevice(backend: RecordingDevice())) {
      func ones(_ dtype: DType) -> Tensor { .ones([2], dtype: dtype) }
      for dtype in [DType.float16, .bfloat16, .float32, .float64] {
        let x = ones(dtype)
        let results = [x * n, n * x, x + f, f - x, x / d, d / x, x.power(n), x.maximum(f), x.remainder(d), x.atan2(n)]
        #expect(results.allSatisfy { $0.dtype == dtype })
      }
      for dtype in [DType.uint8, .int8, .int32, .int64] {
        let x = ones(dtype)
        #expect([x * n, n - x, x.power(n), x.minimum(n), x.remainder(n), x.bitAnd(n)].allSatisfy { $0.dtype == dtype })
        #expect([x * f, d - x, x * 2.0, x.maximum(f), x / n, x.atan2(n)].allSatisfy { $0.dtype == .float32 })
        #expect((x .> n).select(x, 0).dtype == dtype && (x .> n).select(0.5, x).dtype == .float32)
      }
      #expect((ones(.bool) * n).dtype == .int64 && (ones(.bool) * f).dtype == .float32)
      #expect((ones(.float16) .> d).dtype == .bool)
    }
  }

  @Test func valuesOnEveryDevice() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let x = Tensor([-2, 0.5, 4] as [Float])
        let whole = Tensor([7, -7, 2] as [Int32])
        var changed = x
        changed += n
        changed *= f
        let results: [(Tensor, [Float])] = [
          (x * n, [-6, 1.5, 12]), (f - x, [2.5, 0, -3.5]), (d / x, [-0.125, 0.5, 0.0625]), (changed, [0.5, 1.75, 3.5]),
          (x.maximum(f), [0.5, 0.5, 4]), (x.minimum(1), [-2, 0.5, 1]), (x.power(2), [4, 0.25, 16]),
          (x.remainder(n), [1, 0.5, 1]), (x.fmod(n), [-2, 0.5, 1]), (x.floorDivided(by: f), [-4, 1, 8]),
          (whole.remainder(n), [1, 2, 2]), (whole * f, [3.5, -3.5, 1]), (whole.bitAnd(n), [3, 1, 2]),
          ((x .> f).select(x, 0), [0, 0, 4]), ((n .>= x).select(x, -1), [-2, 0.5, -1]),
          (x.lerp(to: x * 3, 0.5), [-4, 1, 8]), (x.hypot(n), [3.6055513, 3.0413813, 5]),
          (x.copySign(-1), [-2, -0.5, -4]), (x.atan2(n), [-0.5880026, 0.16514868, 0.9272952]),
          (whole.bitOr(n), [7, -5, 3]), (whole.bitXor(n), [4, -6, 1]), (whole.shiftedLeft(by: 1), [14, -14, 4]),
          (whole.shiftedRight(by: 30), [0, 3, 0]),
        ]
        let all = try Tensor.concatenated(results.map { $0.0.cast(to: .float32) }).array()
        #expect(zip(all, results.flatMap(\.1)).allSatisfy { abs($0 - $1) < 1e-5 }, "\(device.name): \(all)")
        let truths: [(Tensor, [Bool])] = [
          (x .> f, [false, false, true]), (x .>= 0.5, [false, true, true]), (x .< 0, [true, false, false]),
          (x .<= f, [true, true, false]), (x .== 4, [false, false, true]), (x .!= 4, [true, true, false]),
          (0 .< x, [false, true, true]), (n .== whole, [false, false, false]), (whole .> 2.5, [true, false, false]),
          (x .> x * n, [true, false, false]), (whole.cast(to: .int8) .< 300, [true, true, true]),
        ]
        let found = try Tensor.concatenated(truths.map(\.0)).array(of: Bool.self)
        #expect(found == truths.flatMap(\.1), "\(device.name)")
      }
    }
  }

  @Test func largeIntegersStayExact() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let large = 1 << 60 + 1
      let x = Tensor([large, 5])
      #expect(try (x + large).array(of: Int.self) == [2 * large, large + 5])
      #expect(try (x .== large).array(of: Bool.self) == [true, false])
      #expect(try x.minimum(large - 1).array(of: Int.self) == [large - 1, 5])
    }
  }

  @Test func gradientsFlowPastNumbers() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let x = Tensor([-1, 0.5, 2] as [Float])
        let y = (x.maximum(f) * n + x.power(2) / 4 + (x .> 1).select(x, 0)).sum()
        #expect(try gradients(of: y, withRespectTo: [x])[0].array() == [-0.5, 1.75, 5], "\(device.name)")
      }
    }
  }

  @Test func nestedLists() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let whole = Tensor([[1, 2], [3, 4]])
      #expect(whole.shape == [2, 2] && whole.dtype == .int64)
      #expect(Tensor([[1, 2.5], [3, 4]]).dtype == .float32 && Tensor([0.5, 1], shape: [2, 1]).dtype == .float32)
      #expect(Tensor([[[true], [false]]]).dtype == .bool)
      let rows: [[Double]] = [[1, 2], [3, 4], [5, 6]]
      #expect(Tensor(rows).dtype == .float64 && Tensor(rows).shape == [3, 2])
      #expect(try Tensor(rows).array(of: Int.self) == [1, 2, 3, 4, 5, 6])
      #expect(try Tensor([rows.map { $0.map { Float($0) } }]).sum(axes: [0, 1]).array() == [9, 12])
      #expect(Tensor([[Int]]()).shape == [0, 0] || Tensor([[Int]]()).shape == [0])
      #expect(Tensor(f).shape == [] && Tensor(n).dtype == .int64)
      #expect(try Tensor(2.5).scalar() == 2.5)
    }
  }

  @Test func raggedListsAreErrors() {
    #expect(throws: ShapeError.self) { try checkingShapes { Tensor([[1, 2], [3]]) } }
    let ragged: [[Float]] = [[1], [2, 3]]
    let error = #expect(throws: ShapeError.self) { try checkingShapes { Tensor(ragged) } }
    #expect(error.map { "\($0)" }?.contains("nested arrays differ in length: 1 and 2") == true)
  }

  @Test func oneAxisOrSeveral() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([[1, 2], [3, 4]] as [[Float]])
      #expect(try x.sum(axis: 0).array() == [4, 6] && x.sum(axes: [0, 1]).scalar() == 10)
      #expect(x.mean(axis: -1, keepingAxes: true).shape == [2, 1] && x.variance(axis: 0).shape == [2])
      #expect(try x.norm(axis: 1).array() == x.norm(axes: [1]).array())
      #expect(try x.flipped(axis: 1).array() == [2, 1, 4, 3] && x.rolled(by: 1, axis: 0).array() == [3, 4, 1, 2])
    }
  }
}

/// Assignments to subscripts, subscripts by lists of indices, additions at indices, and diagonals of any two axes.
@Suite struct SubscriptTests {
  private func onAll(_ body: (String) throws -> Void) throws {
    for device in TestDevice.all { try withDevice(device.reopened()) { () throws in try body(device.name) } }
  }

  @Test func settingParts() throws {
    try onAll { (name: String) throws in
      var x = Tensor([[1, 2, 3], [4, 5, 6]] as [[Float]])
      let old = x
      x[0] = Tensor([7, 8, 9] as [Float])
      x[1, 1...] = 0
      x[.all, 0] += 0.5
      #expect(try x.array() == [7.5, 8, 9, 4.5, 0, 0], "\(name)")
      #expect(try old.array() == [1, 2, 3, 4, 5, 6], "\(name)")
      x[x .> 8] = -1
      x[0, 1..<3] = [2, 3.5]
      #expect(try x.array() == [7.5, 2, 3.5, 4.5, 0, 0], "\(name)")
    }
  }

  @Test func gradientsOfSetParts() throws {
    try onAll { (name: String) throws in
      let (x, y) = (Tensor([1, 2, 3, 4] as [Float]), Tensor([5, 6] as [Float]))
      var z = x * 2
      z[1..<3] = y * 3
      z[[0, 0]] = y
      let found = gradients(of: (z * Tensor([1, 10, 100, 1000] as [Float])).sum(), withRespectTo: [x, y])
      #expect(try z.array() == [6, 15, 18, 8] && found[0].array() == [0, 0, 0, 2000], "\(name)")
      #expect(try found[1].array() == [30, 301], "\(name)")
    }
  }

  @Test func listsOfIndices() throws {
    try onAll { (name: String) throws in
      let x = Tensor.range(to: 24, dtype: .float32).reshaped(to: [2, 3, 4])
      #expect(try x[[1, 0], 0, 1].array() == [13, 1] && x[.all, [2, -1], 0].array() == [8, 8, 20, 20], "\(name)")
      let pairs = x[1, Tensor([0, 2]), Tensor([[3], [1]])]
      #expect(try pairs.shape == [2, 2] && pairs.array() == [15, 23, 13, 21], "\(name)")
      let apart = x[[0, 1], .all, [3, 0]]
      #expect(try apart.shape == [2, 3] && apart.array() == [3, 7, 11, 12, 16, 20], "\(name)")
      #expect(throws: DeviceError.self, "\(name)") { try x[0, [0, 1], [0, 4]].array() }
      var y = x
      y[1, [0, 2], [1, 1]] = Tensor([-1, -2] as [Float])
      #expect(try (y - x).sum().scalar() == -37 && y[1, 2, 1].scalar() == -2, "\(name)")
    }
  }

  @Test func wrongIndicesAreErrors() {
    let x = Tensor.zeros([2, 3])
    #expect(throws: ShapeError.self) { try checkingShapes { x[x] } }
    #expect(throws: ShapeError.self) { try checkingShapes { x[x .> 0] } }
    #expect(throws: ShapeError.self) { try checkingShapes { x[[0, 1], [0, 1, 2]] } }
    #expect(throws: ShapeError.self) { try checkingShapes { x.replacing([0, 1], with: .zeros([4])) } }
    #expect(throws: ShapeError.self) { try checkingShapes { x.indexAdding(.zeros([2, 2]), at: [0, 1]) } }
    #expect(throws: ShapeError.self) { try checkingShapes { x.diagonal(axes: [0, 0]) } }
  }

  @Test func addingAtIndices() throws {
    try onAll { (name: String) throws in
      let (x, y) = (Tensor.zeros([3, 2]), Tensor([[1, 2], [3, 4], [5, 6]] as [[Float]]))
      let sum = x.indexAdding(y, at: [2, 0, 2])
      #expect(try sum.array() == [3, 4, 0, 0, 6, 8], "\(name)")
      let product = x.indexAdding(y, at: [2, 0, 2]) * y
      let slope: [Float] = try gradients(of: product.sum(), withRespectTo: [y])[0].array()
      #expect(slope == [8, 10, 1, 2, 11, 14], "\(name)")
      #expect(try x.indexAdding(y[0..<3, 0...0], at: [1], axis: 1).array() == [0, 1, 0, 3, 0, 5], "\(name)")
    }
  }

  @Test func diagonalsOfAxes() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor.range(to: 24, dtype: .float32).reshaped(to: [2, 3, 4])
      #expect(try x.diagonal(axes: [0, 1]).array() == [0, 16, 1, 17, 2, 18, 3, 19])
      #expect(try x.diagonal(offset: 1, axes: [0, 2]).array() == [1, 14, 5, 18, 9, 22])
      #expect(try x.diagonal(offset: -1, axes: [2, 1]).array() == [1, 6, 11, 13, 18, 23])
    }
  }
}
