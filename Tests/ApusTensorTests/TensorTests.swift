import Apus
import ApusTestSupport
import Testing

/// Literals, printing, access, masks, splits, top-k, sorting, index checks, and functions at zeros, infinities and NaN.
@Suite struct TensorTests {
  private func onReference<R>(_ body: () throws -> R) throws -> R {
    try withDevice(TestDevice.reference.device, body)
  }

  @Test func literals() throws {
    try onReference { () throws in
      let matrix: Tensor = [[1, 2.5], [3, 4]]
      #expect(matrix.dtype == .float32 && matrix.shape == [2, 2])
      #expect(try matrix.values() == [1, 2.5, 3, 4])
      let integers: Tensor = [1, -2, 3]
      #expect(integers.dtype == .int64)
      #expect(try integers.array(of: Int.self) == [1, -2, 3])
      let flags: Tensor = [[true], [false]]
      #expect(flags.dtype == .bool && flags.shape == [2, 1])
      #expect(try (matrix * [2, 10]).values() == [2, 25, 6, 40])
    }
  }

  @Test func printing() throws {
    try onReference { () throws in
      let matrix: Tensor = [[1, 2.5], [-3, 4]]
      #expect(matrix.description == "[[ 1.0000,  2.5000],\n [-3.0000,  4.0000]]  float32[2, 2]")
      #expect(([1, 20, 300] as Tensor).description == "[  1,  20, 300]  int64[3]")
      #expect(([1.0, 2.0] as Tensor).description == "[1., 2.]  float32[2]")
      #expect(([true, false] as Tensor).description == "[ true, false]  bool[2]")
      #expect(Tensor.zeros([]).description == "0.  float32[]")
      #expect(Tensor.zeros([0, 2]).description == "[]  float32[0, 2]")
      #expect(([1e-9, 1.5] as Tensor).description == "[1.0000e-09, 1.5000e+00]  float32[2]")
      #expect(
        Tensor.range(to: 2000).description == "[   0,    1,    2, ..., 1997, 1998, 1999]  int64[2000]")
      let cube = Tensor.zeros([2, 1, 1])
      #expect(cube.description == "[[[0.]],\n\n [[0.]]]  float32[2, 1, 1]")
      #expect((1 / Tensor.zeros([2]) * [1, -1]).description == "[ inf, -inf]  float32[2]")
    }
  }

  @Test func typedAccess() throws {
    try onReference { () throws in
      let half = Tensor([1.0, 2.0, 0.333] as [Float]).cast(to: .float16)
      #expect(half.dtype == .float16)
      #expect(try half.array(of: Float.self) == [1, 2, 0.33300781])
      #expect(try half.cast(to: .bfloat16).array(of: Double.self) == [1, 2, 0.33203125])
      #expect(try half[1].scalar() == 2)
      #expect(try Tensor([1.5, -1.5] as [Float]).array(of: Int32.self) == [1, -1])
    }
  }

  @Test func masks() throws {
    try onReference { () throws in
      let x: Tensor = [[1.0, -2.0], [3.0, -4.0], [5.0, 6.0]]
      #expect(try x.compressed(by: x .> 0).values() == [1, 3, 5, 6])
      let rows = try x.compressed(by: [true, false, true])
      #expect(rows.shape == [2, 2])
      #expect(try rows.values() == [1, -2, 5, 6])
      #expect(try (x .< 0).trueIndices().array(of: Int.self) == [1, 3])
      #expect(try x.compressed(by: x .< -9).shape == [0])
    }
  }

  @Test func splitsHaveAllParts() throws {
    try onReference { () throws in
      let parts = Tensor.range(to: 7).split(into: [3, 0, 4])
      #expect(try parts.map { try $0.array(of: Int.self) } == [[0, 1, 2], [], [3, 4, 5, 6]])
    }
  }

  @Test func topKReturnsIndices() throws {
    try onReference { () throws in
      let (values, places) = ([[1.0, 9.0, 4.0], [7.0, 2.0, 7.0]] as Tensor).topK(2)
      #expect(try values.values() == [9, 4, 7, 7])
      #expect(try places.array(of: Int.self) == [1, 2, 0, 2])
    }
  }

  @Test func sortingNaN() throws {
    try onReference { () throws in
      let x = Tensor([2, .nan, 1, -.infinity] as [Double])
      #expect(try x.argsort().array(of: Int.self) == [3, 2, 0, 1])
      #expect(try x.argsort(isDescending: true).array(of: Int.self) == [1, 0, 2, 3])
      #expect(try x.max().scalar().isNaN)
      #expect(try x.argmax().scalar() == 1)
    }
  }

  @Test func indicesOutOfRangeAreErrors() throws {
    for device in TestDevice.all {
      try withDevice(device.reopened()) { () throws in
        let x = Tensor.zeros([3, 2])
        #expect(throws: DeviceError.self, "\(device.name)") { try x.gathering([0, 3], axis: 0).values() }
        #expect(try x.gathering([0, -3], axis: 0).values() == [0, 0, 0, 0], "\(device.name)")
      }
    }
  }

  @Test func functionsAtSpecialValues() throws {
    for device in TestDevice.all {
      try withDevice(device.device) { () throws in
        let x = Tensor([.nan, .infinity, -.infinity, 0, -1] as [Float])
        #expect(try x.relu().values()[0].isNaN && x.relu().values()[1...] == [.infinity, 0, 0, 0], "\(device.name)")
        #expect(try x.log().values()[1] == .infinity && x.log().values()[3] == -.infinity, "\(device.name)")
        #expect(try x.log().values()[4].isNaN && x.sqrt().values()[4].isNaN, "\(device.name)")
        #expect(try x.exp().values()[1...] == [.infinity, 0, 1, x.exp().values()[4]], "\(device.name)")
        #expect(try x.sigmoid().values()[1...3] == [1, 0, 0.5], "\(device.name)")
        #expect(try x.tanh().values()[1...3] == [1, -1, 0], "\(device.name)")
        #expect(try x.cast(to: .int32).values() == [0, 2_147_483_647, -2_147_483_648, 0, -1], "\(device.name)")
        #expect(try x.isNaN().values() == [1, 0, 0, 0, 0], "\(device.name)")
        #expect(try x.sum().scalar().isNaN && x[1..<2].sum().scalar() == .infinity, "\(device.name)")
        #expect(try x.isClose(to: x, equatesNaN: true).all().scalar() == 1, "\(device.name)")
        #expect(try x.isClose(to: x).all().scalar() == 0, "\(device.name)")
        #expect(
          try x[3...].norm().scalar() == 1 && gradients(of: x[3..<4].norm(), withRespectTo: [x])[0][3].scalar() == 0)
      }
    }
  }
}
