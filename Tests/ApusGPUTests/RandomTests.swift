import ApusDevice
import ApusGPU
import ApusTestSupport
import Testing

@DeviceThread @Suite struct RandomTests {
  /// Philox4x32-10 as its authors define it.
  static func philox(_ counter: [UInt32], _ key: [UInt32]) -> [UInt32] {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) * UInt64(c[0])
      let p1 = UInt64(0xCD9E_8D57) * UInt64(c[2])
      c = [
        UInt32(p1 >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: p1), UInt32(p0 >> 32) ^ c[3] ^ k[1],
        UInt32(truncatingIfNeeded: p0),
      ]
      k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
    }
    return c
  }

  @Test func knownAnswer() {
    // From the authors' known-answer file: all bits of counter and key are 1.
    let ones = [UInt32](repeating: .max, count: 4)
    #expect(Self.philox(ones, [.max, .max]) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  /// Indices of the random words to draw: in order, in another order, and in rows that begin within a Philox block of
  /// four words.
  private nonisolated static let numbers: [(Layout, Lane)] =
    [1, 6, 64, 5003].map { (Layout(contiguous: [$0]), .int32) } + [
      (Layout(shape: [40, 50], strides: [1, 40], offset: 0), .int32),
      (Layout(shape: [21, 301], strides: [331, 1], offset: 1 << 33 | 2), .int64),
    ]

  @Test(arguments: numbers) func words(_ numbers: Layout, lane: Lane) throws {
    let seed: Int64 = -0x1234_5678_9abc
    let counter: Int64 = 0x7_0000_0003
    let (rows, columns) = (numbers.shape.rank == 1 ? 1 : numbers.shape[0], numbers.shape.last!)
    for (kernelClass, device) in Harness.devices {
      var builder = PlanBuilder()
      _ = builder.scalar(.float(0), .float32)
      builder.drawWords(numbers, lane: lane, seed: seed, counter: counter)
      let output = try builder.results(on: device)[0]
      func halves(_ number: Int64) -> [UInt32] {
        [UInt32(truncatingIfNeeded: number), UInt32(truncatingIfNeeded: number >> 32)]
      }
      let expected = (0..<rows * columns).map { element in
        let (row, column) = element.quotientAndRemainder(dividingBy: columns)
        let place = numbers.offset + row * numbers.strides[0] + column * numbers.strides.last!
        let words = Self.philox(halves(Int64(place / 4)) + halves(counter), halves(seed))
        return Double(Int32(bitPattern: words[place % 4]))
      }
      #expect(output == expected, "\(kernelClass)")
    }
  }
}
