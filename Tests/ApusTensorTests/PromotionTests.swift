import Apus
import ApusTestSupport
import Testing

/// Element types of results follow PyTorch, with the exceptions in the table of conventions in
/// `Documentation/Tensors.md`.
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
      #expect((zeros(.float16) / zeros(.int64)).dtype == .float16)
      #expect(zeros(.int8).atan2(zeros(.bfloat16)).dtype == .bfloat16)
      #expect(zeros(.int64).fmod(zeros(.int64)).dtype == .int64)
      #expect(zeros(.int8).hypot(zeros(.float16)).dtype == .float16)
      #expect(zeros(.float16).lerp(to: zeros(.float16), .zeros([])).dtype == .float16)
      #expect(zeros(.float16).logAddExp(zeros(.int32)).dtype == .float16)
      #expect(zeros(.uint8).clamped(lower: 0.5).dtype == .float32)
      #expect(zeros(.int8).outer(zeros(.int8)).dtype == .int8)
      #expect(zeros(.int8).matmul(zeros(.int8)).dtype == .int32)
      #expect(zeros(.uint8).matmul(zeros(.uint8)).dtype == .int32)
      #expect((zeros(.int32) * 2).dtype == .int32)
      #expect((zeros(.int32) * 2.5).dtype == .float32)
      #expect((zeros(.float16) * 2.5).dtype == .float16)
      #expect(zeros(.int8).sum().dtype == .int64)
      #expect(zeros(.float16).sum().dtype == .float16)
      #expect(zeros(.int64).exp().dtype == .float32)
      #expect((zeros(.float64) .< zeros(.float32)).dtype == .bool)
      #expect(zeros(.bool).select(zeros(.int8), zeros(.float64)).dtype == .float64)
      #expect(zeros(.uint8).argmax().dtype == .int64)
    }
  }

  /// A tensor of rank 0 sets the type of the result only if its type is in a higher category than the types of all
  /// tensors with axes. The categories are `bool`, then integers, then floating point.
  @Test(arguments: [
    (DType.float16, DType.float32, DType.float16), (.float16, .int64, .float16), (.int8, .int64, .int8),
    (.int32, .float64, .float64), (.int32, .float16, .float16), (.bool, .int8, .int8), (.float16, .bfloat16, .float16),
    (.int64, .bool, .int64), (.uint8, .int8, .uint8),
  ])
  func tensorsWithoutAxes(whole: DType, single: DType, result: DType) {
    withDevice(ComputeDevice(backend: RecordingDevice())) {
      let (x, y) = (Tensor.zeros([3], dtype: whole), Tensor.zeros([], dtype: single))
      #expect((x + y).dtype == result && (y + x).dtype == result)
      #expect((x .== 0).select(x, y).dtype == result)
      #expect((y + y).dtype == (single == .bool ? .int32 : single))
      #expect((.zeros([0], dtype: whole) + y).dtype == result)
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
