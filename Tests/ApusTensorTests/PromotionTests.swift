import Apus
import ApusTestSupport
import Testing

/// Element types of results follow PyTorch.
@Suite struct PromotionTests {
  @Test(arguments: [
    (DType.bool, DType.int8, DType.int8), (.uint8, .int8, .int32), (.int32, .int64, .int64),
    (.int64, .float16, .float16), (.float16, .bfloat16, .float32), (.float32, .float64, .float64),
    (.bool, .bool, .bool), (.bfloat16, .float32, .float32), (.uint8, .int64, .int64),
  ])
  func promotion(left: DType, right: DType, result: DType) {
    #expect(DType.promoted(left, right) == result)
    #expect(DType.promoted(right, left) == result)
  }

  @Test func typesOfResults() throws {
    withDevice(ComputeDevice(backend: RecordingDevice())) {
      func zeros(_ dtype: DType) -> Tensor { .zeros([2], dtype: dtype) }
      #expect((zeros(.int32) + zeros(.float16)).dtype == .float16)
      #expect((zeros(.bool) + zeros(.bool)).dtype == .int32)
      #expect((zeros(.int32) / zeros(.int32)).dtype == .float32)
      #expect((zeros(.int32) * 2).dtype == .int32)
      #expect((zeros(.int32) * 2.5).dtype == .float32)
      #expect((zeros(.float16) * 2.5).dtype == .float16)
      #expect(zeros(.int8).sum().dtype == .int64)
      #expect(zeros(.float16).sum().dtype == .float16)
      #expect(zeros(.int64).exp().dtype == .float32)
      #expect(zeros(.float64).less(than: zeros(.float32)).dtype == .bool)
      #expect(zeros(.bool).select(zeros(.int8), zeros(.float64)).dtype == .float64)
      #expect(zeros(.uint8).argmax().dtype == .int64)
    }
  }

  @Test func assigningOperators() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      var x = Tensor([1, 2] as [Float])
      x -= Tensor([3] as [Float])
      x *= Tensor([2, 4] as [Float])
      x /= Tensor([-1] as [Float])
      #expect(try x.values() == [4, 4])
    }
  }
}
