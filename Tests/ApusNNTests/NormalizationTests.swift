import Apus
import ApusTestSupport
import Testing

/// Properties of normalization layers that the comparison with PyTorch does not test.
@Suite struct NormalizationTests {
  private static let devices = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }

  /// Normalization layers compute 16-bit values in `float32`: squares would overflow in `float16`, and sums would lose
  /// digits in `bfloat16`.
  @Test(arguments: devices, [DType.float16, .bfloat16])
  func narrowTypesAreComputedInFloat32(_ test: TestDevice, _ dtype: DType) throws {
    try withDevice(test.device) { () throws in
      var key = RandomKey(seed: 3)
      let x = Tensor.normal([4, 4, 9], mean: 100, deviation: 900, key: &key).cast(to: dtype)
      let layers: [any Layer] = [
        BatchNorm(4), LayerNorm(9), RMSNorm(9), GroupNorm(2, channels: 4), InstanceNorm(4),
        InstanceNorm(4, isAffine: true, tracksStatistics: true), LocalResponseNorm(3, alpha: 1),
      ]
      for layer in layers {
        let (narrow, wide) = withMode(.training) { (layer(x), layer(x.cast(to: .float32))) }
        #expect(narrow.dtype == dtype)
        // The bound is half a unit in the last place of `dtype`.
        let bound: Float = dtype == .float16 ? 0x1p-11 : 0x1p-8
        let isRight = zip(try narrow.array(), try wide.array()).allSatisfy { abs($0 - $1) <= bound * abs($1) + 1e-6 }
        #expect(isRight, "\(type(of: layer))")
      }
    }
  }

  /// A batch norm without a scale adds its shift to the normalized values.
  @Test func batchNormsMayHaveNoScale() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let (plain, norm) = (BatchNorm(2, isAffine: false), BatchNorm(2, hasScale: false))
      #expect(norm.weight == nil && norm.state.entries.map(\.key).prefix(2) == ["bias", "running_mean"])
      norm.bias!.value = Tensor([3, -5] as [Float])
      let x = Tensor([1, 2, 4, 8, 16, 32] as [Float], shape: [3, 2])
      let (centered, shifted) = try withMode(.training) { (try plain(x).array(), try norm(x).array()) }
      let isShifted = shifted.indices.allSatisfy { abs(shifted[$0] - centered[$0] - ($0 % 2 == 0 ? 3 : -5)) < 1e-5 }
      #expect(isShifted)
    }
  }

  /// If the momentum is `nil`, the running mean is the average of the means of all batches.
  @Test func cumulativeAveragesGiveBatchesEqualWeight() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let norm = BatchNorm(1, momentum: nil)
      for value in [3, 7, 20] as [Float] {
        _ = try withMode(.training) { try norm(Tensor([value, value + 2], shape: [2, 1])).array() }
      }
      #expect(abs(try norm.runningMean!.value.reshaped(to: []).scalar() - 11) < 1e-5)
      #expect(abs(try norm.runningVar!.value.reshaped(to: []).scalar() - 2) < 1e-5)
      #expect(try norm.numBatchesTracked!.value.scalar() == 3)
    }
  }

  /// Inference needs one value per channel, training needs two, and an empty batch gives an empty result.
  @Test func smallestBatchesOfEachMode() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let (batch, instance) = (BatchNorm(3), InstanceNorm(3, tracksStatistics: true))
      #expect(try withMode(.inference) { batch(.ones([1, 3])) }.array().count == 3)
      #expect(try withMode(.inference) { instance(.ones([1, 3, 1])) }.array().count == 3)
      #expect(try withMode(.training) { batch(.ones([1, 3, 2])) }.array() == Array(repeating: 0, count: 6))
      #expect(try withMode(.training) { batch(.ones([0, 3])) }.array().isEmpty)
    }
  }

  /// The statistics of inputs that are far from 0, and far from the running statistics, lose no digits.
  @Test(arguments: TestDevice.all) func statisticsFarFromZero(_ test: TestDevice) throws {
    for offset in [0, 1e4, 1e6] as [Float] {
      try withDevice(test.device) { () throws in
        let numbers = (0..<20_000).map { offset + Float($0 * 7919 % 2048) / 1024 }
        let mean = numbers.reduce(0.0) { $0 + Double($1) } / 20_000
        let variance = numbers.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 19_999
        let x = try eval(Tensor(numbers, shape: [20_000, 1, 1, 1]))
        let (batch, instance) = (BatchNorm(1, momentum: 1), InstanceNorm(1, momentum: 1, tracksStatistics: true))
        _ = try withMode(.training) { try batch(x).array() }
        _ = try withMode(.training) { try instance(x.reshaped(to: [1, 1, 20_000])).array() }
        for (mean1, variance1) in [
          (batch.runningMean!.value, batch.runningVar!.value),
          (instance.runningMean!.value, instance.runningVar!.value),
        ] {
          #expect(abs(try mean1.sum().scalar() - mean) <= 1e-6 * abs(mean), "\(test.name), \(offset)")
          #expect(
            abs(try variance1.sum().scalar() - variance) <= 1e-6 * variance, "\(test.name), \(offset)")
        }
      }
    }
  }

  /// With momentum 1, a running value far from the new value is replaced without a rounding error.
  @Test func momentumOneReplacesRunningValuesExactly() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let norm = BatchNorm(1, momentum: 1)
      norm.runningVar!.value = Tensor([3e8] as [Float])
      _ = try withMode(.training) { try norm(Tensor([0, 1.5, 3] as [Float], shape: [3, 1])).array() }
      #expect(try norm.runningVar!.value.array() == [2.25] as [Float])
    }
  }

  /// The mode alone decides which statistics are used, whether or not the parameters are frozen.
  @Test(arguments: [true, false]) func batchNormsFollowTheMode(isTrainable: Bool) throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let norm = BatchNorm(1, epsilon: 0, momentum: 0.5)
      norm.runningMean!.value = Tensor([5] as [Float])
      norm.runningVar!.value = Tensor([4] as [Float])
      for parameter in norm.parameters { parameter.isTrainable = isTrainable }
      let x = Tensor([5, 9] as [Float], shape: [2, 1])
      let kept = try withMode(.inference, of: norm) { try withMode(.training) { try norm(x).array() } }
      #expect(kept == [0, 2])
      #expect(try norm.runningMean!.value.array() == [5])
      #expect(try norm.numBatchesTracked!.value.scalar() == 0)
      #expect(try withMode(.training) { try norm(x).array() } == [-1, 1])
      #expect(try norm.runningMean!.value.array() == [6] && norm.runningVar!.value.array() == [6])
      #expect(try norm.numBatchesTracked!.value.scalar() == 1)
    }
  }

  /// A `GroupNorm` with one group equals a `LayerNorm`, and with one group per channel it equals an `InstanceNorm`.
  @Test(arguments: devices) func groupNormEqualsLayerNormOrInstanceNorm(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      var key = RandomKey(seed: 4)
      let x = Tensor.normal([2, 4, 3, 3], key: &key)
      func same(_ left: Tensor, _ right: Tensor) throws -> Bool {
        zip(try left.array(), try right.array()).allSatisfy { abs($0 - $1) < 1e-5 }
      }
      #expect(try same(GroupNorm(1, channels: 4)(x), LayerNorm([4, 3, 3])(x)))
      #expect(try same(GroupNorm(4, channels: 4)(x), InstanceNorm(4)(x)))
    }
  }
}
