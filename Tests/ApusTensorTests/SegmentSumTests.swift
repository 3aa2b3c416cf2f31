import Apus
import ApusTestSupport
import Testing

/// Sums of segments: invalid ids, many rows, and gradients of large tables, which are sums of segments.
@Suite struct SegmentSumTests {
  @Test(arguments: TestDevice.all) func invalidIDsAreErrors(_ test: TestDevice) throws {
    for bad: [Int64] in [[0, 1, 5], [-1, 0, 1], [0, 2, 1], [.min, 0, 0], [3, 3, .max]] {
      let device = try test.reopened()
      let error = #expect(throws: DeviceError.self) {
        try withDevice(device) { () throws in
          _ = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]).segmentSum(Tensor(bad), count: 5).array()
        }
      }
      guard case .indexOutOfRange = error else {
        Issue.record("\(test.name), \(bad): \(String(describing: error))")
        continue
      }
    }
  }

  /// On the CPU, several threads sum many rows. Each row is added once and in order, so the results have the same bits
  /// as sequential sums.
  @Test(arguments: TestDevice.all.filter { ["reference", "cpu"].contains($0.name) })
  func manyRows(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let ids = (0..<9000).map { Int32($0 * $0 / 90_000) }
      let values = (0..<9000 * 5).map { Float($0 % 1000) / 8 }
      var expected = Array(repeating: Float(0), count: 1000 * 5)
      for (place, value) in values.enumerated() { expected[Int(ids[place / 5]) * 5 + place % 5] += value }
      let sums = Tensor(values, shape: [9000, 5]).segmentSum(Tensor(ids), count: 1000)
      #expect(try sums.array() == expected)
      // An id below its predecessor is an error, even at the end of a long list of ids.
      var late = ids
      late[8999] = 0
      let error = #expect(throws: DeviceError.self) {
        let device = try test.reopened()
        try withDevice(device) { () throws in
          _ = try Tensor(values, shape: [9000, 5]).segmentSum(Tensor(late), count: 1000).array()
        }
      }
      #expect(error != nil)
    }
  }

  /// The gradient of a table of 70,000 rows has the same bits as the gradient of a table of 23 rows.
  @Test(arguments: TestDevice.all.filter { $0.extent != .everyType }) func gradientsOfLargeTables(_ test: TestDevice)
    throws
  {
    try withDevice(test.device) { () throws in
      let ids = (0..<64).map { Int32($0 * 37 % 23) }
      let numbers = (0..<64 * 3).map { (index: Int) -> Float in Float(index % 17) / 3 - 2 }
      let slopes = Tensor(numbers, shape: [8, 8, 3])
      func gradient(_ extent: Int) throws -> [Float] {
        let table = Tensor.zeros([extent, 3])
        let rows = table.gathering(Tensor(ids, shape: [8, 8]), axis: 0)
        let found = gradients(of: (rows * slopes).sum(), withRespectTo: [table])[0]
        return try Array(found.array().prefix(23 * 3))
      }
      #expect(try gradient(70_000) == gradient(23), "\(test.name)")
    }
  }
}
