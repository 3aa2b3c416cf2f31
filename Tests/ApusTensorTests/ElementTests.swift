import Apus
import ApusTestSupport
import Testing

/// Literals and the Swift types of elements.
@Suite struct ElementTests {
  private func onReference<R>(_ body: () throws -> R) throws -> R {
    try withDevice(TestDevice.reference.device, body)
  }

  @Test func integerLiteralsAreExact() throws {
    try onReference { () throws in
      let large: Tensor = [9_007_199_254_740_993, -9_223_372_036_854_775_808, 9_223_372_036_854_775_807]
      #expect(large.dtype == .int64)
      #expect(try large.array(of: Int.self) == [(1 << 53) + 1, .min, .max])
      let mixed: Tensor = [[16_777_217, 0.5], [-3, 4]]
      #expect(mixed.dtype == .float32)
      #expect(try mixed.array() == [16_777_216, 0.5, -3, 4])
      #expect(([] as Tensor).shape == [0] && ([] as Tensor).dtype == .float32)
      #expect(([[], []] as Tensor).shape == [2, 0])
      #expect(([true, 2] as Tensor).dtype == .float32)
    }
  }

  @Test func halfPrecisionIsTyped() throws {
    for device in TestDevice.all {
      try withDevice(device.device) { () throws in
        let values: [Float16] = [0, -1.5, 65504, .leastNonzeroMagnitude, .infinity, 0.333]
        let half = Tensor(values)
        #expect(half.dtype == .float16 && half.shape == [6])
        #expect(try half.array(of: Float16.self) == values, "\(device.name)")
        #expect(try half.array() == values.map(Float.init), "\(device.name)")
        #expect(try (half[..<3] * 1).array(of: Float16.self) == [0, -1.5, 65504], "\(device.name)")
        #expect(try half[5].scalar() == Double(values[5]), "\(device.name)")
        let brain: [BFloat16] = [0, -1.5, 3.0e38, 0.333]
        #expect(Tensor(brain).dtype == .bfloat16)
        #expect(try Tensor(brain).array(of: BFloat16.self) == brain, "\(device.name)")
        #expect(try Tensor(brain).array() == brain.map(Float.init), "\(device.name)")
        #expect(try Tensor([1.2, 0.333] as [Float]).array(of: BFloat16.self) == [1.2, 0.333], "\(device.name)")
        #expect(try Tensor(brain)[3].scalar() == Double(Float(brain[3])), "\(device.name)")
      }
    }
  }

  @Test(arguments: [
    (1 as Float, 0x3F80 as UInt16), (-2, 0xC000), (0, 0), (-0.0, 0x8000), (.infinity, 0x7F80), (-.infinity, 0xFF80),
    // Ties round to the even neighbor; values above a tie round up, values below it down.
    (0x1.01p0, 0x3F80), (0x1.03p0, 0x3F82), (0x1.010002p0, 0x3F81), (0x1.00fffep0, 0x3F80),
    (.greatestFiniteMagnitude, 0x7F80), (-.greatestFiniteMagnitude, 0xFF80), (0x1.FEp127, 0x7F7F),
    (.leastNonzeroMagnitude, 0), (0x1p-133, 1), (0x1.8p-133, 2), (.leastNormalMagnitude, 0x80),
  ])
  func brainFloatsAreRounded(value: Float, bits: UInt16) {
    #expect(BFloat16(value).bitPattern == bits)
    let back = Float(BFloat16(bitPattern: bits))
    #expect(BFloat16(back).bitPattern == bits)
  }

  @Test func brainFloatsKeepNaNQuiet() {
    for bits: UInt32 in [0x7F80_0001, 0x7FC0_0000, 0xFF80_FFFF, 0x7FFF_FFFF] {
      let value = BFloat16(Float(bitPattern: bits))
      #expect(Float(value).isNaN && value.bitPattern & 0x40 != 0)
      #expect(value.bitPattern >> 15 == UInt16(bits >> 31))
      #expect(value != value)
    }
    #expect(BFloat16(-0.0) == BFloat16(0) && Set([BFloat16(-0.0), BFloat16(0)]).count == 1)
    #expect(BFloat16(0.333).description == "0.33203125")
  }

  /// `BFloat16` rounds as the devices do with `Kernels/prelude/rounding.h`. The reference device does not keep the
  /// payloads of NaN.
  @Test func brainFloatsAreRoundedAsOnDevices() throws {
    // Every value of the upper 16 bits, each with six values of the lower 16 bits: the rounding tie 0x8000, its
    // neighbors, the two smallest values and the largest.
    let lows: [UInt32] = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
    let all = (0...UInt32(UInt16.max)).flatMap { high in lows.map { Float(bitPattern: high << 16 | $0) } }
    for device in TestDevice.all {
      let values = device.name == TestDevice.reference.name ? all.filter { !$0.isNaN } : all
      try withDevice(device.device) { () throws in
        let stored = try Tensor(values).cast(to: .bfloat16).array(of: BFloat16.self)
        #expect(stored.map(\.bitPattern) == values.map { BFloat16($0).bitPattern }, "\(device.name)")
      }
    }
  }

  /// Every bit pattern except NaN converts to `Float` and back to itself.
  @Test func everyBrainFloatComesBack() {
    for bits in UInt16.min...UInt16.max where !Float(BFloat16(bitPattern: bits)).isNaN {
      #expect(BFloat16(Float(BFloat16(bitPattern: bits))).bitPattern == bits)
    }
  }
}
