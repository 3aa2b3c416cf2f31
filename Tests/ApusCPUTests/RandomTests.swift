import ApusDevice
import ApusTestSupport
import Testing

@testable import ApusCPU

@Suite struct RandomTests {
  @Test func philoxMatchesTheKnownAnswer() throws {
    // A test vector of Random123 (kat_vectors): philox4x32 with 10 rounds, counter 0 and key 0.
    var builder = PlanBuilder()
    builder.drawWords(Layout(contiguous: [70_001]), seed: 0, counter: 0)
    let result = try builder.run(on: cpu())[0].map { UInt32(bitPattern: Int32($0)) }
    #expect(Array(result[..<4]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    #expect(Set(result).count > 69_000)
  }

  /// The CPU draws the same random words as the reference device. The word indices of a case are consecutive, form rows
  /// that begin in the middle of a Philox block (four words), are in another order, or are repeated.
  @Test(arguments: availableSets) func randomWordsMatchTheReferenceDevice(simd: String) throws {
    let layouts: [(Layout, Lane)] = [
      (Layout(contiguous: [1]), .int32), (Layout(contiguous: [5003]), .int32),
      (Layout(shape: [3000], strides: [1], offset: 1 << 33 | 3), .int64),
      (Layout(shape: [21, 301], strides: [331, 1], offset: 2), .int32),
      (Layout(shape: [300, 13], strides: [17, 1], offset: 1), .int64),
      (Layout(shape: [40, 50], strides: [1, 40], offset: 0), .int32),
      (Layout(shape: [30, 1, 7], strides: [1, 0, 0], offset: 5), .int64),
      (Layout(shape: [60], strides: [0], offset: 9), .int32),
    ]
    for (layout, lane) in layouts {
      var builder = PlanBuilder()
      builder.drawWords(layout, lane: lane, seed: -0x1234_5678_9abc, counter: 0x7_0000_0003)
      let expected = try builder.run(on: ReferenceDevice())[0]
      #expect(try builder.run(on: cpu(simd: simd))[0] == expected, "\(layout)")
    }
  }
}
