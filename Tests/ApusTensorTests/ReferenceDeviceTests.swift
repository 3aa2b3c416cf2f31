import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// The reference device, a simple interpreter of plans, agrees with results that were computed by hand or published.
@Suite struct ReferenceDeviceTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  @Test func elementwiseChainsAndReductions() throws {
    try withDevice(device) { () throws in
      let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
      let y = (x * 2 + Tensor([10, 20, 30] as [Float])).sum(axis: 1)
      #expect(try y.array() == [72, 90])
      #expect(try x.transposed().matmul(x).array() == [17, 22, 27, 22, 29, 36, 27, 36, 45])
      #expect(try x.argmax(axis: 1).array(of: Int.self) == [2, 2])
      #expect(try x.max().scalar() == 6)
    }
  }

  @Test func gradientOfACubic() throws {
    try withDevice(device) { () throws in
      let x = Tensor([-1, 0.5, 2] as [Double])
      let first = gradients(of: x * x * x, withRespectTo: [x])[0]
      let second = gradients(of: first, withRespectTo: [x])[0]
      #expect(try first.array(of: Double.self) == [3, 0.75, 12])
      #expect(try second.array(of: Double.self) == [-6, 3, 12])
    }
  }

  @Test func convolutionByHand() throws {
    try withDevice(device) { () throws in
      let x = Tensor([1, 2, 3, 4] as [Float], shape: [1, 1, 4])
      let w = Tensor([1, 10] as [Float], shape: [1, 1, 2])
      #expect(try x.convolved(with: w).array() == [21, 32, 43])
      #expect(try x.convolved(with: w, padding: [(1, 0)]).array() == [10, 21, 32, 43])
      let gradient = gradients(of: x.convolved(with: w), withRespectTo: [x, w])
      #expect(try gradient[0].array() == [1, 11, 11, 10])
      #expect(try gradient[1].array() == [6, 9])
    }
  }

  /// Known answers of Random123's `kat_vectors`.
  @Test func philoxKnownAnswers() {
    #expect(philox(SIMD4(repeating: 0), key: SIMD2(0, 0)) == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      philox(SIMD4(repeating: .max), key: SIMD2(.max, .max))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
  }

  @Test func narrowFormats() {
    #expect(Rounding.float16.rounded(65519) == 65504)
    #expect(Rounding.float16.rounded(65520) == .infinity)
    #expect(Rounding.float16.rounded(1 + 0x1p-11) == 1)
    #expect(Rounding.float16.rounded(0x1p-25) == 0)
    #expect(Rounding.float16.rounded(0x1.8p-24) == 0x1p-23)
    #expect(Rounding.bfloat16.rounded(1 + 0x3p-8) == 1 + 0x1p-6)
  }
}
